"""Functions that the executor `python` calls in the conformance suite."""

from __future__ import annotations

import time


def work(seconds: float = 0.0, *, fails: bool = False) -> dict[str, float]:
    """Take a while, then fail or not."""
    time.sleep(seconds)
    if fails:
        raise ValueError("it was to fail")
    return {"seconds": seconds}
