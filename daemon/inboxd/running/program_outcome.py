"""Pure: how a program that speaks the line protocol ended, as the outcome of its attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.names import escaped
from inboxd.running.command_outcome import EXIT_NO_RETRY, command_outcome, ending_error
from inboxd.running.outcomes import DONE, result_too_large
from inboxd.running.program_lines import MOST_LINES_A_LOOK
from inboxd.task import Completed, Failed, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from inboxd.running.command_outcome import CommandEnd
    from inboxd.running.program_lines import ProgramLines
    from inboxd.task import Outcome

__all__ = ["program_outcome"]

#: An error's message is for people: more than this of a foreign text is of no use to them.
_LONGEST_MESSAGE = 500


def program_outcome(end: CommandEnd, lines: ProgramLines, *, max_result_bytes: int) -> Outcome:
    """
    Return the outcome of a program that ended by itself, or by a signal that we did not send.

    An error that it told counts first, however it ended; then its exit status; then its result.
    What would be lost in silence (a second result, a line that is no JSON where no result came,
    output that was dropped unread) fails the attempt.
    """
    if lines.error is not None:
        message = escaped(lines.error.message)[:_LONGEST_MESSAGE]
        if lines.error.problem is not None:
            message = f"{message} ({lines.error.problem})"
        return Failed(
            error=TaskError(code=TaskErrorCode.EXCEPTION, message=message),
            retryable=lines.error.retryable,
            retry_after_seconds=lines.error.retry_after_seconds,
        )
    if end.status != 0:
        return Failed(error=ending_error(end), retryable=end.status != EXIT_NO_RETRY)
    if lines.oversize is not None:
        return result_too_large(lines.oversize, max_result_bytes)
    if lines.oversize_line is not None:
        return result_too_large(lines.oversize_line, max_result_bytes, what="a line of stdout")
    if end.oversize is not None:
        return result_too_large(end.oversize, max_result_bytes)
    if end.document is not None and not lines.results:
        return command_outcome(end, max_result_bytes=max_result_bytes)
    problem = _problem(lines, has_document=end.document is not None)
    if problem is not None:
        return Failed(error=TaskError(code=TaskErrorCode.INVALID_RESULT, message=problem))
    return DONE if lines.result is None else Completed(result=lines.result)


def _problem(lines: ProgramLines, *, has_document: bool) -> str | None:
    results = lines.results + has_document
    if results > 1:
        where = "in lines of stdout"
        if has_document:
            where = f"{lines.results:,} on stdout and one in INBOXD_RESULT_FILE"
        return f"there are {results:,} results, {where}; a program gives one"
    if lines.has_too_many_lines:
        return (
            f"stdout has more than {MOST_LINES_A_LOOK:,} lines that begin with {{ within a second;"
            " they are not all read, so its result may be missed"
        )
    if lines.results:
        return None
    if lines.unreadable is not None:
        return (
            f"no result, and this line of stdout begins with {{ and is no JSON: {lines.unreadable}"
        )
    if lines.spread is not None:
        return (
            "no result, and this line of stdout looks like a part of one that is spread over"
            f" several lines: {lines.spread}; print it on one line (jq -c, or json.dumps without"
            " indent)"
        )
    if lines.dropped:
        return (
            f"no result in what was kept of stdout: {lines.dropped:,} bytes were dropped before"
            " they were read; see the setting run.max_output_bytes"
        )
    return None
