"""For all tests: no network, no pickle, no process left behind; the profiles of hypothesis."""

from __future__ import annotations

import compileall
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from .acceptance.real_daemon import NURSERY

if TYPE_CHECKING:
    from collections.abc import Iterator

# The machine may be busy, so no example has a deadline: the test's own time limit holds.
hypothesis.settings.register_profile("local", deadline=None)
# CI tries the same examples each time: what it finds is the change's doing.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """
    Compile the sources once, before the workers of pytest-xdist start.

    Where PYTHONDONTWRITEBYTECODE is set, as in many images for CI, each of the hundreds of
    processes that tests start would compile all of inboxd again: more than half of its start
    (measured: 1.0 s instead of 0.6 s of CPU).
    """
    if not hasattr(config, "workerinput"):
        for sources in (ROOT / "daemon", *ROOT.glob("plugins/*/src")):
            compileall.compile_dir(sources, quiet=2)


_LOOPBACK = ("127.", "::1", "localhost")


class ForbiddenError(Exception):
    """A test did what no test may do."""


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse connections that leave the machine, and the unpickling of classes (audit events)."""
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
            raise ForbiddenError(f"a test connects to {address[0]}: tests use no network")
    elif event == "pickle.find_class":
        raise ForbiddenError(f"a test unpickles {arguments}: pickle is used nowhere (ADR 0002)")


sys.addaudithook(_refuse)


def _children() -> dict[int, str]:
    """Return the living processes whose parent this process is, with their command lines."""
    found: dict[int, str] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                words = (directory / "cmdline").read_bytes().split(b"\0")
                found[int(directory.name)] = " ".join(map(os.fsdecode, words)).strip()
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue
    return found


@pytest.fixture(scope="session", autouse=True)
def no_other_daemon_is_seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the daemons of this machine: a verb without `--state` would look for them."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("runtime"))
    yield
    if before is None:
        del os.environ["XDG_RUNTIME_DIR"]
    else:
        os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(scope="session", autouse=True)
def no_process_outlives_the_tests() -> Iterator[None]:
    """
    Fail the run when a test leaves a living child process behind.

    A runner in this process made it a subreaper, so what a killed daemon of another test left
    becomes a child as well. Zombies do not count: nobody here waits for those.
    """
    before = _children()
    yield
    left = {pid: name for pid, name in _children().items() if pid not in before}
    for pid in left:
        os.kill(pid, signal.SIGKILL)

    assert left == {}, "the tests left these processes behind"


@pytest.fixture(scope="session", autouse=True)
def no_nursery_is_left(no_process_outlives_the_tests: None) -> Iterator[None]:
    """End the process that daemons are forked from, if any was needed."""
    yield
    NURSERY.close()
