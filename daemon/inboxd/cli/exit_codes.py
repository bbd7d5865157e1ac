"""The exit codes of the command line (docs/reference/cli.md): the one table."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["MEANINGS", "ExitCode"]


class ExitCode(IntEnum):
    """What the command `inboxd` ends with."""

    GOOD = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    INVALID_FILE = 4
    CONFLICT = 5
    NOT_REACHABLE = 69
    IN_USE = 73
    TRY_LATER = 75
    CONFIGURATION = 78
    TIMED_OUT = 124
    INTERRUPTED = 130


#: For people, in the order of the codes.
MEANINGS = {
    ExitCode.GOOD: "good",
    ExitCode.FAILED: "a task or tree failed or was cancelled; `doctor`: something is wrong",
    ExitCode.USAGE: "the command line cannot be understood, or what it names is ambiguous",
    ExitCode.NOT_FOUND: "not found",
    ExitCode.INVALID_FILE: "a task file is invalid",
    ExitCode.CONFLICT: "conflict with the state that things are in",
    ExitCode.NOT_REACHABLE: "no daemon can be reached",
    ExitCode.IN_USE: "the state directory or the inbox is in use by another daemon",
    ExitCode.TRY_LATER: "not now; try later",
    ExitCode.CONFIGURATION: "the configuration cannot be used",
    ExitCode.TIMED_OUT: "timed out",
    ExitCode.INTERRUPTED: "interrupted",
}
