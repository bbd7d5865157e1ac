"""A whole daemon in the process of a test, on a directory of its own."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from inboxd.config.load import load_settings
from inboxd.daemon import Daemon
from inboxd.errors import PluginError
from inboxd.running.logs import attempt_log_paths
from inboxd.store.reader import StoreReader
from inboxd.store.tables import TaskState
from inboxd.task import TERMINAL_STATUSES
from inboxd.testing.clock import MovableClock
from inboxd.testing.failures import FileRejected, NotEnded
from inboxd.testing.given import forget, installed_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from inboxd.config.settings import Settings
    from inboxd.plugins.manager import Plugins

__all__ = ["LIMIT_SECONDS", "DaemonUnderTest", "DroppedFile", "wait_until"]

#: A wait that says nothing else lasts no longer; the machine may be busy.
LIMIT_SECONDS = 30.0

_LOOK_SECONDS = 0.005

#: Tasks in these states start as soon as they are due.
_STARTABLE = (TaskState.PARKED, TaskState.READY, TaskState.WAITING)


def wait_until(
    is_so: Callable[[], object],
    what: str | Callable[[], str],
    limit_seconds: float = LIMIT_SECONDS,
) -> None:
    """
    Look again and again until something is so.

    Args:
        is_so: looked at every few milliseconds.
        what: what was waited for, for the error.
        limit_seconds: no longer than this.

    Raises:
        NotEnded: it was not so in time.
    """
    pause = threading.Event()
    end = time.monotonic() + limit_seconds
    while not is_so():
        if time.monotonic() >= end:
            told = what if isinstance(what, str) else what()
            raise NotEnded(f"waited {limit_seconds:g} s in vain: {told}")
        pause.wait(_LOOK_SECONDS)


class DroppedFile:
    """A file that was dropped into the inbox of a daemon under test."""

    def __init__(self, daemon: DaemonUnderTest, name: str) -> None:
        self._daemon = daemon
        #: As it was dropped.
        self.name = name

    def receipt(self, limit_seconds: float = LIMIT_SECONDS) -> dict[str, Any]:
        """
        Return the receipt, of an accepted file or of a rejected one, once it is there.

        Raises:
            NotEnded: it was not there in time.
        """
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            receipt = self._daemon.receipt(self.name)
            if receipt is not None:
                found.append(receipt)
            return receipt is not None

        wait_until(is_there, f"a receipt of {self.name}", limit_seconds)
        return found[0]

    @property
    def tree_id(self) -> str:
        """
        The id of its tree, once it was accepted.

        Raises:
            FileRejected: it was not.
        """
        receipt = self.receipt()
        if not receipt["accepted"]:
            raise FileRejected(receipt["errors"], self._daemon.broken_plugins())
        tree_id: str = receipt["tree_id"]
        return tree_id

    def errors(self) -> list[dict[str, Any]]:
        """
        Return why it was rejected, once it was.

        Raises:
            AssertionError: it was accepted.
        """
        receipt = self.receipt()
        if receipt["accepted"]:
            raise AssertionError(f"{self.name} was accepted, as tree {receipt['tree_id']}")
        errors: list[dict[str, Any]] = receipt["errors"]
        return errors

    def result(self, limit_seconds: float = LIMIT_SECONDS) -> dict[str, Any]:
        """
        Return the result file, once every task has ended.

        Raises:
            FileRejected: it was not accepted.
            NotEnded: its tasks did not end in time; the text says what each waits for.
        """
        found: list[dict[str, Any]] = []
        tree_id = self.tree_id

        def is_there() -> bool:
            result = self._daemon.result(self.name)
            if result is not None and result["tree_id"] == tree_id:
                found.append(result)
            return bool(found)

        wait_until(is_there, lambda: self._daemon.waiting_for(tree_id), limit_seconds)
        return found[0]


class DaemonUnderTest:
    """
    The daemon as it is, in this process: a real inbox, a real database, real executors.

    A context manager; `start` and `stop` may be called again and again, on the same state.
    """

    def __init__(
        self,
        directory: Path,
        *plugins: object,
        config: str = "",
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        """
        Make one; it is not started.

        Args:
            directory: for its inbox, state and configuration.
            plugins: modules, executors or other objects with hooks, which are loaded beside what
                inboxd brings. Without any, all plugins that are installed are loaded.
            config: the text of its `inboxd.toml`.
            overrides: settings that count more than that, by `section.key`: `{"run.places": "1"}`.
        """
        self.directory = directory
        self.inbox = directory / "inbox"
        self.state = directory / "state"
        #: Dates move with it, see `MovableClock`.
        self.clock = MovableClock(self._wake)
        self._given = plugins
        self._config = directory / "inboxd.toml"
        self._config.write_text(config)
        self._overrides = dict(overrides or {})
        self.inbox.mkdir(mode=0o755, exist_ok=True)
        self._numbers = itertools.count(1)
        self._dropped: list[str] = []
        self._daemon: Daemon | None = None
        self._points: list[EntryPoint] | None = None

    def __enter__(self) -> DaemonUnderTest:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def settings(self) -> Settings:
        """All its settings."""
        own = {name: text for name, text in os.environ.items() if not name.startswith("INBOXD_")}
        return load_settings(
            config=self._config,
            overrides={
                **self._overrides,
                "inbox.path": str(self.inbox),
                "state.path": str(self.state),
            },
            environ=own,
            cwd=self.directory,
        )

    @property
    def plugins(self) -> Plugins:
        """What it loaded."""
        if self._daemon is None:
            raise RuntimeError("the daemon does not run: start it")
        return self._daemon.plugins

    def start(self) -> None:
        """
        Start it; return when files are taken.

        Raises:
            InboxdError: it cannot run so.
            PluginError: a plugin that was given is broken.
        """
        if self._daemon is not None:
            return
        points = self._points = installed_with(self._given) if self._given else None
        daemon = Daemon(self.settings, clock=self.clock, installed=points, is_listed=False)
        daemon.start()
        self._daemon = daemon
        broken = [one for one in self.plugins.broken if points is not None]
        if broken:
            self.stop()
            told = (f"{one.name}: {one.reason}\n{one.traceback or ''}".rstrip() for one in broken)
            raise PluginError("\n".join(told))

    def stop(self, *, drain: bool = False) -> None:
        """Stop it: what runs is ended at once, or with *drain* has its time to end."""
        if self._daemon is None:
            return
        daemon, self._daemon = self._daemon, None
        if not drain:
            daemon.cut()
        daemon.stop()
        forget(self._points or ())

    def drop(self, array: object, name: str | None = None) -> DroppedFile:
        """
        Drop a file by rename, and return at once.

        Args:
            array: a list of tasks or an envelope, written as JSON; a text or bytes as they are.
            name: of the file; by default a new one each time.
        """
        file = name or f"dropped-{next(self._numbers)}.json"
        content = array if isinstance(array, bytes | str) else json.dumps(array)
        hidden = self.inbox / f".{file}"
        hidden.write_bytes(content.encode() if isinstance(content, str) else content)
        hidden.rename(self.inbox / file)
        self._dropped.append(file)
        return DroppedFile(self, file)

    def run(
        self, array: object, name: str | None = None, *, limit_seconds: float = LIMIT_SECONDS
    ) -> dict[str, Any]:
        """
        Drop a file, and return its result file once every task has ended, however they ended.

        Raises:
            FileRejected: it was not accepted.
            NotEnded: its tasks did not end in time.
        """
        return self.drop(array, name).result(limit_seconds)

    def wait_until_waiting(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        """
        Wait until every file is taken and nothing runs or can start, as before the clock is moved.

        Raises:
            NotEnded: something went on all that time.
        """

        def is_waiting() -> bool:
            if any(self.receipt(name) is None for name in self._dropped):
                return False
            now = self.clock.now_micros()
            with StoreReader(self.settings.store.url) as reader:
                return not any(
                    task.state is TaskState.IN_PROGRESS
                    or (task.state in _STARTABLE and task.due_at <= now)
                    for tree in reader.open_trees(1_000)
                    for task in reader.tree_tasks(tree)
                )

        wait_until(is_waiting, "nothing runs and nothing can start", limit_seconds)

    def receipt(self, name: str) -> dict[str, Any] | None:
        """Return the receipt of a file, None as long as there is none."""
        for directory in ("accepted", "rejected"):
            found = _read(self.inbox / directory / f"{_stem(name)}.receipt.json")
            if found is not None:
                return found
        return None

    def result(self, name: str) -> dict[str, Any] | None:
        """Return the result file of a file, None as long as there is none."""
        return _read(self.inbox / "results" / f"{_stem(name)}.result.json")

    def log(self, task: str, *, attempt: int | None = None, tree: str = "@") -> str:
        """
        Return what an attempt wrote: its stdout, then its stderr.

        Args:
            task: its id.
            attempt: its number; by default the newest.
            tree: its id, or the name of its file; by default the newest tree.
        """
        with StoreReader(self.settings.store.url) as reader:
            found_tree = reader.find_tree(tree)
            found = reader.find_task(found_tree, task)
        paths = attempt_log_paths(
            self.state, found_tree.id, found.position, attempt or found.attempts
        )
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())

    def statuses(self, tree: str = "@") -> dict[str, str]:
        """
        Return the status of each task by its id, as it is now.

        Args:
            tree: its id, or the name of its file; by default the newest tree.
        """
        with StoreReader(self.settings.store.url) as reader:
            return {task.id: task.status for task in reader.tree_tasks(reader.find_tree(tree))}

    def waiting_for(self, tree_id: str) -> str:
        """Return what each task that has not ended waits for, a line each."""
        lines = ["every task of the tree ends"]
        with StoreReader(self.settings.store.url) as reader:
            tree = reader.find_tree(tree_id)
            for task in itertools.islice(reader.tree_tasks(tree), 1_000):
                reason = reader.task_reason(tree, task, now=self.clock.now_micros())
                if task.status not in TERMINAL_STATUSES:
                    lines.append(f"  {task.id}: {reason or 'in progress'}")
        return "\n".join(lines)

    def broken_plugins(self) -> str:
        """Return a line for each plugin that is broken; empty when none is."""
        broken = () if self._daemon is None else self.plugins.broken
        return "\n".join(f"the plugin {one.name} is broken: {one.reason}" for one in broken)

    def _wake(self) -> None:
        if self._daemon is not None:
            self._daemon.wake()


def _stem(name: str) -> str:
    """Return what the answers to a file are named by: a suffix of a plugin stays."""
    return name.removesuffix(".json")


def _read(path: Path) -> dict[str, Any] | None:
    """Return a file that appears whole, or None."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return found
