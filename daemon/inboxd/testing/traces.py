"""What an executor may leave behind: threads, processes, descriptors, tasks, other settings."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import cast

__all__ = ["Traces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What this process has at one moment, each with its name for people."""

    threads: dict[int, str]
    children: dict[int, str]
    descriptors: dict[int, str]
    #: What is on event loops and not done.
    tasks: dict[int, str]
    #: What all threads of the process share: by what it is.
    shared: dict[str, str]

    @classmethod
    def now(cls) -> Traces:
        """Look."""
        return cls(
            threads=_threads(),
            children=_children(),
            descriptors=_descriptors(),
            tasks=_tasks(),
            shared=_shared(),
        )

    def since(self, before: Traces) -> list[str]:
        """Return what is here that was not there before, a line each."""
        return [
            *_new("thread", self.threads, before.threads),
            *_new("child process", self.children, before.children),
            *_new("open descriptor", self.descriptors, before.descriptors),
            *_new("asyncio task", self.tasks, before.tasks),
            *_changed(self.shared, before.shared),
        ]


def _new(kind: str, now: dict[int, str], before: dict[int, str]) -> list[str]:
    return [
        f"{kind} {number}: {name}" for number, name in now.items() if before.get(number) != name
    ]


def _changed(now: dict[str, str], before: dict[str, str]) -> list[str]:
    names = sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))
    return [f"changed {name}: {now.get(name, 'gone')}" for name in names]


def _tasks() -> dict[int, str]:
    found: dict[int, str] = {}
    # Of any loop, in any thread; by type, so that nothing of a foreign object runs.
    for one in gc.get_objects():
        if issubclass(type(one), asyncio.Task):
            task = cast("asyncio.Task[object]", one)
            if not task.done():
                found[id(task)] = getattr(task.get_coro(), "__qualname__", task.get_name())
    return found


def _shared() -> dict[str, str]:
    status = Path("/proc/self/status").read_text()
    umask = next(line for line in status.splitlines() if line.startswith("Umask:"))
    variables = {f"os.environ[{name!r}]": value for name, value in os.environ.items()}
    return {
        **variables,
        "working directory": str(Path("/proc/self/cwd").readlink()),  # it may be gone
        "umask": umask.partition(":")[2].strip(),
    }


def _threads() -> dict[int, str]:
    return {thread.ident or 0: thread.name for thread in threading.enumerate()}


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


def _descriptors() -> dict[int, str]:
    found: dict[int, str] = {}
    for path in Path("/proc/self/fd").iterdir():
        try:
            target = str(path.readlink())
        except FileNotFoundError:  # the one that lists them
            continue
        if not target.startswith(f"/proc/{os.getpid()}/fd"):
            found[int(path.name)] = target
    return found
