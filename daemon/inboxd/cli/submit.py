"""`inboxd submit`: checks a task file, drops it in the inbox, waits for the answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.options import Verb, duration_option, json_option, where_options
from inboxd.cli.output import note, print_json
from inboxd.errors import DaemonNotReachable
from inboxd.ids import short_id
from inboxd.names import display_file_name, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.array import Problem
    from inboxd.cli.checking import Checker
    from inboxd.cli.options import Where
    from inboxd.cli.told_progress import ToldProgress
    from inboxd.instances import Instance

__all__ = ["command"]

_JSON_SUFFIX = ".json"

#: So many failed tasks are named; `inboxd show` has them all.
_MOST_FAILURES = 5


@click.command(
    cls=Verb,
    example="""
inboxd submit nightly.json
inboxd submit --wait --name nightly --idempotency-key 2026-11-24 nightly.json
generate-tasks | inboxd submit --json -
""",
)
@click.argument("file", metavar="FILE|-")
@click.option("--wait", is_flag=True, help="Wait until the tree ended: exit 0, or 1 if not well.")
@duration_option(
    "--timeout",
    metavar="T",
    help="With --wait: no longer than this, `90s`, `10m`. Then exit 124; the tree goes on.",
)
@click.option(
    "--name",
    metavar="N",
    help="What the file is called in the inbox, before a unique part; also the name of a tree"
    " that has none of its own. Default: the name of FILE.",
)
@click.option(
    "--idempotency-key",
    metavar="K",
    help="Run this once: the same file with the same key again gives the first tree.",
)
@click.option("--queue", is_flag=True, help="Drop the file even when no daemon runs now.")
@where_options
@json_option
def command(
    file: str,
    wait: bool,
    timeout: float | None,
    name: str | None,
    idempotency_key: str | None,
    queue: bool,
    where: Where,
    as_json: bool,
) -> int:
    """
    Check a task file and drop it in the inbox.

    FILE is a task file, JSON or of a format that a plugin reads, which its suffix says; - is
    standard input, JSON unless --name has another suffix. Prints the tree's id when the daemon has
    accepted it; with --json its receipt, with --json --wait its result. An invalid file is not
    dropped: its errors are shown, as by `inboxd validate`, and the exit code is 4. Without a daemon
    nothing is dropped and the exit code is 69, unless --queue, which prints the name of the file.
    """
    from inboxd.array import CheckedArray  # what follows is not needed for --help
    from inboxd.cli.checking import Checker
    from inboxd.cli.drop import drop, make_inbox, unique_file_name, with_envelope

    if timeout is not None and not wait:
        raise click.UsageError("--timeout says how long --wait waits: give both")
    if name is not None:
        _check_name(name)
    instance = where.instance()
    checker = Checker(instance.settings)
    format_name = name if file == "-" and name is not None else file
    suffix = checker.suffix_of(format_name)
    if name is not None and suffix != _JSON_SUFFIX:
        name = name.removesuffix(suffix)
        _check_name(name)
    data = _checked(file, checker, instance, format_name=format_name, as_json=as_json)
    if data is None:
        return ExitCode.INVALID_FILE
    enveloped = data
    if name is not None or idempotency_key is not None:
        plain = checker.as_json(data, name=format_name)
        enveloped = with_envelope(plain, name=name, idempotency_key=idempotency_key)
        enveloped = data if enveloped == plain else enveloped
    if enveloped != data:
        if suffix != _JSON_SUFFIX:
            note(f"{escaped(file)}: dropped as JSON, where the flags go into the envelope")
            suffix = _JSON_SUFFIX
        # What the flags put in is checked too; of what the file says, all warnings were given.
        checked = checker.check(enveloped)
        if not isinstance(checked, CheckedArray):
            _show_problems(file, list(checked.problems), as_json=as_json)
            return ExitCode.INVALID_FILE
    inbox = instance.settings.inbox.path
    if instance.is_running is False and (wait or not queue):
        raise DaemonNotReachable(
            f"no daemon runs on {escaped(str(instance.settings.state.path))}: nothing was dropped;"
            " start one with `inboxd run`" + _without_daemon(wait=wait, queue=queue)
        )
    stem = "tasks" if file == "-" else _stem(file, suffix)
    file_name = unique_file_name(stem if name is None else name, suffix)
    if queue and instance.is_running is False:
        make_inbox(inbox, state=instance.settings.state.path)
    drop(inbox, file_name, enveloped)
    if instance.is_running is False:
        _print_queued(file_name, as_json=as_json)
        return ExitCode.GOOD
    return _answered(file_name, instance, wait=wait, timeout=timeout, as_json=as_json)


def _stem(file: str, suffix: str) -> str:
    name = Path(file).name
    return name.removesuffix(suffix) if name.endswith(suffix) else Path(file).stem


def _without_daemon(*, wait: bool, queue: bool) -> str:
    if wait and queue:
        return "; a file that is queued cannot be waited for: leave --wait out to queue it"
    return "" if wait else ", or leave the file for the next one with --queue"


def _check_name(name: str) -> None:
    if not name or "/" in name or "\0" in name or name.startswith("."):
        raise click.BadParameter(
            "must not be empty, hold a slash or begin with a dot", param_hint="--name"
        )


def _checked(
    file: str, checker: Checker, instance: Instance, *, format_name: str, as_json: bool
) -> bytes | None:
    """Return the bytes of a valid task file; None after showing what is wrong with it."""
    from inboxd.array import CheckedArray, Problem  # not needed for --help
    from inboxd.cli.checking import read_task_file  # the same

    data = read_task_file(file, max_bytes=instance.settings.inbox.max_file_bytes)
    if isinstance(data, Problem):
        problems = [data]
    else:
        checked = checker.check(data, name=format_name)
        for warning in checked.warnings:
            note(f"{escaped(file)}: warning: {warning}")
        if isinstance(checked, CheckedArray):
            return data
        problems = list(checked.problems)
    _show_problems(file, problems, as_json=as_json)
    return None


def _show_problems(file: str, problems: Sequence[Problem], *, as_json: bool) -> None:
    if as_json:
        errors = [problem.to_dict() for problem in problems]
        print_json({"format": 1, "file": file, "accepted": False, "errors": errors})
    for problem in problems:
        note(f"{escaped(file)}: {problem}")


def _print_queued(file_name: bytes, *, as_json: bool) -> None:
    shown = display_file_name(file_name)
    if as_json:
        print_json({"format": 1, "file": shown, "queued": True})
    else:
        click.echo(shown)
    note("no daemon runs now; the file lies in the inbox and is taken when one starts")


def _answered(
    file_name: bytes, instance: Instance, *, wait: bool, timeout: float | None, as_json: bool
) -> int:
    """Wait for the receipt, and with *wait* for the result; print them; return the exit code."""
    import msgspec  # not needed for --help

    from inboxd.cli.answers import Receipt, TimedOut, wait_for_receipt  # the same

    shown = display_file_name(file_name)
    tree_id: str | None = None
    try:
        data = wait_for_receipt(
            instance.settings.inbox.path, file_name, is_running=lambda: _is_running(instance)
        )
        receipt = msgspec.json.decode(data, type=Receipt)
        if as_json and not (wait and receipt.accepted):
            click.echo(data.rstrip(b"\n"))
        if not receipt.accepted or receipt.tree_id is None:
            for problem in receipt.problems():
                note(f"{shown}: {problem}")
            return ExitCode.INVALID_FILE
        tree_id = receipt.tree_id
        if receipt.duplicate:
            note("this was accepted before; the tree is that of the first time")
        if not as_json:
            click.echo(tree_id)
        if not wait:
            return ExitCode.GOOD
        sys.stdout.flush()  # who reads through a pipe has the id now
        return _ended(file_name, tree_id, instance, timeout=timeout, as_json=as_json)
    except TimedOut:
        note(f"timed out: the tree goes on; wait on with: inboxd wait {short_id(tree_id or '@')}")
        return ExitCode.TIMED_OUT
    except KeyboardInterrupt:
        if tree_id is None:
            note(f"{shown} was dropped all the same: the daemon takes it, or has taken it")
        else:
            note(f"the tree goes on without you; look at it with: inboxd show {short_id(tree_id)}")
        return ExitCode.INTERRUPTED


def _ended(
    file_name: bytes, tree_id: str, instance: Instance, *, timeout: float | None, as_json: bool
) -> int:
    """Wait until the tree ended, showing how far it is; return the exit code."""
    from contextlib import ExitStack  # not needed for --help

    import msgspec

    from inboxd.cli.answers import ResultHead, wait_for_result  # the same
    from inboxd.cli.progress import Progress, counted

    told: ToldProgress | None = None
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(instance.settings.store.url, tree_id))
        if progress.is_shown:
            from inboxd.cli.told_progress import ToldProgress  # only for a terminal

            told = stack.enter_context(ToldProgress(instance, tree_id))
        data = wait_for_result(
            instance.settings.inbox.path,
            file_name,
            is_running=lambda: _is_running(instance),
            tick=lambda: progress.show("" if told is None else told.text),
            timeout_seconds=timeout,
        )
    result = msgspec.json.decode(data, type=ResultHead)
    if as_json:
        click.echo(data.rstrip(b"\n"))
    else:
        counts = {name: count for name, count in result.counts.items() if name != "total"}
        note(f"{result.status}: {', '.join(counted(counts))}")
        if result.status != "completed":
            _say_what_failed(data, tree_id)
    return ExitCode.GOOD if result.status == "completed" else ExitCode.FAILED


def _say_what_failed(result: bytes, tree_id: str) -> None:
    """Name the first tasks that failed, and where to read on."""
    from inboxd.cli.answers import failures_of  # not needed for --help

    for task_id, reason in failures_of(result, most=_MOST_FAILURES):
        note(f"  {escaped(task_id)}: {escaped(reason)}")
    note(f"look at it with: inboxd show {short_id(tree_id)}")


def _is_running(instance: Instance) -> bool:
    """Return whether the daemon may still answer; where that cannot be seen it is believed."""
    from inboxd.state_lock import is_locked  # not needed for --help

    try:
        return is_locked(instance.settings.state.path)
    except PermissionError:
        return True
