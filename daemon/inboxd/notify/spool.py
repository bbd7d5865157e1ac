"""
Notifications that are still to be delivered: two files each, so that no crash loses one.

`<id>.document` holds what the program gets on stdin, `<id>.json` what is known about it; a
notification is there from the moment that the second has its name.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from inboxd.clock import rfc3339_micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Notification", "Spool", "Told"]

logger = logging.getLogger(__name__)

#: The record is begun anew at this size; one older is kept.
_MOST_RECORD_BYTES = 1024 * 1024


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the program that is to succeed."""

    #: UUIDv7: their order is that of what they tell of; the same over all tries.
    id: str
    #: What happened: `failed`, `rejected`, `cancelled` or `completed`.
    event: str
    #: Of the tree; None: a file was rejected.
    tree_id: str | None = None
    #: The file's name, fit to be shown; None: the tree came another way.
    file: str | None = None
    #: Tries that failed.
    tries: int = 0
    #: Not tried before; microseconds since 1970, UTC.
    due_at: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the record, as far as it is read again."""

    #: RFC 3339.
    at: str
    outcome: str
    reason: str | None = None


class Spool:
    """The directory of notifications, and the record of what became of each."""

    def __init__(self, directory: Path) -> None:
        """*directory* is the plugin's own; it is made when the first notification comes."""
        self._directory = directory
        self._pending = directory / "pending"

    @property
    def record(self) -> Path:
        """The record: JSON lines, one for each try."""
        return self._directory / "record.jsonl"

    def document(self, notification: Notification) -> Path:
        """Return the file that the program reads on stdin."""
        return self._pending / f"{notification.id}.document"

    def load(self) -> list[Notification]:
        """Return what an earlier daemon left to be delivered, the oldest first."""
        found: list[Notification] = []
        if not self._pending.is_dir():
            return found
        for path in sorted(self._pending.iterdir()):
            if path.suffix == ".json":
                try:
                    one = msgspec.json.decode(path.read_bytes(), type=Notification)
                except (OSError, msgspec.MsgspecError) as error:
                    logger.error(  # noqa: TRY400 - the file is to blame, not a line of ours
                        "a notification cannot be read and is left alone: %s: %s",
                        path,
                        error,
                        extra={"event": "notification_unreadable", "path": str(path)},
                    )
                    continue
                if self.document(one).exists():
                    found.append(one)
                else:
                    path.unlink()
            elif path.suffix == ".document":
                if not path.with_suffix(".json").exists():
                    path.unlink()  # a crash came before its second file had its name
            else:
                path.unlink()
        return found

    def given_up(self) -> list[Told]:
        """
        Return the lines of what was given up, the oldest first; also beside a running daemon.

        Raises:
            OSError: the record may not be read.
        """
        found: list[Told] = []
        for file in (self.record.with_suffix(".jsonl.1"), self.record):
            try:
                lines = file.read_bytes().splitlines()
            except FileNotFoundError:
                continue
            for line in lines:
                if b'"given_up"' not in line:
                    continue
                with contextlib.suppress(msgspec.MsgspecError):  # the half of a line
                    found.append(msgspec.json.decode(line, type=Told))
        return [one for one in found if one.outcome == "given_up"]

    def failing(self) -> int:
        """
        Return how many notifications failed and wait for their next try; see `given_up`.

        Raises:
            OSError: the directory may not be read.
        """
        count = 0
        if not self._pending.exists():
            return count
        for path in self._pending.iterdir():
            if path.suffix == ".json":
                with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):
                    one = msgspec.json.decode(path.read_bytes(), type=Notification)
                    count += one.tries > 0
        return count

    def add(self, notification: Notification, write: Callable[[BinaryIO], None]) -> None:
        """
        Keep a notification; when this returns a power cut does not lose it.

        Args:
            notification: a new one.
            write: writes the document.

        Raises:
            OSError: it could not be written.
        """
        # 0700: results are for the daemon's user and the inbox's group alone.
        self._pending.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = self.document(notification)
        try:
            with document.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            document.unlink(missing_ok=True)
            raise
        self._write(notification)

    def postpone(self, notification: Notification) -> None:
        """Replace what is known about a notification."""
        self._write(notification)

    def remove(self, notification: Notification) -> None:
        """Forget a notification; in this order, so that a crash between leaves no half."""
        with contextlib.suppress(FileNotFoundError):
            (self._pending / f"{notification.id}.json").unlink()
        with contextlib.suppress(FileNotFoundError):
            self.document(notification).unlink()

    def note(self, notification: Notification, outcome: str, at: int, reason: str | None) -> None:
        """
        Add a line to the record.

        Args:
            notification: what was tried.
            outcome: `delivered`, `failed` (another try follows) or `given_up`.
            at: microseconds since 1970, UTC.
            reason: why it failed.
        """
        line = msgspec.json.encode(
            {
                "at": rfc3339_micros(at),
                "id": notification.id,
                "event": notification.event,
                "tree_id": notification.tree_id,
                "file": notification.file,
                "try": notification.tries + 1,
                "outcome": outcome,
                "reason": reason,
            }
        )
        with contextlib.suppress(FileNotFoundError):
            if self.record.stat().st_size > _MOST_RECORD_BYTES:
                self.record.replace(self.record.with_suffix(".jsonl.1"))
        with self.record.open("ab") as file:
            file.write(line + b"\n")

    def _write(self, notification: Notification) -> None:
        path = self._pending / f"{notification.id}.json"
        new = path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(notification))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        directory = os.open(self._pending, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
