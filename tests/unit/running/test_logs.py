"""Outputs: kept within their bound, and read with what is missing told."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxd.running import logs
from inboxd.running.logs import (
    Dropped,
    attempt_log_paths,
    bound_log,
    cut_out,
    log_pieces,
    log_tail,
)

if TYPE_CHECKING:
    from pathlib import Path

KIB = 1024


def _kept(path: Path) -> list[bytes | int]:
    """Return what is kept, pieces joined, and the sizes of what is missing between."""
    found: list[bytes | int] = []
    for piece in log_pieces(path):
        if isinstance(piece, Dropped):
            found.append(piece.size)
        elif found and isinstance(last := found[-1], bytes):
            found[-1] = last + piece
        else:
            found.append(piece)
    return found


def _numbered(size: int) -> bytes:
    """Return bytes that differ from place to place."""
    return b"".join(b"%07d\n" % number for number in range(size // 8))


def test_the_files_of_an_attempt_lie_by_tree_position_and_number(tmp_path: Path) -> None:
    paths = attempt_log_paths(tmp_path, "tree", 12_345, 2)

    assert paths == (
        tmp_path / "attempts/tree/12/12345.2.out",
        tmp_path / "attempts/tree/12/12345.2.err",
    )


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert _kept(tmp_path / "none") == []


def test_a_file_within_its_bound_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(data := _numbered(64 * KIB))

    bound_log(str(path), max_bytes=64 * KIB)

    assert _kept(path) == [data]


def test_the_middle_of_a_larger_file_is_dropped_and_its_size_is_told(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(data := _numbered(1024 * KIB))

    bound_log(str(path), max_bytes=128 * KIB)

    assert _kept(path) == [data[: 64 * KIB], (1024 - 128) * KIB, data[-64 * KIB :]]


def test_what_is_dropped_is_free_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(_numbered(1024 * KIB))

    bound_log(str(path), max_bytes=128 * KIB)

    assert path.stat().st_blocks * 512 <= 140 * KIB


def test_a_file_that_grows_is_bounded_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "out"
    data = _numbered(1024 * KIB)
    with path.open("ab", buffering=0) as file:
        for start in range(0, len(data), 100 * KIB):
            file.write(data[start : start + 100 * KIB])
            bound_log(str(path), max_bytes=128 * KIB)

    kept = _kept(path)

    assert kept[0] == data[: 64 * KIB]
    assert isinstance(last := kept[-1], bytes)
    assert data.endswith(last)
    assert 64 * KIB <= len(last) < 68 * KIB


def test_bounding_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(data := _numbered(1024 * KIB))
    (tmp_path / "out").symlink_to(tmp_path / "victim")

    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        bound_log(str(tmp_path / "out"), max_bytes=8 * KIB)

    assert (tmp_path / "victim").read_bytes() == data


def test_where_no_hole_can_be_punched_the_file_is_written_anew_without_its_middle(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out"
    path.write_bytes(data := _numbered(1024 * KIB))
    with path.open("r+b") as file:
        cut_out(file.fileno(), 64 * KIB, 960 * KIB, 1024 * KIB)

    kept = path.read_bytes()

    assert kept.startswith(data[: 64 * KIB] + b"\n[inboxd: 917,504 bytes dropped here]\n")
    assert kept.endswith(b"]\n" + data[960 * KIB :])


def test_what_is_no_file_any_more_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "directory").mkdir()

    assert [_kept(tmp_path / name) for name in ("fifo", "link", "directory")] == [[], [], []]


def test_a_range_of_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"0123456789")

    assert list(log_pieces(path, start=2, end=5)) == [b"234"]


class TestTail:
    """The last bytes of an output, as they stand in a result."""

    def test_all_of_a_small_output(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        path.write_bytes(b"abc")

        assert log_tail(path, size=3, most=10) == (b"abc", False)

    def test_the_end_of_a_larger_one(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        path.write_bytes(b"abcdef")

        assert log_tail(path, size=6, most=2) == (b"ef", True)

    def test_none_is_asked_for(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        path.write_bytes(b"abcdef")

        assert log_tail(path, size=6, most=0) == (b"", True)

    def test_only_what_follows_the_dropped_middle(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        path.write_bytes(data := _numbered(256 * KIB))
        bound_log(str(path), max_bytes=16 * KIB)

        tail = log_tail(path, size=256 * KIB, most=64 * KIB)

        assert tail == (data[-8 * KIB :], True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    writes=st.lists(st.integers(0, 60_000), min_size=1, max_size=12),
    max_bytes=st.integers(2 * logs.BLOCK_BYTES, 100_000),
)
def test_whatever_is_written_beginning_end_and_the_sum_are_right(
    tmp_path: Path, writes: list[int], max_bytes: int
) -> None:
    path = tmp_path / "out"
    path.unlink(missing_ok=True)
    data = _numbered(sum(writes) + 8)[: sum(writes)]
    start = 0
    with path.open("ab", buffering=0) as file:
        for size in writes:
            file.write(data[start : start + size])
            start += size
            bound_log(str(path), max_bytes=max_bytes)

    kept = _kept(path)

    assert sum(len(one) if isinstance(one, bytes) else one for one in kept) == len(data)
    place = 0
    for one in kept:
        if isinstance(one, bytes):
            assert data[place : place + len(one)] == one
            place += len(one)
        else:
            place += one
    if len(data) <= max_bytes:
        assert kept == ([data] if data else [])
    assert path.stat().st_blocks * 512 <= max_bytes + 4 * logs.BLOCK_BYTES
