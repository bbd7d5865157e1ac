"""Plugins as they are installed: a directory on PYTHONPATH with modules and their metadata."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RECORDER", "PluginSite"]

_IMPORTS = """\
from __future__ import annotations
import json, os, sys, threading, time
from inboxd import Problem, hookimpl
"""

#: Writes every hook that tells into `$RECORD`, a line each, with one write.
RECORDER = """
def record(hook, **facts):
    # What is on disk when the hook is called is part of what it was told.
    results = os.path.join(os.environ["INBOX"], "results")
    facts["results"] = sorted(os.listdir(results)) if os.path.isdir(results) else []
    line = json.dumps({"hook": hook, **facts}) + "\\n"
    with open(os.environ["RECORD"], "ab", 0) as file:
        file.write(line.encode())

@hookimpl
def inboxd_daemon_started():
    record("daemon_started")

@hookimpl
def inboxd_file_rejected(receipt):
    record("file_rejected", file=receipt["file"], code=receipt["errors"][0]["code"])

@hookimpl
def inboxd_tree_accepted(tree):
    record("tree_accepted", file=tree.file, tasks=tree.task_count, owner=tree.owner,
           metadata=dict(tree.metadata))

@hookimpl
def inboxd_task_starting(task, attempt):
    record("task_starting", task=task.id, attempt=attempt.number)

@hookimpl
def inboxd_task_ended(task, attempt, outcome):
    record("task_ended", task=task.id, attempt=attempt.number, status=outcome.status,
           result=outcome.result(), error=outcome.error and outcome.error["code"],
           again=outcome.retry_at is not None)

@hookimpl
def inboxd_tree_ended(tree):
    import io
    document = io.BytesIO()
    tree.write_result(document)
    record("tree_ended", file=tree.file, name=tree.name, status=tree.status,
           counts=dict(tree.counts), document=json.loads(document.getvalue())["tree_id"],
           tree=tree.tree_id)

@hookimpl
def inboxd_daemon_stopping():
    record("daemon_stopping")
"""


class PluginSite:
    """A place where plugins are installed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def install(self, name: str, source: str, *, distribution: str | None = None) -> None:
        """Install a distribution with one module behind one entry point."""
        self.write_module(name, source)
        self.write_metadata(distribution or name, f"[inboxd]\n{name} = {name}\n")

    def write_module(self, name: str, source: str) -> None:
        (self.path / f"{name}.py").write_text(_IMPORTS + source)

    def write_metadata(self, distribution: str, entry_points: str) -> None:
        info = self.path / f"{distribution}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(entry_points)

    def remove(self, name: str) -> None:
        """Uninstall what `install` installed."""
        (self.path / f"{name}.py").unlink()
        shutil.rmtree(self.path / f"{name}-1.0.dist-info")

    @property
    def record(self) -> Path:
        """Where the recorder writes."""
        return self.path / "record"

    def told(self, *hooks: str) -> list[dict[str, Any]]:
        """Return what the recorder was told, of some hooks or of all, in order."""
        if not self.record.exists():
            return []
        lines = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [line for line in lines if not hooks or line["hook"] in hooks]
