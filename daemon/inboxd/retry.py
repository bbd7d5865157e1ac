"""Whether and when a failed attempt is followed by another. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inboxd.task import Failed, RetryPolicy

__all__ = ["retry_delay_seconds"]


def retry_delay_seconds(
    policy: RetryPolicy | None, failed: Failed, *, failures: int, chance: float
) -> float | None:
    """
    Return the seconds until the next attempt, or None when there is none.

    Args:
        policy: the task's; None allows no retry.
        failed: how the attempt ended.
        failures: failed attempts so far, this one included; >= 1. Interrupted ones do not count.
        chance: 0 <= chance < 1, where in the jitter's range the delay falls.

    Returns:
        `delay x backoff^(failures-1)`, at most `max_delay`, then moved by up to `jitter` of
        itself either way but never past `max_delay`; or what the executor asked for.
    """
    if policy is None or not failed.retryable or failures > policy.limit:
        return None
    if failed.retry_after_seconds is not None:
        return max(0.0, failed.retry_after_seconds)
    try:
        delay = policy.delay_seconds * policy.backoff ** (failures - 1)
    except OverflowError:
        delay = policy.max_delay_seconds
    delay = min(delay, policy.max_delay_seconds)
    return min(delay * (1 + policy.jitter * (2 * chance - 1)), policy.max_delay_seconds)
