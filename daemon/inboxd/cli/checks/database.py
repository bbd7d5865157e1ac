"""The database: there, whole, of a version that this inboxd knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.cli.checks.finding import Finding, failed, good, warned
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from inboxd.store.inspection import DatabaseReport

__all__ = ["check_database", "database_findings", "owed_findings", "waiting_findings"]

#: While a daemon runs, a reader that stays keeps the write-ahead log growing.
_SECONDS_BESIDE_A_DAEMON = 5.0
_SECONDS = 60.0
#: The writer truncates its log to this (`journal_size_limit`), so a larger one has a reason.
_LARGE_LOG_BYTES = 256 * 1024**2
_MIB = 1024**2


def check_database(
    url: str,
    *,
    is_running: bool,
    executors: Collection[str],
    is_made: Callable[[str], bool] | None = None,
) -> Iterator[Finding]:
    """
    Look at the database of this URL, by reading alone.

    Args:
        url: of the database.
        is_running: whether a daemon uses it.
        executors: those that work.
        is_made: whether a plugin makes an executor of another name when it is asked; None: none.
    """
    from inboxd.store.inspection import inspect_database  # not needed for --help
    from inboxd.store.schema import HEAD  # not needed for --help

    seconds = _SECONDS_BESIDE_A_DAEMON if is_running else _SECONDS
    report = inspect_database(url, seconds=seconds)
    yield from database_findings(report, newest=HEAD)
    waiting = {
        name: count
        for name, count in report.waiting.items()
        if name in executors or is_made is None or not is_made(name)
    }
    yield from waiting_findings(waiting, executors)
    yield from owed_findings(report.owed, is_running=is_running)


def owed_findings(owed: Mapping[str, int], *, is_running: bool) -> Iterator[Finding]:
    """Say which plugins were not told yet of trees that ended."""
    for name, count in sorted(owed.items()):
        trees = "1 tree" if count == 1 else f"{count:,} trees"
        advice = (
            "if it stays so, the daemon's log says whether the plugin is broken or does not return"
            if is_running
            else "the next start tells it, if it is installed and allowed then"
        )
        yield warned(
            "plugins",
            f"{escaped(name)} is still to be told of {trees} that ended",
            advice,
        )


def waiting_findings(waiting: Mapping[str, int], executors: Collection[str]) -> Iterator[Finding]:
    """Say which executors tasks wait for that are gone or switched off, and how many tasks."""
    for name in sorted(waiting.keys() - set(executors)):
        count = waiting[name]
        tasks = "1 task waits" if count == 1 else f"{count:,} tasks wait"
        yield warned(
            "executors",
            f'{tasks} for "{escaped(name)}", which is gone or switched off',
            "install its plugin again, or switch it on in [executors] or [plugins], and restart"
            " the daemon",
        )


def database_findings(report: DatabaseReport, *, newest: str) -> Iterator[Finding]:
    """Say what is wrong with a database; *newest* is the schema that this inboxd makes."""
    shown = escaped(str(report.path))
    if report.error is not None:
        yield failed(
            "database",
            f"{shown}: cannot be read: {escaped(report.error)}",
            "look at its owner and rights; if it is damaged, keep a copy and restore a backup",
        )
        return
    if report.size_bytes is None:
        yield good("database", f"{shown}: not made yet; the first `inboxd run` makes it")
        return
    for problem in report.problems:
        yield failed(
            "database",
            f"{shown}: {escaped(problem)}",
            "stop the daemon, keep a copy of the file, restore a backup",
        )
    if report.version is None:
        yield warned("database", f"{shown}: is empty", "`inboxd run` fills it")
    elif report.version > newest:
        yield failed(
            "database",
            f"{shown}: has schema {report.version}, this inboxd knows {newest}",
            "install the newer inboxd again; a database is never taken back",
        )
    elif report.version < newest:
        yield warned(
            "database",
            f"{shown}: has schema {report.version}, this inboxd makes {newest}",
            "`inboxd run` brings it up to date; copy it first",
        )
    if not report.is_writable:
        yield failed(
            "database",
            f"{shown}: you cannot write to it or beside it, so a daemon run by you cannot start",
            f"chmod u+rw {shown}, chmod u+rwx its directory, look at their owners, and at whether"
            " the file system is mounted read-only",
        )
    if report.wal_bytes > _LARGE_LOG_BYTES:
        yield warned(
            "database",
            f"{shown}-wal: {report.wal_bytes // _MIB} MiB: some program reads without an end",
            "end programs that hold the database open",
        )
    if not report.was_checked:
        yield warned(
            "database",
            f"{shown}: its check was given up, it would have taken too long",
            "stop the daemon and run `inboxd doctor` again",
        )
    elif not report.problems and report.is_writable:
        size = f"{report.size_bytes / _MIB:.1f} MiB"
        yield good("database", f"{shown}: whole, schema {report.version}, {size}")
