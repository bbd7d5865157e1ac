"""Daemons for the acceptance tests, ended whatever the test does."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

import pytest

from .real_daemon import RealDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class MakeDaemon(Protocol):
    """Makes a daemon in a directory of its own; it is not started."""

    def __call__(self, **settings: object) -> RealDaemon: ...


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[MakeDaemon]:
    made: list[RealDaemon] = []
    numbers = itertools.count()

    def make(**settings: object) -> RealDaemon:
        directory = tmp_path / f"daemon-{next(numbers)}"
        directory.mkdir()
        made.append(RealDaemon(directory, **settings))
        return made[-1]

    yield make
    for daemon in made:
        daemon.end()
