"""Runs the Python programs of a page, as whoever copies them from it does."""

from __future__ import annotations

import contextlib
import io
import sys
import types
from typing import Any

__all__ = ["run_program"]


def run_program(text: str, *, name: str, line: int = 1) -> tuple[str, dict[str, Any]]:
    """
    Run a program in this process, as the script that was started.

    Args:
        text: the whole program.
        name: of the page or file, for tracebacks.
        line: of it, where the program begins; from 1.

    Returns:
        What it printed, and the names that it left at its top level.
    """
    main = types.ModuleType("__main__")
    code = compile("\n" * (line - 1) + text, name, "exec", dont_inherit=True)
    before, printed = sys.modules["__main__"], io.StringIO()
    sys.modules["__main__"] = main
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, main.__dict__)  # noqa: S102 - the pages are ours
    finally:
        sys.modules["__main__"] = before
    return printed.getvalue(), main.__dict__
