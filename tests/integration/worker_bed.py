"""A runner with the executors `sample` and `broken`, which run in worker processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxd.running.process_table import every_process, process_facts
from inboxd.running.worker_messages import WorkerSource

from ..unit.running.runner_bed import RunnerBed, attempt, until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.running.attempt import Attempt
    from inboxd.task import Outcome

__all__ = ["PLUGINS", "WorkerBed", "is_alive", "workers_of"]

#: Where the workers' plugins lie; on `sys.path` while a bed is made, as an installed plugin is.
PLUGINS = Path(__file__).parent / "worker_plugins"


class _InWorker:
    """What the daemon knows of an executor: nothing of it runs here."""

    description = "Runs in a worker process."
    inputs_schema: Mapping[str, Any] | None = None
    isolation = "process"

    def __init__(self, name: str, max_memory_bytes: int | None = None) -> None:
        self.name = name
        self.max_memory_bytes = max_memory_bytes

    def execute(self, inputs: dict[str, Any], context: object) -> Any:
        raise AssertionError("it runs in the daemon")


def _source(name: str, value: str) -> WorkerSource:
    return WorkerSource(executor=name, group="inboxd", name=name, value=value)


class WorkerBed(RunnerBed):
    """Runs deeds of `worker_plugins/worker_sample.py`."""

    def __init__(
        self, state: Path, *, max_memory_bytes: int | None = None, **settings: Any
    ) -> None:
        names = ("sample", "broken", "gone", "unknown")
        super().__init__(
            state,
            executors=[_InWorker(name, max_memory_bytes) for name in names],
            sources={
                "sample": _source("sample", "worker_sample:sample"),
                "broken": _source("broken", "worker_broken"),
                "gone": _source("gone", "worker_sample:sample"),
            },
            **settings,
        )
        self.tree = state / "trees" / attempt().tree_id
        self._position = 0

    def __enter__(self) -> WorkerBed:
        sys.path.append(str(PLUGINS))
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        sys.path.remove(str(PLUGINS))

    def attempt(self, deed: str, *, timeout: float | None = None, **inputs: Any) -> Attempt:
        """Return an attempt of a task of its own."""
        self._position += 1
        return attempt(
            "sample", {"do": deed, **inputs}, position=self._position, timeout_seconds=timeout
        )

    def do(self, deed: str, **inputs: Any) -> Outcome:
        """Run a deed and return its outcome."""
        return self.run(self.attempt(deed, **inputs))[0]

    def output(self, position: int = 1) -> tuple[str, str]:
        """Return what an attempt wrote to stdout and stderr."""
        stem = self.state / "attempts" / attempt().tree_id / "0" / f"{position}.1"
        texts = [Path(f"{stem}.{end}").read_text() for end in ("out", "err")]
        return texts[0], texts[1]

    def wait_for(self, name: str) -> str:
        """Return the text of a file in the tree's directory once it is there."""
        until((self.tree / name).exists)
        return (self.tree / name).read_text()


def is_alive(pid: int) -> bool:
    facts = process_facts(pid)
    return facts is not None and facts.state != "Z"


def workers_of(parent: int) -> list[int]:
    """Return the worker processes below a process, dead ones not counted."""
    found: list[int] = []
    for pid in every_process():
        facts = process_facts(pid)
        if facts is None or facts.parent != parent or facts.state == "Z":
            continue
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"inboxd.running.worker_main" in words:
            found.append(pid)
    return found
