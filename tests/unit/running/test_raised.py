"""Where an executor raised, as its error says it: short, and nothing of the daemon's own."""

from __future__ import annotations

from typing import NoReturn

import msgspec
import pytest

from inboxd.running.raised import raised_by_executor
from inboxd.running.result_json import encoded_result
from inboxd.task import TaskError, TaskErrorCode


def _deep(left: int) -> NoReturn:
    if left:
        _deep(left - 1)
    raise ValueError("at the bottom")


def _traceback_of(depth: int) -> str:
    with pytest.raises(ValueError, match="bottom") as caught:
        _deep(depth)
    text = raised_by_executor(caught.value).error.traceback
    assert text is not None
    return text


def test_the_last_frames_are_told() -> None:
    text = _traceback_of(50)

    assert text.endswith('raise ValueError("at the bottom")')
    assert 1 <= text.count("  File ") <= 8
    assert len(text) <= 4_000


def test_frames_of_the_daemon_are_not() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - only its frames matter
        encoded_result(object())
    ours = caught.value.__traceback__
    assert ours is not None

    assert raised_by_executor(caught.value.with_traceback(ours.tb_next)).error.traceback is None


def test_what_an_error_lacks_is_none_and_not_written() -> None:
    error = TaskError(code=TaskErrorCode.EXCEPTION, message="m")

    assert (error.exit_code, error.signal, error.traceback) == (None, None, None)
    assert msgspec.json.encode(error) == b'{"code":"exception","message":"m","cause":null}'
    assert msgspec.json.decode(msgspec.json.encode(error), type=TaskError) == error
