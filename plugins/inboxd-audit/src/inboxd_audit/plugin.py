"""The hooks of the plugin: each fact that is told becomes a line of the record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inboxd import hookimpl
from inboxd_audit.record import Record
from inboxd_audit.settings import AuditSettings, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import click

    from inboxd import PluginConfiguration, ToldAttempt, ToldOutcome, ToldTask, ToldTree

__all__ = ["AuditPlugin", "plugin"]

#: Hooks that are wanted whatever the settings.
_ALWAYS = ("inboxd_commands",)
_ATTEMPTS = ("inboxd_task_starting", "inboxd_task_ended")
_REST = (
    "inboxd_daemon_started",
    "inboxd_daemon_stopping",
    "inboxd_tree_accepted",
    "inboxd_tree_ended",
    "inboxd_file_rejected",
)
#: So many errors of a rejected file are recorded; its receipt has them all.
_MOST_ERRORS = 10


class AuditPlugin:
    """Writes the record; all that is told comes on one thread."""

    def __init__(self) -> None:
        self.settings = AuditSettings()
        self._record: Record | None = None

    @hookimpl
    def inboxd_configure(self, configuration: PluginConfiguration) -> Iterable[str] | None:
        """Take `[plugins.audit]`; without a path nothing is recorded."""
        settings = self.settings = settings_of(configuration)
        self._record = None
        if settings.path is None:
            return _ALWAYS
        self._record = Record(settings.path, max_bytes=settings.max_bytes, keep=settings.keep)
        return (*_ALWAYS, *_REST, *(_ATTEMPTS if settings.attempts else ()))

    @hookimpl
    def inboxd_daemon_started(self) -> None:
        """Record a start."""
        self._add("daemon_started")

    @hookimpl
    def inboxd_daemon_stopping(self) -> None:
        """Record a stop."""
        self._add("daemon_stopping")
        if self._record is not None:
            self._record.close()

    @hookimpl
    def inboxd_tree_accepted(self, tree: ToldTree) -> None:
        """Record an accepted tree."""
        self._add(
            "tree_accepted",
            tree.accepted_at,
            tree_id=tree.tree_id,
            file=tree.file,
            name=tree.name,
            user_id=tree.user_id,
            owner=tree.owner,
            tasks=tree.task_count,
        )

    @hookimpl
    def inboxd_tree_ended(self, tree: ToldTree) -> None:
        """Record the end of a tree."""
        self._add(
            "tree_ended",
            tree.ended_at,
            tree_id=tree.tree_id,
            file=tree.file,
            status=tree.status,
            counts=dict(tree.counts),
        )

    @hookimpl
    def inboxd_file_rejected(self, receipt: Mapping[str, Any]) -> None:
        """Record a rejected file."""
        errors = receipt.get("errors", [])[:_MOST_ERRORS]
        self._add(
            "file_rejected",
            file=receipt.get("file"),
            sha256=receipt.get("sha256"),
            errors=[f"{one['pointer']}: {one['message']}" for one in errors],
        )

    @hookimpl
    def inboxd_task_starting(self, task: ToldTask, attempt: ToldAttempt) -> None:
        """Record the start of an attempt."""
        self._add(
            "task_starting",
            attempt.started_at,
            tree_id=task.tree_id,
            task=task.id,
            executor=task.executor,
            attempt=attempt.number,
            start_seq=attempt.start_seq,
        )

    @hookimpl
    def inboxd_task_ended(self, task: ToldTask, attempt: ToldAttempt, outcome: ToldOutcome) -> None:
        """Record the end of an attempt."""
        error = outcome.error or {}
        self._add(
            "task_ended",
            outcome.ended_at,
            tree_id=task.tree_id,
            task=task.id,
            executor=task.executor,
            attempt=attempt.number,
            status=outcome.status,
            code=error.get("code"),
            message=error.get("message"),
            retry_at=None if outcome.retry_at is None else _text(outcome.retry_at),
        )

    @hookimpl
    def inboxd_commands(self, cli: click.Group) -> None:
        """Add `inboxd audit`."""
        from inboxd_audit.verb import make_verb  # only when a verb is looked for

        cli.add_command(make_verb(self))

    def _add(self, event: str, at: datetime | None = None, **facts: Any) -> None:
        if self._record is not None:
            moment = datetime.now(UTC) if at is None else at
            self._record.add({"at": _text(moment), "event": event, **facts})


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


#: What the entry point names.
plugin = AuditPlugin()
