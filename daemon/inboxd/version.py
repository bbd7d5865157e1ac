"""The version of this program, as its distribution says."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["VERSION"]

VERSION: str = version("inboxd")
