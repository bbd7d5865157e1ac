"""Reading what a command left in its files when it is over, and removing those that are."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Literal

import msgspec

from inboxd.running.command_outcome import CommandEnd, tail_bytes
from inboxd.running.logs import bound_log, log_tail

if TYPE_CHECKING:
    from inboxd.running.paths import AttemptFiles

__all__ = ["read_end", "remove_what_is_over"]

#: Not through a link, and without waiting for the writer of a FIFO.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def read_end(
    files: AttemptFiles,
    *,
    status: int | None,
    gives_json: bool,
    max_result_bytes: int,
    max_output_bytes: int,
) -> CommandEnd:
    """
    Return what is known of a command that is over, its outputs brought within their bound.

    A document is read only for a command that succeeded. When there are two, the one in
    INBOXD_RESULT_FILE counts: writing it is the more deliberate act.
    """
    most = tail_bytes(max_result_bytes)
    stdout, out_is_cut = _tail(files.out, most, max_output_bytes)
    stderr, err_is_cut = _tail(files.err, most, max_output_bytes)
    end = CommandEnd(
        status=status, stdout=stdout, stderr=stderr, truncated=out_is_cut or err_is_cut
    )
    if status != 0:
        return end
    if (found := _document(files.result, max_result_bytes)) is not None:
        return _with_document(end, found, "INBOXD_RESULT_FILE")
    if gives_json:
        found = _document(files.out, max_result_bytes)
        return _with_document(end, found if found is not None else (b"", None), "stdout")
    return end


def remove_what_is_over(files: AttemptFiles) -> None:
    """
    Remove the result file, which is in the store by now.

    Outputs stay, empty ones too: a follower may have them open, and removing a file for each
    command costs more than keeping it until the tree is removed (see inboxd.running.locks).
    """
    with contextlib.suppress(OSError):
        os.unlink(files.result)  # noqa: PTH108 - a string, see AttemptFiles


def _tail(path: str, most: int, max_output_bytes: int) -> tuple[bytes, bool]:
    try:
        size = os.lstat(path).st_size
    except FileNotFoundError:
        return b"", False  # the command removed it
    if size > max_output_bytes:
        bound_log(path, max_bytes=max_output_bytes)
    return log_tail(path, size=size, most=most)


def _document(path: str, max_bytes: int) -> tuple[bytes, int | None] | None:
    """Return a file's content, or its size when it is too large; None when there is no file."""
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        return None  # not written; or made a link, which is not followed
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return None
        if facts.st_size > max_bytes:
            return b"", facts.st_size
        pieces: list[bytes] = []
        while piece := os.read(descriptor, max_bytes + 1):
            pieces.append(piece)
        return b"".join(pieces), None
    finally:
        os.close(descriptor)


def _with_document(
    end: CommandEnd,
    found: tuple[bytes, int | None],
    source: Literal["stdout", "INBOXD_RESULT_FILE"],
) -> CommandEnd:
    document, oversize = found
    return msgspec.structs.replace(
        end, document=document, oversize=oversize, document_source=source
    )
