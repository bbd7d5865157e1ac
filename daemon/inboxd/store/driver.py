"""Which SQLite the store uses: the standard library's, or a newer one from a wheel (ADR 0004)."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["sqlite_module", "sqlite_version"]

#: From this version on the standard library's SQLite has the WAL-reset bug mended.
_MENDED = (3, 51, 3)


def sqlite_module() -> ModuleType:
    """
    Return the SQLite driver: the standard library's where it is mended, else the wheel's.

    Without a wheel for this machine it is the standard library's, whatever its version.
    """
    if sqlite3.sqlite_version_info >= _MENDED:
        return sqlite3
    try:
        from pysqlite3 import dbapi2  # pyright: ignore[reportMissingTypeStubs] # it ships none
    except ImportError:
        return sqlite3
    module: ModuleType = dbapi2
    return module


def sqlite_version() -> str:
    """Return the version of the SQLite library that the store uses."""
    return str(sqlite_module().sqlite_version)
