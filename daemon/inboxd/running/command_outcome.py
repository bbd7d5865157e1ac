"""Pure: how a command ended, as the outcome of its attempt."""

from __future__ import annotations

import signal
from typing import Any, Literal

import msgspec

from inboxd.names import escaped
from inboxd.running.outcomes import result_too_large
from inboxd.task import Completed, Failed, Outcome, TaskError, TaskErrorCode

__all__ = [
    "EXIT_NO_RETRY",
    "CommandEnd",
    "command_outcome",
    "command_result",
    "ending_error",
    "tail_bytes",
]

#: sysexits(3) calls it EX_DATAERR: the data is wrong, and will be the next time.
EXIT_NO_RETRY = 65

#: Of stdout and stderr this much is in the result.
_TAIL_BYTES = 64 * 1024
#: JSON writes one byte as up to six (`\\u0000`), and there are two tails.
_WORST_GROWTH = 12
#: The rest of the result.
_FRAME_BYTES = 128

#: Of the last lines of stderr, in the error's message.
_MESSAGE_LINES = 3
_MESSAGE_CHARACTERS = 300

#: What almost every command that says nothing gives.
_QUIET_SUCCESS = Completed(
    result=b'{"exit_code":0,"stdout":"","stderr":"","truncated":false}',
)


class CommandEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a command when it is over."""

    #: As `subprocess` says it: negative is the number of the signal that ended it. None when
    #: something else in this process waited for it first, so that nobody can know.
    status: int | None
    #: The ends of its output, and whether there was more.
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
    #: What it left in INBOXD_RESULT_FILE, or all of stdout when that is to be JSON; None when its
    #: result is exit code and output.
    document: bytes | None = None
    #: Where the document comes from, and its size when it is larger than is allowed.
    document_source: Literal["stdout", "INBOXD_RESULT_FILE"] = "stdout"
    oversize: int | None = None


def tail_bytes(max_result_bytes: int) -> int:
    """Return how much of each stream goes into a result that must fit its bound at the worst."""
    return max(0, min(_TAIL_BYTES, (max_result_bytes - _FRAME_BYTES) // _WORST_GROWTH))


def command_outcome(end: CommandEnd, *, max_result_bytes: int) -> Outcome:
    """Return the outcome of a command that ended by itself, or by a signal that we did not send."""
    if end.status != 0:
        return Failed(
            error=ending_error(end),
            retryable=end.status != EXIT_NO_RETRY,
            result=command_result(end),
        )
    if end.oversize is not None:
        failed = result_too_large(end.oversize, max_result_bytes)
        return msgspec.structs.replace(failed, result=command_result(end))
    if end.document is not None:
        return _outcome_of_document(end, end.document, max_result_bytes)
    if not end.stdout and not end.stderr and not end.truncated:
        return _QUIET_SUCCESS
    return Completed(result=command_result(end))


def command_result(end: CommandEnd) -> bytes:
    """Return `{"exit_code", "stdout", "stderr", "truncated"}`; a signal's exit code is null."""
    return msgspec.json.encode(
        {
            "exit_code": end.status if end.status is not None and end.status >= 0 else None,
            "stdout": _text(end.stdout, is_cut=end.truncated),
            "stderr": _text(end.stderr, is_cut=end.truncated),
            "truncated": end.truncated,
        }
    )


def _outcome_of_document(end: CommandEnd, document: bytes, max_result_bytes: int) -> Outcome:
    try:
        value: Any = msgspec.json.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        is_empty = not document.strip()
        what = "it is empty, or no regular file" if is_empty else str(error)
        return Failed(
            error=TaskError(
                code=TaskErrorCode.INVALID_RESULT,
                message=f"{end.document_source} is no JSON document: {escaped(what)}",
            ),
            result=command_result(end),
        )
    # Encoded again: without blanks, and each key once.
    result = msgspec.json.encode(value)
    if len(result) > max_result_bytes:
        failed = result_too_large(len(result), max_result_bytes)
        return msgspec.structs.replace(failed, result=command_result(end))
    return Completed(result=result)


def ending_error(end: CommandEnd) -> TaskError:
    """Return the error of a command whose exit status is not 0."""
    if end.status is None:
        return TaskError(
            code=TaskErrorCode.EXCEPTION,
            message="its exit status is lost: something else in our process waited for it",
        )
    last_lines = _last_lines(end.stderr)
    ending = f": {last_lines}" if last_lines else ""
    if end.status > 0:
        return TaskError(
            code=TaskErrorCode.EXIT_STATUS,
            message=f"exit status {end.status}{ending}",
            exit_code=end.status,
        )
    name = _signal_name(-end.status)
    return TaskError(code=TaskErrorCode.SIGNAL, message=f"ended by {name}{ending}", signal=name)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one


def _last_lines(stderr: bytes) -> str:
    """Return the last lines of stderr on one line, escaped and bounded."""
    # Four bytes a character at the most, and some for blank lines.
    text = stderr[-8 * _MESSAGE_CHARACTERS :].decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()][-_MESSAGE_LINES:]
    joined = escaped(" | ".join(lines))
    if len(joined) <= _MESSAGE_CHARACTERS:
        return joined
    return "…" + joined[1 - _MESSAGE_CHARACTERS :]


def _text(data: bytes, *, is_cut: bool) -> str:
    """Return output as text; a character that the cut went through is left out."""
    if is_cut:
        skipped = 0
        while skipped < min(3, len(data)) and data[skipped] & 0xC0 == 0x80:
            skipped += 1
        data = data[skipped:]
    return data.decode("utf-8", "replace")
