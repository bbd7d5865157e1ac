"""What plugins did wrong while the daemon ran, and what `[notify]` could not tell."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from inboxd.cli.checks.finding import Finding, warned
from inboxd.clock import rfc3339_micros
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inboxd.clock import Clock
    from inboxd.plugins.failure_file import FailedHook

__all__ = ["check_failures", "check_notifications", "failure_findings"]

#: What was given up longer ago is no news.
_NEWS = timedelta(days=7)


def check_failures(state: Path) -> Iterator[Finding]:
    """Say which hooks failed in the run of the daemon on *state*, which runs."""
    from inboxd.plugins.failure_file import read_failures  # not needed for --help

    try:
        yield from failure_findings(read_failures(state))
    except (OSError, ValueError) as error:
        yield warned(
            "plugins",
            "what plugins did wrong since the daemon started cannot be read:"
            f" {escaped(str(error))}",
            "look as the daemon's user",
        )


def failure_findings(failed: list[FailedHook]) -> Iterator[Finding]:
    """Say which hooks are not called any more, and which failed."""
    for one in failed:
        who = f"{escaped(one.hook)} of plugin {escaped(one.plugin)}"
        times = "once" if one.failures == 1 else f"{one.failures} times"
        if one.off is not None:
            yield warned(
                "plugins",
                f"{who} is not called any more since {one.off_since}: {escaped(one.off)}",
                "mend the plugin, or name it in [plugins] disable, and restart the daemon",
            )
        else:
            yield warned(
                "plugins",
                f"{who} failed {times} since the daemon started",
                "its log says why, event hook_failed; mend the plugin, or name it in [plugins]"
                " disable, and restart the daemon",
            )


def check_notifications(state: Path, *, clock: Clock) -> Iterator[Finding]:
    """Say what the program of `[notify]` could not tell, and what waits for its next try."""
    from inboxd.notify.spool import Spool  # not needed for --help

    spool = Spool(state / "plugins" / "notify")
    try:
        since = rfc3339_micros(clock.now_micros() - _NEWS // timedelta(microseconds=1)) or ""
        given_up = [one for one in spool.given_up() if one.at >= since]
        waiting = spool.failing()
    except OSError as error:
        yield warned(
            "notify",
            f"what became of notifications cannot be read: {escaped(str(error))}",
            "look as the daemon's user",
        )
        return
    if given_up:
        last = given_up[-1]
        yield warned(
            "notify",
            f"{len(given_up)} notifications were given up in the last {_NEWS.days} days,"
            f" the last at {last.at}: {escaped(last.reason or '')}",
            f"mend the program of [notify]; {escaped(str(spool.record))} says what was not told",
        )
    if waiting:
        yield warned(
            "notify",
            f"{waiting} notifications failed and wait for their next try",
            f"{escaped(str(spool.record))} says why each try failed",
        )
