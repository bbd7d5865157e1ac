"""
Every setting with its meaning and default: the one place that says so.

`config/inboxd.toml` and `docs/reference/settings.md` are rendered from these classes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ControlSettings",
    "ExecutorSettings",
    "InboxSettings",
    "LogSettings",
    "NotifySettings",
    "PluginSettings",
    "RunSettings",
    "Settings",
    "StateSettings",
    "StoreSettings",
    "default_places",
]


def default_places() -> int:
    """Return twice the CPUs this process may use, at least 4."""
    return max(4, 2 * len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxSettings:
    """`[inbox]`: the directory that files are dropped in."""

    #: The inbox. Default: `inbox` in the state directory.
    path: Path
    #: How long a file written in place must rest before it is taken.
    settle_seconds: float = 2.0
    #: The inbox is looked through at least this often, events or not.
    scan_interval_seconds: float = 30.0
    #: A larger file is refused before it is read.
    max_file_bytes: int = 256 * 1024 * 1024
    #: Deeper nesting in a file is refused.
    max_depth: int = 64
    #: A file with more tasks is refused.
    max_tasks: int = 1_000_000
    #: Names or numbers of the users whose files are taken; empty: whoever the directory admits.
    allowed_owners: tuple[str, ...] = ()
    #: Run on an inbox that every user of the machine may write to (needs `allowed_owners`).
    allow_world: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """`[store]`: the database."""

    #: SQLAlchemy's form; `sqlite:///relative` starts at the file that says so.
    #: Default: `inboxd.db` in the state directory.
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """`[run]`: how tasks are run."""

    #: Commands, threads and worker processes at one time. Default: twice the CPUs, at least 4.
    places: int = field(default_factory=default_places)
    #: Executors on the event loop at one time.
    async_places: int = 1_000
    #: A task that crashes of the daemon cut is run again at most so many times.
    max_interruptions: int = 5
    #: Between SIGTERM and SIGKILL, when a command is ended.
    grace_seconds: float = 10.0
    #: After a stop was asked for, running tasks have this long to end by themselves.
    drain_timeout_seconds: float = 30.0
    #: The time limit of a task that says none; `none`: no limit.
    default_timeout_seconds: float | None = None
    #: Of each attempt's stdout and stderr this much is kept; the middle of more is dropped.
    max_output_bytes: int = 16 * 1024 * 1024
    #: A larger result fails the attempt (`result_too_large`).
    max_result_bytes: int = 1024 * 1024
    #: What commands get besides PATH HOME USER LANG TZ: `NAME` hands the daemon's own value on,
    #: `NAME=value` sets one.
    environment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSettings:
    """`[state]`: what the daemon keeps."""

    #: Database, logs of attempts, directories of trees; owned by one daemon.
    #: Default: `inboxd` in the user's directory for state.
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """`[control]`: the socket at which the daemon is asked and told."""

    #: At most 100 bytes. `auto`: a name of its own in the runtime directory.
    socket: Path | Literal["auto"] = "auto"
    #: Who may look: users by name or number, groups as `@name` or `@number`. The daemon's own user
    #: and root always may do everything.
    readers: tuple[str, ...] = ()
    #: Who may look. Trees are handed in through the inbox, by its own permissions, so that this
    #: gives no more than `readers`.
    submitters: tuple[str, ...] = ()
    #: Who may look and cancel, retry, release, pause, resume and give priorities.
    operators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSettings:
    """`[plugins]`: which installed plugins are loaded, by the names of their entry points."""

    #: Patterns as of a shell; a plugin that matches none is not loaded.
    allow: tuple[str, ...] = ("*",)
    #: Names or patterns that are not loaded even so.
    disable: tuple[str, ...] = ()
    #: Each program in it is an executor of its name; `none`: there are no such executors.
    directory: Path | None = None
    #: The tables `[plugins.NAME]`, by the name of the plugin's entry point.
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, "Mapping[str, Any]"])
    #: The file or the variable that says each setting in these, for errors.
    sources: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, "Mapping[str, str]"], compare=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """`[notify]`: a program that is run when a tree ended or a file was rejected."""

    #: The program and its arguments, no shell; it reads the result or the receipt as JSON on
    #: stdin. Empty: nobody is notified.
    argv: tuple[str, ...] = ()
    #: What it is run for: trees that ended so, and files that were rejected.
    on: tuple[Literal["failed", "rejected", "cancelled", "completed"], ...] = (
        "failed",
        "rejected",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """`[log]`: what the daemon says of itself."""

    #: Records less grave than this are left out.
    level: Literal["debug", "info", "warning", "error"] = "info"
    #: `auto`: the live view on a terminal, plain lines elsewhere; `plain`: lines; `json`: one
    #: object a line.
    format: Literal["auto", "plain", "json"] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSettings:
    """`[executors.NAME]`: one executor."""

    #: False: a task that names it is refused as `unknown_executor`.
    enabled: bool = True
    #: Everything else in the table: the executor's own settings, values as TOML gives them.
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    #: The file or the variable that says each of them, for errors.
    sources: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, complete and with absolute paths."""

    inbox: InboxSettings
    store: StoreSettings
    state: StateSettings
    run: RunSettings = field(default_factory=RunSettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    plugins: PluginSettings = field(default_factory=PluginSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    log: LogSettings = field(default_factory=LogSettings)
    executors: dict[str, ExecutorSettings] = field(default_factory=dict[str, ExecutorSettings])
    #: The main file, which need not exist when nobody named it; None: not known.
    config: Path | None = None
    #: The files that were read, in order; empty when there was none.
    files: tuple[Path, ...] = ()
