"""A plugin that a worker process cannot import."""

from __future__ import annotations

print("about to break")
raise ImportError("it needs what is not there")
