"""One change of the environment: look, run the installer, look again, say what changed."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.output import note, print_json, problem
from inboxd.cli.packages.restarting import concerned, restart_lines
from inboxd.cli.packages.snapshot import Change, changes, take_snapshot
from inboxd.errors import InboxdError
from inboxd.names import escaped
from inboxd.registry import running_instances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.cli.options import Where
    from inboxd.cli.packages.environment import Installer
    from inboxd.cli.packages.snapshot import Snapshot
    from inboxd.registry import RunningInstance

__all__ = ["change_packages", "run_installer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """What became of it."""

    command: list[str]
    installer_exit: int
    before: Snapshot
    after: Snapshot

    @property
    def changed(self) -> list[Change]:
        return changes(self.before, self.after)

    def plugins(self, snapshot: Snapshot, key: str) -> dict[str, dict[str, Any]]:
        """Return what `plugins --json` lists under a key, by name."""
        found: list[dict[str, Any]] = [] if snapshot.plugins is None else snapshot.plugins[key]
        return {one["name"]: one for one in found}

    @property
    def newly_broken(self) -> list[dict[str, Any]]:
        if self.after.plugins is None:
            return []
        known = (self.before.plugins or {}).get("broken", [])
        reasons = {(one["name"], one["reason"]) for one in known}
        return [
            one for one in self.after.plugins["broken"]
            if (one["name"], one["reason"]) not in reasons
        ]  # fmt: skip


def run_installer(command: Sequence[str]) -> int:
    """Show a command line, run it with all that it says on stderr, and return its exit code."""
    note(f"+ {escaped(shlex.join(command))}")
    sys.stderr.flush()
    return subprocess.run(command, stdout=sys.stderr.fileno(), check=False).returncode


def change_packages(
    command: list[str], installer: Installer, where: Where, *, as_json: bool
) -> int:
    """
    Run an installer and say what changed.

    Returns:
        The exit code: 1 when the installer failed, or when inboxd or a plugin is broken now and
        was not before.
    """
    options = [
        *([] if where.config is None else ["--config", str(where.config)]),
        *([] if where.state is None else ["--state", str(where.state)]),
    ]
    before = take_snapshot(options)
    code = run_installer(command)
    report = _Report(
        command=command, installer_exit=code, before=before, after=take_snapshot(options)
    )
    restarts = restart_lines(_that_see_it(where)) if report.changed else []
    if as_json:
        print_json(_form(report))
    else:
        _print(report)
    for line in restarts:
        note(line)
    if code != 0:
        problem(f"{installer.name} ended with {code}; what it says stands above")
    if not report.after.is_whole and report.before.is_whole:
        problem(_way_back(report, installer))
    elif report.after.failure is not None:
        problem(f"the plugins cannot be looked at: {report.after.failure}")
    is_worse = report.before.is_whole and not report.after.is_whole
    return ExitCode.FAILED if code or is_worse or report.newly_broken else ExitCode.GOOD


def _that_see_it(where: Where) -> list[RunningInstance]:
    """Return the daemons that run in this environment; of these the one that *where* names."""
    of_user, of_system = running_instances(os.environ)
    state = None
    if where.config is not None or where.state is not None:
        with contextlib.suppress(InboxdError):
            state = where.instance().settings.state.path
    return concerned(of_user + of_system, environment=Path(sys.prefix), state=state)


def _form(report: _Report) -> dict[str, Any]:
    old, new = (report.plugins(each, "plugins") for each in (report.before, report.after))
    had, has = report.before.executors(), report.after.executors()
    if report.before.plugins is None or report.after.plugins is None:
        # What could not be looked at has neither come nor gone.
        old, had = new, has
    return {
        "format": 1,
        "command": report.command,
        "exit_code": report.installer_exit,
        "works": report.after.is_whole,
        "failure": report.after.failure,
        "distributions": [
            {"name": one.name, "before": one.before, "after": one.after} for one in report.changed
        ],
        "plugins": {
            "new": sorted(new.keys() - old.keys()),
            "gone": sorted(old.keys() - new.keys()),
            "broken": report.newly_broken,
        },
        "executors": {"new": sorted(has - had), "gone": sorted(had - has)},
    }


def _print(report: _Report) -> None:
    form = _form(report)
    lines = [f"{_what(one):<10} {escaped(one.name)} {_versions(one)}" for one in report.changed]
    for kind in ("plugins", "executors"):
        word = kind.removesuffix("s")
        lines += [f"{'new':<10} {word} {escaped(name)}" for name in form[kind]["new"]]
        lines += [f"{'gone':<10} {word} {escaped(name)}" for name in form[kind]["gone"]]
    for broken in report.newly_broken:
        lines.append(
            f"{'broken':<10} plugin {escaped(broken['name'])}: {escaped(broken['reason'])}"
        )
    if report.newly_broken:
        lines.append("           its traceback: inboxd plugins")
    for line in lines or ["nothing changed"]:
        click.echo(line)


def _what(change: Change) -> str:
    if change.before is None:
        return "installed"
    return "removed" if change.after is None else "changed"


def _versions(change: Change) -> str:
    if change.before is not None and change.after is not None:
        return f"{escaped(change.before)} -> {escaped(change.after)}"
    return escaped(change.after or change.before or "")


def _way_back(report: _Report, installer: Installer) -> str:
    """Say that inboxd itself no longer works, and which commands make it as it was."""
    came = [one.name for one in report.changed if one.before is None]
    other = [f"{one.name}=={one.before}" for one in report.changed if one.before is not None]
    back = [
        *([shlex.join(installer.uninstall(came))] if came else []),
        *([shlex.join(installer.install(other))] if other else []),
    ] or [shlex.join(installer.install(["inboxd"], options=["--force-reinstall"]))]
    commands = "".join(f"\n  {escaped(line)}" for line in back)
    return (
        f"inboxd itself no longer works: {report.after.failure}\n"
        "a daemon that runs goes on, but would not start again; this makes it as it was:"
        f"{commands}"
    )
