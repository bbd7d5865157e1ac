"""The fixtures for pytest: `from inboxd.testing.fixtures import inboxd_daemon, …`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

import pytest

from inboxd.testing.daemon import DaemonUnderTest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["MakeDaemon", "inboxd_daemon", "inboxd_plugins", "make_inboxd_daemon"]


class MakeDaemon(Protocol):
    """Makes daemons, each on a directory of its own, and starts them."""

    def __call__(self, *plugins: object, config: str = "") -> DaemonUnderTest:
        """See `DaemonUnderTest`."""
        ...


@pytest.fixture
def inboxd_plugins() -> Sequence[object]:
    """The plugins of `inboxd_daemon`; write your own to give objects in place of what is there."""
    return ()


@pytest.fixture
def make_inboxd_daemon(tmp_path: Path) -> Iterator[MakeDaemon]:
    """What makes daemons with plugins and settings of your choice; they are stopped at last."""
    made: list[DaemonUnderTest] = []
    numbers = itertools.count(1)

    def make(*plugins: object, config: str = "") -> DaemonUnderTest:
        directory = tmp_path / f"inboxd-{next(numbers)}"
        directory.mkdir()
        daemon = DaemonUnderTest(directory, *plugins, config=config)
        made.append(daemon)
        daemon.start()
        return daemon

    yield make
    for daemon in made:
        daemon.stop()


@pytest.fixture
def inboxd_daemon(
    make_inboxd_daemon: MakeDaemon, inboxd_plugins: Sequence[object]
) -> DaemonUnderTest:
    """A daemon that runs, with the plugins that are installed, or those of `inboxd_plugins`."""
    return make_inboxd_daemon(*inboxd_plugins)
