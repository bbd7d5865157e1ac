"""The end of a command: its files read, kept within their bounds, and made its outcome."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from typing import TYPE_CHECKING, Literal

import msgspec

from inboxd.running.command_outcome import (
    CommandEnd,
    command_outcome,
    command_result,
    tail_bytes,
)
from inboxd.running.logs import bound_log, log_tail
from inboxd.running.outcomes import CUT, raised, timed_out
from inboxd.running.program_outcome import program_outcome

if TYPE_CHECKING:
    from inboxd.config.settings import RunSettings
    from inboxd.running.paths import AttemptFiles
    from inboxd.running.spawn import RunningCommand
    from inboxd.task import Outcome

__all__ = ["bound_outputs", "outcome_of", "read_end", "remove_what_is_over"]

logger = logging.getLogger(__name__)

#: Not through a link, and without waiting for the writer of a FIFO.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def outcome_of(command: RunningCommand, settings: RunSettings) -> Outcome:
    """Return the outcome of a command whose leader is over; its outputs are bounded by it."""
    try:
        if command.is_cut:
            bound_outputs(command.files, max_bytes=settings.max_output_bytes)
            return CUT
        command.look_at_progress()
        lines = command.lines
        if lines is not None and not command.is_timed_out:
            # Within its bound first: how much came since the last look nobody knows.
            bound_outputs(command.files, max_bytes=settings.max_output_bytes)
            lines.look(command.files.out, is_over=True)
        end = read_end(
            command.files,
            status=command.status,
            gives_json=command.gives_json,
            max_result_bytes=settings.max_result_bytes,
            max_output_bytes=settings.max_output_bytes,
        )
        if command.is_timed_out and command.limit is not None:
            return timed_out(command.limit, result=command_result(end) if lines is None else None)
        if lines is not None:
            return program_outcome(end, lines, max_result_bytes=settings.max_result_bytes)
        return command_outcome(end, max_result_bytes=settings.max_result_bytes)
    except Exception as error:  # the outer door of one attempt
        logger.exception(
            "end of attempt unreadable",
            extra={"event": "attempt_end_unreadable", "task": command.attempt.task_id},
        )
        return raised(error)


def bound_outputs(files: AttemptFiles, *, max_bytes: int) -> None:
    """Drop the middle of outputs that are over their bound; what prevents it is logged."""
    for path in (files.out, files.err):
        _bounded_size(path, max_bytes)


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
    Remove the result file, which is part of the outcome by now.

    Outputs stay, empty ones too: a follower may have them open, and removing a file for each
    command costs more than keeping it until the tree is removed (see inboxd.running.locks).
    """
    with contextlib.suppress(OSError):
        os.unlink(files.result)  # noqa: PTH108 - a string, see AttemptFiles


def _bounded_size(path: str, max_bytes: int) -> int:
    """Return the size of an output, with its middle dropped if it is over the bound."""
    try:
        size = os.lstat(path).st_size
        if size > max_bytes:
            bound_log(path, max_bytes=max_bytes)
    except FileNotFoundError:
        return 0  # the command removed it
    except OSError:
        logger.warning(
            "output not bounded",
            exc_info=True,
            extra={"event": "output_not_bounded", "path": path},
        )
        return 0
    return size


def _tail(path: str, most: int, max_output_bytes: int) -> tuple[bytes, bool]:
    return log_tail(path, size=_bounded_size(path, max_output_bytes), most=most)


def _document(path: str, max_bytes: int) -> tuple[bytes, int | None] | None:
    """
    Return a file's content, or its size when it is too large; None when nothing is there.

    What is there and is no regular file counts as an empty one.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None  # not written
    except OSError:
        return b"", None  # a link, which is not followed, or a socket: no document
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return b"", None  # a directory or a FIFO: no document
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
