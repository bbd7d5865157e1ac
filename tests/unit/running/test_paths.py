"""Directories of attempts and trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.clock import SystemClock
from inboxd.running.context import ContextSource
from inboxd.running.paths import make_private_directory, remove_tree_directory_if_empty

from .runner_bed import attempt

if TYPE_CHECKING:
    from pathlib import Path


def test_every_directory_that_is_made_is_for_this_user_alone(tmp_path: Path) -> None:
    make_private_directory(str(tmp_path / "a/b/c"))

    modes = [oct((tmp_path / name).stat().st_mode & 0o777) for name in ("a", "a/b", "a/b/c")]

    assert modes == ["0o700"] * 3


def test_a_directory_that_is_there_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)

    make_private_directory(str(tmp_path))

    assert tmp_path.stat().st_mode & 0o777 == 0o750


def _directory(state: Path) -> Path:
    source = ContextSource(state=state, clock=SystemClock(), max_output_bytes=1)
    return source.context(attempt()).directory


def test_an_empty_tree_directory_goes_when_the_tree_ends(tmp_path: Path) -> None:
    directory = (
        ContextSource(state=tmp_path, clock=SystemClock(), max_output_bytes=1)
        .context(attempt())
        .directory
    )

    remove_tree_directory_if_empty(tmp_path, attempt().tree_id)

    assert not directory.exists()


def test_a_tree_directory_with_something_in_it_stays(tmp_path: Path) -> None:
    directory = (
        ContextSource(state=tmp_path, clock=SystemClock(), max_output_bytes=1)
        .context(attempt())
        .directory
    )
    (directory / "data.json").write_text("{}")

    remove_tree_directory_if_empty(tmp_path, attempt().tree_id)

    assert (directory / "data.json").exists()


def test_a_tree_without_a_directory_ends_too(tmp_path: Path) -> None:
    remove_tree_directory_if_empty(tmp_path, "none")

    assert list(tmp_path.iterdir()) == []
