"""Dropping a file in an inbox: its name, its envelope, the rename that makes it appear whole."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from typing import TYPE_CHECKING

import click
import msgspec

from inboxd.cli.exit_codes import ExitCode
from inboxd.errors import InboxdError
from inboxd.names import escaped

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DropFailed", "drop", "make_inbox", "unique_file_name", "with_envelope"]

#: With `-`, 8 digits, and `.json` or another suffix well under the 200 bytes that a name may have.
_MOST_OF_A_NAME = 150
#: Who may drop in the inbox has its group; the daemon reads by it where it is another user.
_MODE = 0o640
_TRY_LATER = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO})


class DropFailed(InboxdError):
    """The file could not be put in the inbox; nothing was dropped."""

    def __init__(self, inbox: Path, error: OSError) -> None:
        self.exit_code = ExitCode.TRY_LATER if error.errno in _TRY_LATER else ExitCode.CONFIGURATION
        super().__init__(
            f"{escaped(str(inbox))}: nothing was dropped: {error.strerror};"
            " `inboxd doctor` looks at the inbox"
        )


def unique_file_name(base: str, suffix: str = ".json") -> bytes:
    """
    Return a name for the inbox that no other file has: `report-1f3a5b7c.json`.

    Args:
        base: `report`; leading dots are left out, since names with one are never taken, and a
            long one is cut.
        suffix: says the file's format: `.json`.
    """
    name = os.fsencode(base).lstrip(b".")[:_MOST_OF_A_NAME]
    # A character that the cut went through is left out; bytes that never were UTF-8 stay.
    whole = name.decode("utf-8", "surrogateescape")
    if len(os.fsencode(base)) > _MOST_OF_A_NAME:
        whole = name.decode("utf-8", "ignore")
    return os.fsencode(f"{whole or 'tasks'}-{secrets.token_hex(4)}{suffix}")


def with_envelope(data: bytes, *, name: str | None, idempotency_key: str | None) -> bytes:
    """
    Return the task file with a name and a key in its envelope, its own bytes otherwise kept.

    A bare array gets an envelope. The name that a file gives itself stays.

    Args:
        data: a valid task file of either form.
        name: for the tree; None: leave it.
        idempotency_key: None: leave it.

    Raises:
        click.UsageError: the file has another `idempotency_key` of its own.
    """
    start = len(data) - len(data.lstrip(b" \t\n\r"))
    is_array = data[start : start + 1] == b"["
    # Keys only: what they hold is skipped, not decoded.
    own = {} if is_array else msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    members: dict[str, str] = {}
    if name is not None and "name" not in own:
        members["name"] = name
    if idempotency_key is not None:
        if "idempotency_key" not in own:
            members["idempotency_key"] = idempotency_key
        elif msgspec.json.decode(own["idempotency_key"]) != idempotency_key:
            raise click.UsageError(
                "the file has an idempotency_key of its own; leave one of the two out"
            )
    if not members:
        return data
    text = json.dumps(members, ensure_ascii=False)[1:-1].encode()
    if is_array:
        return b"{" + text + b', "tasks": ' + data.strip(b" \t\n\r") + b"}\n"
    # Right behind the brace, so that every line of the file keeps its number.
    return data[: start + 1] + text + b", " + data[start + 1 :]


def make_inbox(inbox: Path, *, state: Path) -> None:
    """
    Make the inbox where it is not there yet, with the modes that the daemon gives.

    Raises:
        DropFailed: it cannot be made.
    """
    try:
        if inbox.exists():
            return
        if state in inbox.parents:
            # Nobody else may look into the state directory, whoever makes it.
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        inbox.mkdir(mode=0o770, parents=True, exist_ok=True)
    except OSError as error:
        raise DropFailed(inbox, error) from error


def drop(inbox: Path, file_name: bytes, data: bytes) -> None:
    """
    Put the file in the inbox: written under a name that is never taken, then renamed.

    When this returns the file is on disk under its name (fsync of the file and the directory).

    Raises:
        DropFailed: it could not be put there; nothing is left behind.
    """
    temporary = b".submit-" + secrets.token_hex(8).encode()
    try:
        directory = os.open(inbox, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise DropFailed(inbox, error) from error
    try:
        _write(directory, temporary, data)
        os.rename(temporary, file_name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise DropFailed(inbox, error) from error
    finally:
        os.close(directory)


def _write(directory: int, name: bytes, data: bytes) -> None:
    descriptor = os.open(
        name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE, dir_fd=directory
    )
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, _MODE)  # whatever the umask
        file.write(data)
        file.flush()
        os.fsync(descriptor)
