"""
How the daemon's log records are written: plain lines for people, JSON lines for programs.

A record is an event name and facts:
`logger.info("task finished", extra={"event": "task_finished", "task_id": "…", "seconds": 0.2})`.
Every attribute given by `extra` is a fact and is written, `event` first.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Literal, TextIO

from inboxd.clock import rfc3339_micros
from inboxd.names import display_file_name, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JsonFormatter", "PlainFormatter", "configure_logging", "is_journal"]

#: What every record has; all else came by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: Levels as the journal and syslog count them (sd-daemon(3)).
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))


def configure_logging(
    *,
    level: str,
    format: Literal["plain", "json"],
    stream: TextIO | None = None,
    handler: logging.Handler | None = None,
) -> logging.Handler:
    """
    Send all log records of the process to one place, and return the handler that does it.

    Ours are written from *level* on, those of libraries from WARNING on. What an earlier call set
    up is replaced.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        format: `plain`: one line a record, a traceback in lines of its own; `json`: one object a
            line. Under the journal, plain lines carry the priority it reads and no time.
        stream: where to write; stderr unless given.
        handler: takes the records instead of *stream*, such as the live view's.
    """
    if handler is None:
        target: TextIO = stream or sys.stderr
        handler = logging.StreamHandler(target)
        if format == "json":
            handler.setFormatter(JsonFormatter())
        else:
            handler.setFormatter(PlainFormatter(for_journal=is_journal(target, os.environ)))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("inboxd").setLevel(level.upper())
    logging.captureWarnings(capture=True)
    # A log that cannot be written (its reader is gone, the disk is full) must not fill stderr too.
    logging.raiseExceptions = False
    return handler


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether the stream goes straight to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file at all, or a closed one
        return False
    return (device, inode) == (str(facts.st_dev), str(facts.st_ino))


class PlainFormatter(logging.Formatter):
    """`2026-11-24T10:00:00.123456Z INFO task finished task_id=fetch seconds=0.2`, escaped."""

    def __init__(self, *, for_journal: bool = False) -> None:
        """*for_journal*: `<6>` in place of time and level."""
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, and a traceback after it."""
        facts = "".join(
            f" {escaped(name)}={_plain(value)}"
            for name, value in _facts(record).items()
            if name != "event"
        )
        text = f"{escaped(record.getMessage())}{facts}"
        trace = _traceback(self, record)
        if trace is not None:
            text += "\n" + escaped(trace, keep_newlines=True)
        if not self._for_journal:
            return f"{_time(record)} {record.levelname} {text}"
        return "\n".join(f"<{_priority(record.levelno)}>{line}" for line in text.splitlines())


class JsonFormatter(logging.Formatter):
    """`{"time": "…", "level": "info", "event": "task_finished", "message": "…", …facts}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON in ASCII."""
        facts = _facts(record)
        document: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": facts.pop("event", None),
            "message": record.getMessage(),
        }
        for name, value in facts.items():
            document.setdefault(name, value)
        trace = _traceback(self, record)
        if trace is not None:
            document["traceback"] = trace
        return json.dumps(document, default=_text, allow_nan=True)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    return rfc3339_micros(int(record.created * 1_000_000)) or ""


def _priority(level: int) -> int:
    return next((priority for least, priority in _PRIORITIES if level >= least), 7)


def _plain(value: object) -> str:
    """Return a fact's value: as it is when it is one word, else quoted as JSON quotes."""
    text = _text(value)
    if text and escaped(text) == text and not set(text) & set(' "=\t'):
        return text
    return '"' + escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _text(value: object) -> str:
    if isinstance(value, bytes):  # a file name
        return display_file_name(value)
    return str(value)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    if record.exc_info is None and record.exc_text:
        parts.append(record.exc_text)
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts) or None
