from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from inboxd.inbox.answer_files import AnswerFiles, move_file

from .descriptors import open_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_an_answer_has_no_name_until_it_is_finished(tmp_path: Path, directory: int) -> None:
    with AnswerFiles(directory, os.getegid()) as files:
        files.add("key", b"whole")
        files.sync()
        before = [path.name for path in tmp_path.iterdir()]
        files.finish("key", b"a.receipt.json")

    assert before == [".unfinished-key"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.receipt.json"]
    assert (tmp_path / "a.receipt.json").read_bytes() == b"whole"


def test_more_answers_than_may_be_open_at_one_time_are_written(
    tmp_path: Path, directory: int
) -> None:
    descriptors = open_descriptors()
    with AnswerFiles(directory, os.getegid()) as files:
        for number in range(150):
            files.add(str(number), b"%d" % number)
        most = open_descriptors() - descriptors
        files.sync()
        for number in range(150):
            files.finish(str(number), b"%d.json" % number)

    assert most <= 64
    assert open_descriptors() == descriptors
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        f"{number}.json": str(number) for number in range(150)
    }


def test_an_answer_that_fails_half_way_leaves_nothing(tmp_path: Path, directory: int) -> None:
    def fail_half_way() -> None:
        with AnswerFiles(directory, os.getegid()) as files, files.adding("key") as write:
            write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()

    assert list(tmp_path.iterdir()) == []


def test_an_answer_in_pieces_is_their_sum(tmp_path: Path, directory: int) -> None:
    with AnswerFiles(directory, os.getegid()) as files:
        with files.adding("key") as write:
            for piece in (b"a" * 100_000, b"", b"b"):
                write(piece)
        files.sync()
        files.finish("key", b"answer")

    assert (tmp_path / "answer").read_bytes() == b"a" * 100_000 + b"b"


def test_a_left_over_of_the_same_key_is_written_over(tmp_path: Path, directory: int) -> None:
    (tmp_path / ".unfinished-key").write_bytes(b"a longer left-over of a crash")
    with AnswerFiles(directory, os.getegid()) as files:
        files.add("key", b"new")
        files.sync()
        files.finish("key", b"answer")

    assert (tmp_path / "answer").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "answer").stat().st_mode) == 0o640


def test_a_symlink_in_the_place_of_an_answer_is_not_followed(
    tmp_path: Path, directory: int
) -> None:
    (tmp_path / "victim").write_bytes(b"untouched")
    (tmp_path / ".unfinished-key").symlink_to("victim")
    with AnswerFiles(directory, os.getegid()) as files, pytest.raises(OSError, match="symbolic"):
        files.add("key", b"new")

    assert (tmp_path / "victim").read_bytes() == b"untouched"


def test_moving_what_is_not_there_is_told_and_no_error(tmp_path: Path, directory: int) -> None:
    (tmp_path / "a").touch()

    assert move_file(directory, b"a", directory, b"b") is True
    assert move_file(directory, b"a", directory, b"b") is False
