from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.ids import new_id
from inboxd.inbox.file_names import (
    RECEIPT_SUFFIX,
    RESULT_SUFFIX,
    aside_names,
    claimed_name,
    is_candidate,
    is_misplaced_answer,
    kept_name,
    placed_name,
    plain_answer_name,
    split_claimed_name,
)

#: What Linux allows as the name of a file that is meant to be taken.
file_names = st.binary(min_size=1, max_size=250).map(
    lambda stem: stem.replace(b"/", b"_").replace(b"\0", b"_") + b".json"
)


@pytest.mark.parametrize(
    "name",
    [
        b"a.json",
        b"-rf.json",
        b"*.json",
        b"two\nlines.json",
        b"\xff\xfe.json",
        b"a.b.json",
        b"~.json",
    ],
)
def test_json_files_are_taken_whatever_else_their_name_holds(name: bytes) -> None:
    assert is_candidate(name)


@pytest.mark.parametrize(
    "name",
    [
        b".hidden.json",
        b".json",
        b"..json",
        b"a.json.tmp",
        b"a.json.part",
        b"a.json~",
        b"a.JSON",
        b"a.yaml",
        b"json",
        b"a.receipt.json",
        b"a.result.json",
    ],
)
def test_other_names_are_never_taken(name: bytes) -> None:
    assert not is_candidate(name)


def test_misplaced_receipts_and_results_are_told_from_other_files() -> None:
    names = [b"a.receipt.json", b"a.result.json", b".a.receipt.json", b"a.txt", b"a.json"]

    assert [name for name in names if is_misplaced_answer(name)] == names[:2]


def test_answers_of_a_json_file_lose_its_suffix_and_others_keep_theirs() -> None:
    assert plain_answer_name(b"report.json") == b"report"
    assert plain_answer_name(b"report.yaml") == b"report.yaml"
    assert placed_name(b"report.json", b"report.0193") == b"report.0193.json"
    assert placed_name(b"report.yaml", b"report.yaml.0193") == b"report.yaml.0193"


def test_a_name_over_200_bytes_is_kept_as_150_bytes_and_8_digits_of_its_hash() -> None:
    name = b"x" * 196 + b".json"
    kept = b"x" * 150 + b"~" + hashlib.sha256(name).hexdigest()[:8].encode()

    assert len(name) == 201
    assert kept_name(name) == kept
    assert plain_answer_name(name) == kept
    assert placed_name(name, kept) == kept


def test_a_name_of_200_bytes_is_kept_whole() -> None:
    name = b"x" * 195 + b".json"

    assert kept_name(name) == name


@given(file_names)
def test_a_claimed_name_fits_and_leads_back_to_the_file(name: bytes) -> None:
    claim = new_id()
    claimed = claimed_name(claim, name)

    assert len(claimed) <= 255
    assert split_claimed_name(claimed) == (claim, kept_name(name))


@given(file_names)
def test_every_name_that_an_answer_may_get_fits(name: bytes) -> None:
    aside = plain_answer_name(name) + b"." + new_id().encode() + b"-99"

    assert len(aside + RECEIPT_SUFFIX) <= 255
    assert len(aside + RESULT_SUFFIX) <= 255
    assert len(placed_name(name, aside)) <= 255


@given(file_names)
def test_a_file_that_is_known_by_its_claim_only_is_placed_as_under_its_own_name(
    name: bytes,
) -> None:
    kept = kept_name(name)

    assert plain_answer_name(kept) == plain_answer_name(name)
    assert placed_name(kept, b"answers") == placed_name(name, b"answers")


@pytest.mark.parametrize(
    "name", [b".lock", b"a.json", b"0193-a.json", b"0192f0c1-0000-7000-8000-000000000001"]
)
def test_other_names_in_the_directory_of_claims_are_no_claims(name: bytes) -> None:
    assert split_claimed_name(name) is None


def test_moving_aside_moves_the_file_and_its_receipt() -> None:
    moves = aside_names(b"a", b"a.1")

    assert (b"a.json", b"a.1.json") in moves
    assert (b"a.receipt.json", b"a.1.receipt.json") in moves
