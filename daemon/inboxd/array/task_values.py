"""Values of a task that are more than a type: durations, retry, times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from inboxd.array.problem import Finding, Path, ProblemCode, quoted
from inboxd.array.records import RetryFields
from inboxd.array.values import LONGEST_SECONDS, time_micros
from inboxd.durations import duration_seconds
from inboxd.task import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd.array.records import CheckedTask

__all__ = ["check_values", "retry_policy"]

_STANDARD = RetryPolicy()
_OFFSET = re.compile(r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})$")


def check_values(task: CheckedTask, path: Path) -> Iterator[Finding]:
    """Yield what is wrong with `timeout`, `retry` and `not_before`, whose types were checked."""
    if task.timeout is not UNSET and task.timeout is not None:
        yield from _check_duration(task.timeout, (*path, "timeout"), is_positive=True)
    if isinstance(task.retry, RetryFields):
        yield from _check_retry(task.retry, (*path, "retry"))
    if task.not_before is not UNSET and time_micros(task.not_before) is None:
        has_offset = _OFFSET.search(task.not_before) is not None
        yield Finding(
            code=ProblemCode.INVALID_VALUE,
            path=(*path, "not_before"),
            message=f"{quoted(task.not_before)} is no RFC 3339 time with an offset",
            hint=(
                "write it like 2026-11-24T10:00:00Z"
                if has_offset
                else "say where it counts: end it with Z or an offset like +01:00"
            ),
        )


def _check_duration(
    value: float | str, path: Path, *, is_positive: bool = False
) -> Iterator[Finding]:
    seconds = duration_seconds(value)
    if seconds is None:
        yield Finding(
            code=ProblemCode.INVALID_VALUE,
            path=path,
            message=f"{quoted(str(value))} is no duration",
            hint='write a number of seconds, or text like "500ms", "90s", "10m", "2h", "1d"',
        )
    elif seconds > LONGEST_SECONDS:
        yield Finding(
            code=ProblemCode.OUT_OF_RANGE, path=path, message="the duration is over ten years"
        )
    elif is_positive and seconds == 0:
        yield Finding(
            code=ProblemCode.OUT_OF_RANGE,
            path=path,
            message="no attempt can end within no time",
            hint="write null for no limit, or leave the field out",
        )


def _check_retry(retry: RetryFields, path: Path) -> Iterator[Finding]:
    findings: list[Finding] = []
    if retry.delay is not UNSET:
        findings.extend(_check_duration(retry.delay, (*path, "delay")))
    if retry.max_delay is not UNSET:
        findings.extend(_check_duration(retry.max_delay, (*path, "max_delay")))
    yield from findings
    if findings or retry.delay is UNSET or retry.max_delay is UNSET:
        return
    if (duration_seconds(retry.delay) or 0) > (duration_seconds(retry.max_delay) or 0):
        yield Finding(
            code=ProblemCode.CONFLICTING_FIELDS,
            path=(*path, "delay"),
            message="`delay` is longer than `max_delay`",
            hint="raise `max_delay`, or leave it out",
        )


def retry_policy(retry: int | RetryFields | UnsetType) -> RetryPolicy | None:
    """Return the policy of a checked `retry`; None when there is no second attempt."""
    if isinstance(retry, int):
        return RetryPolicy(limit=retry) if retry else None
    if isinstance(retry, UnsetType) or retry.limit is UNSET or not retry.limit:
        return None
    delay = _seconds(retry.delay, _STANDARD.delay_seconds)
    return RetryPolicy(
        limit=retry.limit,
        delay_seconds=delay,
        backoff=_STANDARD.backoff if retry.backoff is UNSET else float(retry.backoff),
        # A long `delay` alone is meant as it is, not cut to the default of `max_delay`.
        max_delay_seconds=_seconds(retry.max_delay, max(delay, _STANDARD.max_delay_seconds)),
        jitter=_STANDARD.jitter if retry.jitter is UNSET else float(retry.jitter),
    )


def _seconds(value: float | str | UnsetType, otherwise: float) -> float:
    if isinstance(value, UnsetType):
        return otherwise
    seconds = duration_seconds(value)
    return otherwise if seconds is None else seconds
