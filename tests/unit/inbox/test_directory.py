from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from inboxd.config.settings import InboxSettings
from inboxd.errors import ConfigurationError, InboxInUse
from inboxd.inbox.directory import open_inbox

from .descriptors import open_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inboxd.inbox.directory import OpenInbox

is_root = os.geteuid() == 0


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., OpenInbox]]:
    """Open `tmp_path/inbox`, and close it when the test is over."""
    inboxes: list[OpenInbox] = []

    def open_it(**settings: object) -> OpenInbox:
        values = {"path": tmp_path / "inbox", **settings}
        inboxes.append(open_inbox(InboxSettings(**values), make=True))  # type: ignore[arg-type] # settings by name
        return inboxes[-1]

    yield open_it
    for inbox in inboxes:
        if os.path.exists(f"/proc/self/fd/{inbox.lock}"):  # noqa: PTH110 - a descriptor
            inbox.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_directories_are_made_with_their_rights_whatever_the_umask(
    tmp_path: Path, opened: Callable[..., OpenInbox], umask: int
) -> None:
    (tmp_path / "inbox").mkdir(mode=0o770)
    before = os.umask(umask)
    try:
        opened()
    finally:
        os.umask(before)

    assert {path.name: oct(mode_of(path)) for path in (tmp_path / "inbox").iterdir()} == {
        ".claimed": "0o700",
        "accepted": "0o2750",
        "rejected": "0o2750",
        "results": "0o2750",
    }


@pytest.mark.skipif(not is_root, reason="only root may give a directory to another group")
def test_the_answers_belong_to_the_inbox_s_group(
    tmp_path: Path, opened: Callable[..., OpenInbox]
) -> None:
    (tmp_path / "inbox").mkdir(mode=0o770)
    os.chown(tmp_path / "inbox", -1, 4242)
    opened()

    assert [
        (tmp_path / "inbox" / name).stat().st_gid for name in ("accepted", "rejected", "results")
    ] == [4242, 4242, 4242]


def test_an_inbox_that_is_missing_is_made_at_start_only(tmp_path: Path) -> None:
    settings = InboxSettings(path=tmp_path / "deep" / "inbox")
    with pytest.raises(FileNotFoundError):
        open_inbox(settings, make=False)
    open_inbox(settings, make=True).close()

    assert (tmp_path / "deep" / "inbox" / "accepted").is_dir()


def test_a_second_daemon_on_the_inbox_is_refused(opened: Callable[..., OpenInbox]) -> None:
    first = opened()
    with pytest.raises(InboxInUse, match=f"process {os.getpid()}") as caught:
        opened()
    first.close()
    opened()

    assert caught.value.exit_code == 73


@pytest.mark.parametrize("name", [".claimed", "accepted", "rejected", "results"])
def test_a_subdirectory_that_is_a_symlink_is_refused(
    tmp_path: Path, opened: Callable[..., OpenInbox], name: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="not a symlink"):
        opened()

    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(not is_root, reason="only root may give a directory away")
def test_a_subdirectory_of_somebody_else_is_refused(
    tmp_path: Path, opened: Callable[..., OpenInbox]
) -> None:
    (tmp_path / "inbox" / "accepted").mkdir(parents=True)
    os.chown(tmp_path / "inbox" / "accepted", 4242, -1)

    with pytest.raises(ConfigurationError, match="belongs to user 4242"):
        opened()


def test_rights_that_let_others_forge_answers_are_mended(
    tmp_path: Path, opened: Callable[..., OpenInbox]
) -> None:
    for name in (".claimed", "accepted", "rejected"):
        (tmp_path / "inbox" / name).mkdir(parents=True)
    (tmp_path / "inbox" / ".claimed").chmod(0o755)
    (tmp_path / "inbox" / "accepted").chmod(0o777)
    (tmp_path / "inbox" / "rejected").chmod(0o755)
    opened()

    assert mode_of(tmp_path / "inbox" / ".claimed") == 0o700
    assert mode_of(tmp_path / "inbox" / "accepted") == 0o2750
    assert mode_of(tmp_path / "inbox" / "rejected") == 0o755, "the operator's choice"


@pytest.mark.parametrize(
    ("mode", "allow_world", "owners", "is_open"),
    [
        (0o770, False, (), True),
        (0o3770, False, (), True),
        (0o777, False, (), False),
        (0o1777, False, (), False),
        (0o777, True, (), False),
        (0o777, False, ("0",), False),
        (0o777, True, ("0",), True),
        (0o702, False, (), False),
    ],
)
def test_an_inbox_that_everybody_may_write_to_needs_two_settings(
    tmp_path: Path,
    opened: Callable[..., OpenInbox],
    mode: int,
    allow_world: bool,
    owners: tuple[str, ...],
    is_open: bool,
) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox").chmod(mode)
    if is_open:
        opened(allow_world=allow_world, allowed_owners=owners)
        return
    with pytest.raises(ConfigurationError, match="chmod o-w"):
        opened(allow_world=allow_world, allowed_owners=owners)

    assert list((tmp_path / "inbox").iterdir()) == [], "nothing was made in it"


@pytest.mark.parametrize(("mode", "is_open"), [(0o777, False), (0o1777, True), (0o775, True)])
def test_a_parent_in_which_everybody_may_rename_is_refused(
    tmp_path: Path, mode: int, is_open: bool
) -> None:
    parent = tmp_path / "parent"
    (parent / "inbox").mkdir(parents=True)
    parent.chmod(mode)
    settings = InboxSettings(path=parent / "inbox")
    if is_open:
        open_inbox(settings, make=True).close()
        return

    with pytest.raises(ConfigurationError, match=r"chmod \+t"):
        open_inbox(settings, make=True)


def test_unfinished_answers_go_at_start_and_nothing_else_does(
    tmp_path: Path, opened: Callable[..., OpenInbox]
) -> None:
    results = tmp_path / "inbox" / "results"
    results.mkdir(parents=True)
    for name in (".unfinished-1", ".gitkeep", "a.result.json"):
        (results / name).touch()
    (results / ".unfinished-directory").mkdir()
    opened()

    assert sorted(path.name for path in results.iterdir()) == [
        ".gitkeep",
        ".unfinished-directory",
        "a.result.json",
    ]


def test_an_inbox_is_current_until_its_path_leads_elsewhere_or_a_part_is_removed(
    tmp_path: Path, opened: Callable[..., OpenInbox]
) -> None:
    first = opened()
    was_current = first.is_current()
    (tmp_path / "inbox").rename(tmp_path / "away")
    when_away = first.is_current()
    second = opened()
    (tmp_path / "inbox" / "rejected").rmdir()

    assert (was_current, when_away) == (True, False)
    assert not second.is_current()


def test_the_clock_of_the_file_system_stamps_files_like_the_inbox_s(
    tmp_path: Path, opened: Callable[..., OpenInbox]
) -> None:
    inbox = opened()
    before = inbox.file_system_now_ns()
    (tmp_path / "inbox" / "a.json").touch()
    after = inbox.file_system_now_ns()

    assert before <= (tmp_path / "inbox" / "a.json").stat().st_mtime_ns <= after


def test_a_failed_opening_leaves_no_descriptor_behind(
    tmp_path: Path, opened: Callable[..., OpenInbox]
) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "results").symlink_to(tmp_path)
    before = open_descriptors()
    with pytest.raises(ConfigurationError):
        opened()

    assert open_descriptors() == before
