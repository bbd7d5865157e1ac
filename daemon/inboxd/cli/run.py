"""`inboxd run`: the daemon, in the foreground."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.options import Verb, where_options

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

    from inboxd.cli.live import LiveView
    from inboxd.cli.options import Where
    from inboxd.config.settings import Settings
    from inboxd.daemon import Daemon

__all__ = ["command"]

logger = logging.getLogger(__name__)

#: `--until-idle` looks after so long whether anything is left to do, then after twice as long each
#: time, up to the longest: what has nothing to do ends at once, what works is seldom asked.
_FIRST_IDLE_LOOK_SECONDS = 0.02
_LONGEST_IDLE_LOOK_SECONDS = 0.2

#: So often it is made sure that the state directory is still the one that the daemon owns.
_STATE_LOOK_SECONDS = 5.0

#: SIGHUP comes when the terminal goes away.
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command(
    cls=Verb,
    example="inboxd run --config config/dev.toml\ninboxd run --inbox ~/tasks --until-idle",
)
@click.option("--inbox", metavar="DIR", help="The directory that files are dropped in.")
@click.option(
    "--until-idle",
    is_flag=True,
    help="End when nothing is left to do: exit 1 if a tree failed or a file was rejected.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "plain", "json"]),
    help="The form of what the daemon says; auto: the live view on a terminal.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much of it.",
)
@where_options
def command(
    *,
    inbox: str | None,
    until_idle: bool,
    log_format: str | None,
    log_level: str | None,
    where: Where,
) -> int:
    """
    Run the daemon, in the foreground.

    It takes the task files that are dropped in the inbox and runs their tasks. Ctrl-C, SIGTERM or a
    terminal that goes away lets the running tasks end; a second signal ends them.
    """
    settings = where.settings(inbox_path=inbox, log_format=log_format, log_level=log_level)
    return _run(settings, until_idle=until_idle)


class _Stop:
    """Signals as a pipe that the main thread waits on, and how often they came."""

    def __init__(self) -> None:
        self.count = 0
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"s")

    def wait(self, timeout: float | None) -> bool:
        """Wait for a signal; return whether there was one since the start."""
        import select

        if not self.count:
            select.select([self._read], [], [], timeout)
        return self.count > 0


@contextlib.contextmanager
def _signals(stop: _Stop) -> Generator[None]:
    before = [signal.signal(number, stop) for number in _STOP_SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(_STOP_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def _run(settings: Settings, *, until_idle: bool) -> int:
    from inboxd.daemon import Daemon  # not needed for --help
    from inboxd.logs import configure_logging

    stop = _Stop()
    view = _view(settings)
    configure_logging(
        level=settings.log.level,
        format="json" if settings.log.format == "json" else "plain",
        handler=None if view is None else view.handler,
    )
    with _signals(stop):
        daemon = Daemon(settings, tell=None if view is None else view.note)
        daemon.start()
        gc.freeze()  # what a start makes stays until the end: no look for garbage passes over it
        _write_first_run_file(settings)
        try:
            if view is not None:
                view.start()
            is_stuck = _wait(daemon, stop, until_idle=until_idle)
        finally:
            _stop(daemon, stop)
            if view is not None:
                view.stop()
    if until_idle and not stop.count and (is_stuck or daemon.teller.bad_endings):
        return ExitCode.FAILED
    return ExitCode.GOOD


def _write_first_run_file(settings: Settings) -> None:
    """Give a person who just runs inboxd a file to edit, where there is none."""
    from inboxd.config.toml import first_run_path, write_first_run_file  # not needed for --help

    path = first_run_path(settings, os.environ)
    if path is not None and write_first_run_file(path, settings):
        logger.info(
            "settings file made: %s",
            path,
            extra={"event": "settings_file_made", "path": str(path)},
        )


def _view(settings: Settings) -> LiveView | None:
    if settings.log.format != "auto" or not sys.stderr.isatty():
        return None
    from inboxd.cli.live import LiveView, can_show_live_view  # rich takes 60 ms to import

    if not can_show_live_view(sys.stderr):
        return None
    return LiveView(
        store_url=settings.store.url, state=settings.state.path, inbox=settings.inbox.path
    )


def _wait(daemon: Daemon, stop: _Stop, *, until_idle: bool) -> bool:
    """Wait for the end; return whether it comes because files cannot be taken."""
    pause = _FIRST_IDLE_LOOK_SECONDS if until_idle else _STATE_LOOK_SECONDS
    while not stop.wait(pause):
        daemon.check_state()
        daemon.note_failures()
        if not until_idle:
            continue
        pause = min(2 * pause, _LONGEST_IDLE_LOOK_SECONDS)
        if daemon.is_idle():
            return False
        problem = daemon.lasting_problem()
        if problem is not None:
            logger.error(
                "ending, though files are left that cannot be taken: %s",
                problem,
                extra={"event": "stuck", "reason": problem},
            )
            return True
    return False


def _stop(daemon: Daemon, stop: _Stop) -> None:
    """Stop the daemon; one more signal than there were ends the drain."""
    already = stop.count

    def cut(number: int, frame: FrameType | None) -> None:
        stop(number, frame)
        if stop.count > max(already, 1):
            daemon.cut()

    for number in _STOP_SIGNALS:
        signal.signal(number, cut)
    if already > 1:
        daemon.cut()
    daemon.stop()
