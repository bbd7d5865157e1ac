"""The progress file of a command: the newest line counts, whatever else is there."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.running.leftovers import end_leftovers
from inboxd.running.paths import attempt_files
from inboxd.running.progress_file import (
    LONGEST_LINE_BYTES,
    LOOK_BYTES,
    ProgressFile,
    newest_progress,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.running.progress import Said


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0.1.progress"


@pytest.fixture
def file(path: Path) -> ProgressFile:
    return ProgressFile(str(path))


def append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as opened:
        opened.write(text if isinstance(text, bytes) else text.encode())


def test_nothing_there_says_nothing(file: ProgressFile) -> None:
    assert file.look() is None


def test_the_newest_line_of_several_counts_once(file: ProgressFile, path: Path) -> None:
    append(path, '{"progress": 0.1}\n{"progress": 0.2, "message": "second"}\n')

    assert [file.look(), file.look()] == [(0.2, "second"), None]


def test_what_is_added_is_read_at_the_next_look(file: ProgressFile, path: Path) -> None:
    said: list[Said | None] = []
    for number in (1, 2):
        append(path, f'{{"progress": 0.{number}}}\n')
        said.append(file.look())
    append(path, "and now something else\n")
    said.append(file.look())

    assert said == [(0.1, None), (0.2, None), None]


def test_a_line_that_is_being_written_waits_for_its_end(file: ProgressFile, path: Path) -> None:
    append(path, '{"progress": 0.1}\n{"progress": 0.2, "mess')
    first = file.look()
    append(path, 'age": "x"}')

    assert [first, file.look()] == [(0.1, None), (0.2, "x")]


@pytest.mark.parametrize(
    "again",
    [
        '{"progress": 0.9}\n',
        '{"progress": 0.95}\n',
        '{"progress": 1}\n',
        '{"progress": 0.9, "message": "longer"}',
        '{"progress": 0.1}\n{"progress": 0.9}\n',
    ],
    ids=["as long", "one longer", "shorter", "without a newline", "several lines"],
)
def test_a_file_that_is_written_anew_is_read_anew(
    file: ProgressFile, path: Path, again: str
) -> None:
    path.write_text('{"progress": 0.4}\n')
    first = file.look()
    changed_at = path.stat().st_mtime_ns
    path.write_text(again)
    # The clock of file systems may stand still for some milliseconds (inode(7)).
    os.utime(path, ns=(changed_at + 1, changed_at + 1))

    said = file.look()

    assert first == (0.4, None)
    assert said is not None
    assert said[0] in {0.9, 0.95, 1}


def test_a_file_that_is_put_in_its_place_is_read(file: ProgressFile, path: Path) -> None:
    path.write_text('{"progress": 0.4}\n')
    file.look()
    other = path.with_name("other")
    other.write_text('{"progress": 0.5}\n')
    other.replace(path)

    assert file.look() == (0.5, None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"progress": null, "message": "?"}', (None, "?")),
        (b'  {"progress": 1, "other": [{"progress": 2}]}\r', (1, None)),
        (b'\xef\xbb\xbf{"progress": 0.5}', (0.5, None)),
        (b'{"progress": "half", "message": 3}', ("half", 3)),
        (b'{"message": "no progress"}', None),
        (b'["progress"]', None),
        (b'{"progress": 0.5} trailing', None),
        (b'{"progress": 0.5, "message": "\xff"}', None),
        (b'{"progress": NaN}', None),
        (b'{"progress": ' + b"1" * 5_000 + b"}", None),
        (b'{"progress": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", None),
        (b"progress 50 %", None),
        (b'\0\0"progress"\0', None),
    ],
)
def test_a_line_is_an_object_with_progress_or_nothing(
    file: ProgressFile, path: Path, line: bytes, expected: Said | None
) -> None:
    append(path, line + b"\n")

    assert file.look() == expected


@given(st.binary() | st.text(alphabet='{}"progress:,.01\n').map(str.encode))
def test_a_line_is_found_behind_whatever_precedes_it(junk: bytes) -> None:
    found = newest_progress(junk + b'\n{"progress": 0.5}\n', is_whole=True)

    assert found is not None
    assert found[0] == (0.5, None)


@given(st.binary() | st.text(alphabet='{}"progress:,.01\n').map(str.encode), st.booleans())
def test_no_content_raises(junk: bytes, is_whole: bool) -> None:
    newest_progress(junk, is_whole=is_whole)


def test_lines_are_found_before_junk_that_is_not_endless(file: ProgressFile, path: Path) -> None:
    append(path, b'{"progress": 0.5}\n' + b'"progress"\n' * 200 + b"\xff\0" * 1_000)

    assert file.look() == (0.5, None)


def test_a_line_may_be_long_but_not_endless(file: ProgressFile, path: Path) -> None:
    frame = len('{"progress": 0.5, "message": ""}')
    longest = "x" * (LONGEST_LINE_BYTES - frame)
    append(path, f'{{"progress": 0.5, "message": "{longest}"}}\n')
    first = file.look()
    append(path, f'{{"progress": 0.7, "message": "{longest}x"}}\n')

    assert [first, file.look()] == [(0.5, longest), None]


def test_only_the_end_of_a_large_file_is_read(file: ProgressFile, path: Path) -> None:
    append(path, '{"progress": 0.1}\n')
    with path.open("r+b") as opened:
        opened.truncate(1 << 40)
    first = file.look()
    append(path, '\n{"progress": 0.2}\n')

    assert [first, file.look()] == [None, (0.2, None)]


def test_a_line_whose_beginning_is_out_of_reach_is_passed_over(
    file: ProgressFile, path: Path
) -> None:
    line = '{"progress": 0.5}'
    append(path, '{"all": ' + line + "}")
    append(path, " " * (LOOK_BYTES - len(line) - 1))

    assert file.look() is None


def link(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_text('{"progress": 0.5}\n')
    path.symlink_to(target)


@pytest.mark.parametrize("make", [link, os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_neither_followed_nor_waited_for(
    file: ProgressFile, path: Path, make: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    make(path)

    with caplog.at_level(logging.DEBUG):
        said = [file.look() for _ in range(3)]

    assert said == [None, None, None]
    assert [record.message for record in caplog.records] == [
        "progress file passed over: it is no regular file"
    ]


def test_junk_is_said_once(
    file: ProgressFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            append(path, "half of it\n")
            file.look()

    assert [record.levelname for record in caplog.records] == ["DEBUG"]


@pytest.mark.parametrize(
    "content",
    [
        b'{"progress"}\n' * 20_000,
        b'"progress"' * 20_000,
        b"{" * LOOK_BYTES,
        (b'{"progress": ' + b"[" * 500 + b"\n") * 1_000,
        b'{"progress": 0, "message": [' + b"[]," * 21_000 + b"0]}\n",
    ],
    ids=["no objects", "no lines", "braces", "deep", "a list as message"],
)
def test_a_look_takes_some_milliseconds_at_the_most(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    seconds: list[float] = []
    for _ in range(5):
        begin = time.thread_time()
        ProgressFile(str(path)).look()
        seconds.append(time.thread_time() - begin)

    # 1.7 ms is the worst that was measured; 20 ms if every line were tried.
    assert min(seconds) < 0.01


def test_removing_needs_no_call_where_nothing_was_seen(file: ProgressFile, path: Path) -> None:
    file.look()
    append(path, "came after the look")
    file.remove()
    is_left = path.exists()
    file.look()
    file.remove()

    assert (is_left, path.exists()) == (True, False)


def test_what_an_earlier_daemon_left_goes(tmp_path: Path) -> None:
    files = attempt_files(tmp_path, "tree", 3, 1)
    Path(files.directory).mkdir(parents=True)
    Path(files.progress).write_text("{}")

    end_leftovers(tmp_path, [("tree", 3, 1)])

    assert not Path(files.progress).exists()
