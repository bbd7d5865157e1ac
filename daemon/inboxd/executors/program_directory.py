"""
`[plugins] directory`: each program in it is an executor of the file's name.

Who can write there runs programs as the daemon's user, so the directory, the programs and what
describes them must belong to root or to that user, and nobody else may write to them.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.errors import InboxdError
from inboxd.executors.program import Program
from inboxd.executors.program_table import checked_schema, read_json_object
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ProgramRefused", "directory_problem", "program_names", "program_of", "programs_refused"]

_DESCRIPTION_KEYS = ("description", "inputs_schema")


class ProgramRefused(InboxdError):
    """A program that must not be run as it is; the text says why, and what to do."""


def program_of(directory: Path, name: str) -> Program | None:
    """
    Return the executor of a name; None when no program of the name is there.

    Raises:
        ProgramRefused: one is there, and must not be run.
    """
    path = directory / name
    if "/" in name or name.startswith(".") or not os.path.lexists(path):
        return None
    _check_directory(directory)
    _check_file(path, directory, is_program=True)
    description, schema = f"Runs {name}.", None
    beside = directory / f"{name}.json"
    if os.path.lexists(beside):
        _check_file(beside, directory, is_program=False)
        try:
            said = read_json_object(beside, escaped(str(beside)))
            if unknown := sorted(said.keys() - set(_DESCRIPTION_KEYS)):
                raise ValueError(  # noqa: TRY301 # one door for all that is wrong with it
                    f'{escaped(str(beside))}: unknown key "{escaped(unknown[0])}";'
                    f" known are: {', '.join(_DESCRIPTION_KEYS)}"
                )
            description = str(said.get("description", description))
            if said.get("inputs_schema") is not None:
                schema = checked_schema(said["inputs_schema"], escaped(str(beside)))
        except ValueError as error:
            raise ProgramRefused(str(error)) from error

    def check() -> None:
        _check_directory(directory)
        _check_file(path, directory, is_program=True)

    return Program(
        name=name,
        argv=(str(path),),
        description=description,
        inputs_schema=schema,
        check=check,
    )


def program_names(directory: Path) -> Iterator[str]:
    """Yield the names in a directory that may be executors, sorted; none if it cannot be read."""
    try:
        found = sorted(entry.name for entry in os.scandir(directory))
    except OSError:
        return
    described = {f"{name}.json" for name in found}
    for name in found:
        if not name.startswith(".") and name not in described:
            yield name


def directory_problem(directory: Path) -> str | None:
    """Return one sentence on what is wrong with the directory itself, or None."""
    try:
        _check_directory(directory)
    except ProgramRefused as error:
        return str(error)
    return None


def programs_refused(directory: Path) -> Iterator[str]:
    """Yield one sentence for each file in the directory that must not be run."""
    for name in program_names(directory):
        try:
            program_of(directory, name)
        except ProgramRefused as error:
            yield str(error)


def _check_directory(directory: Path) -> None:
    shown = escaped(str(directory))
    try:
        facts = directory.stat()
    except OSError as error:
        raise ProgramRefused(f"{shown}: cannot be read: {error.strerror}") from error
    if not stat.S_ISDIR(facts.st_mode):
        raise ProgramRefused(f"{shown}: is no directory")
    _check_owner(facts, shown)
    # Who can write above it could put another in its place, a link to /usr/bin for one.
    for way in dict.fromkeys([directory, *directory.parents, *directory.resolve().parents]):
        _check_way(way)


def _check_way(path: Path) -> None:
    shown = escaped(str(path))
    try:
        facts, link = path.stat(), path.lstat()
    except OSError as error:
        raise ProgramRefused(f"{shown}: cannot be read: {error.strerror}") from error
    if not {facts.st_uid, link.st_uid} <= {0, os.geteuid()}:
        raise ProgramRefused(
            f"{shown}: leads to the programs, and belongs to another user than root and the one"
            " that inboxd runs as"
        )
    # In a sticky directory nobody can move what is another's (unlink(2)).
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not facts.st_mode & stat.S_ISVTX:
        raise ProgramRefused(
            f"{shown}: others may write to it, and so put other programs in the place of these;"
            f" chmod go-w {shown}"
        )


def _check_file(path: Path, directory: Path, *, is_program: bool) -> None:
    shown = escaped(str(path))
    try:
        target = path.resolve(strict=True)
        facts = target.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or str(error)
        raise ProgramRefused(f"{shown}: cannot be read: {escaped(reason)}") from error
    if directory.resolve() not in target.parents:
        raise ProgramRefused(
            f"{shown}: is a link that leads out of the directory; put the program itself there"
        )
    if not stat.S_ISREG(facts.st_mode):
        raise ProgramRefused(f"{shown}: is no regular file")
    _check_owner(facts, shown)
    if is_program and not os.access(target, os.X_OK):
        raise ProgramRefused(f"{shown}: may not be executed; chmod +x {shown}")


def _check_owner(facts: os.stat_result, shown: str) -> None:
    if facts.st_uid not in {0, os.geteuid()}:
        raise ProgramRefused(
            f"{shown}: belongs to user {facts.st_uid}; it must belong to root or to the user that"
            " inboxd runs as"
        )
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ProgramRefused(
            f"{shown}: others may write to it, and so have inboxd run what they want;"
            f" chmod go-w {shown}"
        )
