"""Dropping a file: its name, its envelope, and how it appears."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.cli.drop import DropFailed, drop, unique_file_name, with_envelope
from inboxd.inbox.file_names import is_candidate, is_too_long

_json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
_blanks = st.text(" \t\r\n", max_size=3)
_names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("base", "stem"),
    [
        ("report", b"report"),
        ("..report", b"report"),
        ("...", b"tasks"),
        ("", b"tasks"),
        ("a.receipt", b"a.receipt"),
        ("x" * 300, b"x" * 150),
        ("\u00e9" * 100, "\u00e9".encode() * 75),
        ("x" + "\u00e9" * 100, b"x" + "\u00e9".encode() * 74),
        ("a\udcffb", b"a\xffb"),
    ],
)
def test_a_file_is_called_after_its_base_with_a_unique_part(base: str, stem: bytes) -> None:
    name = unique_file_name(base)

    assert (stem, len(b"-12345678.json")) == (name[:-14], len(name) - len(stem))


@given(_names)
def test_a_file_of_any_name_is_taken_by_the_daemon(base: str) -> None:
    name = unique_file_name(base)

    assert (is_candidate(name), is_too_long(name), b"/" in name) == (True, False, False)


def test_no_two_files_have_one_name() -> None:
    names = {unique_file_name("report") for _ in range(100)}

    assert len(names) == 100


@given(st.lists(_json_values, min_size=1), _blanks, _blanks, st.text(min_size=1), st.text())
def test_a_bare_array_gets_an_envelope_around_its_own_bytes(
    tasks: list[Any], before: str, after: str, name: str, key: str
) -> None:
    own = json.dumps(tasks).encode()

    data = with_envelope(before.encode() + own + after.encode(), name=name, idempotency_key=key)

    assert {"name": name, "idempotency_key": key, "tasks": tasks} == json.loads(data)
    assert own in data


@given(st.dictionaries(st.text(min_size=1), _json_values, min_size=1), _blanks, st.text())
def test_an_envelope_gets_the_key_right_behind_its_brace(
    envelope: dict[str, Any], before: str, key: str
) -> None:
    envelope.pop("idempotency_key", None)
    envelope.setdefault("tasks", [])
    own = json.dumps(envelope, indent=1).encode()

    data = with_envelope(before.encode() + own, name=None, idempotency_key=key)

    assert {"idempotency_key": key, **envelope} == json.loads(data)
    assert (before.encode() + b"{", own[1:]) == (data[: len(before) + 1], data[-len(own) + 1 :])


def test_without_name_and_key_the_bytes_stay_as_they_are() -> None:
    data = b' [ {"id": "a"} ]\n'

    assert data == with_envelope(data, name=None, idempotency_key=None)


def test_the_name_that_a_file_gives_itself_stays() -> None:
    data = b'{"name": "own", "tasks": []}'

    assert data == with_envelope(data, name="other", idempotency_key=None)


def test_the_same_key_in_the_file_is_no_conflict() -> None:
    data = b'{"idempotency_key": "k\\u00e9", "tasks": []}'

    assert data == with_envelope(data, name=None, idempotency_key="k\u00e9")


@pytest.mark.parametrize("own", ['"other"', "null", "1"])
def test_another_key_in_the_file_is_a_usage_error(own: str) -> None:
    data = f'{{"idempotency_key": {own}, "tasks": []}}'.encode()

    with pytest.raises(click.UsageError, match="an idempotency_key of its own"):
        with_envelope(data, name=None, idempotency_key="k")


def test_a_file_appears_whole_under_its_name_and_readable_for_the_group(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        drop(tmp_path, b"a-\xff.json", b"[1]")
    finally:
        os.umask(umask)

    (path,) = tmp_path.iterdir()
    assert (
        os.fsencode(path.name),
        path.read_bytes(),
        stat.S_IMODE(path.stat().st_mode),
    ) == (b"a-\xff.json", b"[1]", 0o640)


def test_a_file_is_never_seen_under_its_name_before_it_is_whole(tmp_path: Path) -> None:
    data = b"x" * 5_000_000
    sizes: set[int] = set()
    stopped = threading.Event()

    def look() -> None:
        while not stopped.is_set():
            for entry in tmp_path.glob("*.json"):
                if not entry.name.startswith("."):
                    sizes.add(entry.stat().st_size)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for number in range(10):
            drop(tmp_path, f"{number}.json".encode(), data)
    finally:
        stopped.set()
        looker.join()

    assert {len(data)} >= sizes


def test_an_inbox_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DropFailed) as caught:
        drop(tmp_path / "none", b"a.json", b"[]")

    expected = (
        f"{tmp_path}/none: nothing was dropped: No such file or directory;"
        " `inboxd doctor` looks at the inbox"
    )
    assert (expected, 78) == (str(caught.value), caught.value.exit_code)


def test_a_drop_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DropFailed, match="File name too long"):
        drop(tmp_path, b"x" * 300, b"[]")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 75), (errno.EDQUOT, 75), (errno.EACCES, 78)]
)
def test_what_may_pass_is_to_be_tried_later(number: int, code: int) -> None:
    failure = DropFailed(Path("/inbox"), OSError(number, os.strerror(number)))

    assert code == failure.exit_code
