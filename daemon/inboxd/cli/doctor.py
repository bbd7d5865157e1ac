"""`inboxd doctor`: looks for what is wrong, and says what to do about it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from inboxd.cli.checks.finding import Finding, Level, failed, good, warned
from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.options import Verb, json_option, where_options
from inboxd.cli.output import print_json, styled
from inboxd.errors import AmbiguousReference, ConfigurationError
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.cli.options import Where
    from inboxd.instances import Instance

__all__ = ["command"]

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@click.command(cls=Verb, example="inboxd doctor\ninboxd doctor --json")
@where_options
@json_option
def command(where: Where, as_json: bool) -> int:
    """
    Look for what is wrong, and say what to do about it.

    Looks at the configuration, the versions, the state directory, the inbox and their rights, the
    database, the plugins and the machine. Changes nothing. Ends with 0 when nothing fails, else
    with 1.
    """
    findings: list[Finding] = []
    for finding in _findings(where):
        findings.append(finding)
        if not as_json:
            _show(finding)
    is_good = all(finding.level is not Level.FAIL for finding in findings)
    if as_json:
        checks = [
            {
                "level": finding.level.value,
                "check": finding.check,
                "message": finding.message,
                "advice": finding.advice,
                "details": finding.details,
            }
            for finding in findings
        ]
        print_json({"good": is_good, "checks": checks})
    return ExitCode.GOOD if is_good else ExitCode.FAILED


def _show(finding: Finding) -> None:
    mark = styled(f"{finding.level.value:<5}", fg=_COLOURS[finding.level])
    click.echo(f"{mark} {finding.check:<14} {finding.message}")
    if finding.advice is not None:
        click.echo(f"{'':<20} -> {finding.advice}")
    for line in (finding.details or "").splitlines():
        click.echo(f"{'':<23} {line}")


def _findings(where: Where) -> Iterator[Finding]:
    from inboxd.cli.checks import software  # not needed for --help
    from inboxd.cli.checks.machine import check_inotify, check_systemd  # the same
    from inboxd.cli.version import versions  # the same
    from inboxd.store.driver import sqlite_module  # the same

    found = versions()
    yield from software.check_versions(found)
    yield from software.check_sqlite(sqlite_module().sqlite_version_info, found["sqlite"])
    yield from check_systemd()
    yield from check_inotify()
    try:
        instance = where.instance(strict=True)
    except ConfigurationError as error:
        for problem in error.problems:
            yield failed("configuration", problem, "mend it; `inboxd config check` looks again")
        return
    except AmbiguousReference as error:
        yield failed(
            "instance", str(error).replace("\n", " "), "run `inboxd doctor --state DIR` for each"
        )
        return
    yield from _instance_findings(instance, where)


def _instance_findings(instance: Instance, where: Where) -> Iterator[Finding]:
    # What follows is not needed for --help.
    from inboxd.cli.checks import (
        database,
        directories,
        machine,
        plugin_failures,
        programs,
        software,
    )
    from inboxd.cli.offered import resolved_executor
    from inboxd.clock import SystemClock
    from inboxd.plugins.manager import load_plugins

    settings = instance.settings
    read = ", ".join(escaped(str(file)) for file in settings.files)
    yield good("configuration", read or "no file, only defaults")
    yield _daemon_finding(instance, where)
    yield from directories.check_state(settings.state.path)
    yield from machine.check_file_system("state", settings.state.path, holds_database=True)
    yield from directories.check_inbox(settings)
    yield from machine.check_file_system("inbox", settings.inbox.path, holds_database=False)
    plugins = load_plugins(settings)
    yield from database.check_database(
        settings.store.url,
        is_running=bool(instance.is_running),
        executors=plugins.executors.keys(),
        is_made=lambda name: resolved_executor(name, settings, plugins) is not None,
    )
    yield from software.check_plugins(settings, plugins)
    yield from software.check_verbs(plugins)
    if instance.is_running:
        yield from plugin_failures.check_failures(settings.state.path)
    yield from programs.check_programs(settings)
    yield from plugin_failures.check_notifications(settings.state.path, clock=SystemClock())


def _daemon_finding(instance: Instance, where: Where) -> Finding:
    from inboxd.cli.version import versions  # not needed for --help

    state = escaped(str(instance.settings.state.path))
    if instance.is_running is None:
        return warned("daemon", f"{state}: you may not see whether one runs", "look as its user")
    if not instance.is_running:
        return warned("daemon", f"none runs on {state}", f"start it: {_run_line(where)}")
    text = f"runs on {state}" + (f", pid {instance.pid}" if instance.pid else "")
    installed = versions()["inboxd"]
    if instance.version not in {None, installed}:
        return warned(
            "daemon",
            f"{text}, is version {instance.version}, installed is {installed}",
            "restart it",
        )
    return good("daemon", text)


def _run_line(where: Where) -> str:
    """Return the command that starts the instance that was looked at."""
    words = ["inboxd", "run"]
    for option, path in (("--config", where.config), ("--state", where.state)):
        if path is not None:
            words += [option, str(path)]
    return escaped(shlex.join(words))
