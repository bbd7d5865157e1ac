from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.inbox.claim import Claim, claim_of
from inboxd.inbox.file_names import claimed_name
from inboxd.inbox.read import (
    Content,
    Gone,
    Reading,
    ReadRules,
    Refused,
    Unsettled,
    read_claimed,
)
from inboxd.inbox.scan import candidate_of

from .descriptors import open_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = ReadRules(max_bytes=1_000, owners=None)
KEY = "01900000-0000-7000-8000-000000000000"


class Claimed:
    """A directory of claims with one file in it."""

    def __init__(self, path: Path) -> None:
        self.directory = os.open(path, os.O_RDONLY)
        self.path = path / os.fsdecode(claimed_name(KEY, b"a.json"))
        self.path.write_bytes(b"[1]")

    def claim(self, **facts: Any) -> Claim:
        """Return the claim, with the facts of the file as it is now unless others are given."""
        candidate = candidate_of(os.fsencode(self.path.name), os.lstat(self.path))
        return claim_of(replace(candidate, facts=candidate.facts._replace(**facts)))

    def read(self, claim: Claim | None = None, rules: ReadRules = RULES) -> Reading:
        return read_claimed(self.directory, claim or self.claim(), rules)

    def refusal(self, claim: Claim | None = None, rules: ReadRules = RULES) -> str:
        reading = self.read(claim, rules)
        assert isinstance(reading, Refused)
        assert reading.problem.hint, "every refusal says what to do"
        return reading.problem.code


@pytest.fixture
def claimed(tmp_path: Path) -> Iterator[Claimed]:
    claimed = Claimed(tmp_path)
    yield claimed
    os.close(claimed.directory)


def test_a_file_that_is_what_settled_is_read_whole(claimed: Claimed) -> None:
    assert claimed.read() == Content(
        data=b"[1]", sha256=hashlib.sha256(b"[1]").hexdigest(), owner=os.geteuid()
    )


def test_a_file_as_large_as_it_may_be_is_read(claimed: Claimed) -> None:
    claimed.path.write_bytes(b"x" * 1_000)
    reading = claimed.read()

    assert isinstance(reading, Content)
    assert len(reading.data) == 1_000


@pytest.mark.parametrize("fact", ["device", "inode", "size", "mtime_ns"])
def test_a_file_that_is_not_what_settled_must_rest_again(claimed: Claimed, fact: str) -> None:
    reading = claimed.read(claimed.claim(**{fact: 7}))

    assert reading == Unsettled(claimed.claim().settled)


def test_a_file_that_somebody_took_is_gone(claimed: Claimed) -> None:
    claim = claimed.claim()
    claimed.path.unlink()

    assert claimed.read(claim) == Gone()


def test_a_file_that_was_exchanged_for_a_symlink_is_refused(claimed: Claimed) -> None:
    claim = claimed.claim()
    claimed.path.unlink()
    claimed.path.symlink_to("/etc/passwd")

    assert claimed.refusal(claim) == "not_a_regular_file"


def test_a_file_that_got_a_second_link_must_rest_again(claimed: Claimed, tmp_path: Path) -> None:
    claim = claimed.claim()
    os.link(claimed.path, tmp_path / "other")

    assert isinstance(claimed.read(claim), Unsettled)


def test_a_file_that_rested_with_a_second_link_is_refused(claimed: Claimed, tmp_path: Path) -> None:
    os.link(claimed.path, tmp_path / "other")

    assert claimed.refusal() == "not_a_regular_file"


def test_a_file_over_the_limit_is_refused(claimed: Claimed) -> None:
    claimed.path.write_bytes(b"x" * 1_001)

    assert claimed.refusal() == "too_large"


def test_a_file_of_another_owner_is_refused(claimed: Claimed) -> None:
    rules = replace(RULES, owners=frozenset({os.geteuid() + 1}))

    assert claimed.refusal(rules=rules) == "wrong_owner"


@pytest.mark.parametrize("name", [b"n" * 196 + b".json", b"n" * 150 + b"~01234567"])
def test_a_file_with_too_long_a_name_is_refused_also_when_only_its_claim_is_known(
    claimed: Claimed, name: bytes
) -> None:
    assert claimed.refusal(replace(claimed.claim(), file_name=name)) == "name_too_long"


def test_reading_leaves_no_descriptor_behind(claimed: Claimed) -> None:
    before = open_descriptors()
    claimed.read()
    claimed.read(claimed.claim(size=7))

    assert open_descriptors() == before
