"""Pure: what an executor returned or raised, as the outcome of its attempt."""

from __future__ import annotations

from typing import Any

from inboxd.array.values import LONGEST_SECONDS
from inboxd.errors import InboxdError, InvalidInputs, NoRetry, RetryLater
from inboxd.names import escaped
from inboxd.running.result_json import encoded_result, why_not_faithful
from inboxd.task import Completed, Failed, Interrupted, Outcome, TaskError, TaskErrorCode

__all__ = [
    "CUT",
    "DONE",
    "duration_text",
    "failed_to_start",
    "outcome_of_value",
    "raised",
    "result_too_large",
    "timed_out",
]

#: The outcome of an attempt with the result null; one value serves them all.
DONE = Completed()
#: The outcome of an attempt that a stop of the daemon cut.
CUT = Interrupted(counts=False)

#: An error's message is for people: more than this of a foreign text is of no use to them.
_LONGEST_MESSAGE = 500


def outcome_of_value(value: Any, *, max_result_bytes: int) -> Outcome:
    """Return the outcome of an executor that returned *value*."""
    if value is None:
        return DONE
    try:
        result = encoded_result(value)
    except ValueError as error:
        return _failed(TaskErrorCode.INVALID_RESULT, f"the result is no JSON value: {error}")
    if len(result) > max_result_bytes:
        return result_too_large(len(result), max_result_bytes)
    if (problem := why_not_faithful(value, result)) is not None:
        return _failed(TaskErrorCode.INVALID_RESULT, f"the result is no JSON value: {problem}")
    return Completed(result=result)


def result_too_large(size: int, max_result_bytes: int, *, what: str = "the result") -> Failed:
    """Return the outcome of an attempt whose result is larger than the setting allows."""
    return _failed(
        TaskErrorCode.RESULT_TOO_LARGE,
        f"{what} is {size:,} bytes, and the setting run.max_result_bytes allows"
        f" {max_result_bytes:,}; write large data to a file and return where it is",
    )


def raised(error: BaseException) -> Failed:
    """Return the outcome of an executor that raised *error*, whatever that is or does."""
    try:
        return _raised(error)
    except BaseException as problem:  # it is the plugin's code, and an attempt must end
        return _failed(
            TaskErrorCode.EXCEPTION,
            f"it raised what cannot be read: looking at it raised {type(problem).__qualname__}",
        )


def _raised(error: BaseException) -> Failed:
    text = _text_of(error)
    match error:
        case InvalidInputs():
            return _failed(TaskErrorCode.INVALID_INPUTS, text or "InvalidInputs", retryable=False)
        case NoRetry():
            return _failed(TaskErrorCode.EXCEPTION, text or "NoRetry", retryable=False)
        case RetryLater():
            after, problem = _seconds(getattr(error, "after_seconds", None))
            if problem is not None:
                text = f"{text} ({problem})" if text else problem
            return Failed(
                error=TaskError(code=TaskErrorCode.EXCEPTION, message=text),
                retry_after_seconds=after,
            )
        case InboxdError() if text:  # written for people: the class says nothing more to them
            return _failed(TaskErrorCode.EXCEPTION, text)
        case _:
            name = type(error).__name__
            return _failed(TaskErrorCode.EXCEPTION, f"{name}: {text}" if text else name)


def _text_of(error: BaseException) -> str:
    """Return an exception's text, bounded, whatever its `__str__` does."""
    try:
        text = str(error)
    except BaseException as problem:  # it is the plugin's code
        return f"its text cannot be had: __str__ raised {type(problem).__name__}"
    return escaped(text[:_LONGEST_MESSAGE])[:_LONGEST_MESSAGE]


def _seconds(after: object) -> tuple[float | None, str | None]:
    """
    Return what `RetryLater` was given as seconds, or why it counts as if it had not said.

    A number that no clock comes to would be a due time that the store cannot hold.
    """
    if not isinstance(after, int | float) or after != after:
        return None, None
    if after > LONGEST_SECONDS:
        return None, "RetryLater was given over ten years: it is seconds that it takes"
    return max(0.0, float(after)), None


def failed_to_start(message: str) -> Failed:
    """Return the outcome of a command that could not be started; it may be possible later."""
    return _failed(TaskErrorCode.SPAWN_FAILED, message)


def timed_out(limit_seconds: float, *, result: bytes | None = None) -> Failed:
    """Return the outcome of an attempt that its time limit ended."""
    return Failed(
        error=TaskError(
            code=TaskErrorCode.TIMEOUT,
            message=f"it was ended after its time limit of {duration_text(limit_seconds)}",
        ),
        result=result,
    )


def duration_text(seconds: float) -> str:
    """Return a duration for a sentence: `0.5 s`, `90 s`."""
    return f"{seconds:.6g} s"


def _failed(code: TaskErrorCode, message: str, *, retryable: bool = True) -> Failed:
    return Failed(
        error=TaskError(code=code, message=escaped(message)[:_LONGEST_MESSAGE]), retryable=retryable
    )
