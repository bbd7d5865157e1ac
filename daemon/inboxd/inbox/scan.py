"""Look through a directory: what lies there, without opening any of it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.inbox.file_names import (
    RECEIPT_SUFFIX,
    is_candidate,
    is_misplaced_answer,
    split_claimed_name,
)
from inboxd.inbox.formats import unread_reason
from inboxd.inbox.settle import Candidate, Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Scan", "candidate_of", "facts_of", "scan_claimed", "scan_inbox"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What lies in the inbox."""

    candidates: tuple[Candidate, ...]
    #: Names that look meant for us and are never taken, and why.
    misplaced: tuple[tuple[bytes, str], ...]


def scan_inbox(directory: int, suffixes: Sequence[bytes]) -> Scan:
    """
    Return what lies in the inbox, in no order.

    Raises:
        OSError: the directory cannot be read.
    """
    candidates: list[Candidate] = []
    misplaced: list[tuple[bytes, str]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if is_candidate(name, suffixes):
                if entry.is_dir(follow_symlinks=False):
                    misplaced.append((name, "it is a directory"))
                    continue
                try:
                    facts = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # taken back by its owner
                    continue
                candidates.append(candidate_of(name, facts))
            elif is_misplaced_answer(name):
                misplaced.append((name, _answer_reason(name)))
            elif (reason := unread_reason(name)) is not None:
                misplaced.append((name, reason))
    return Scan(candidates=tuple(candidates), misplaced=tuple(misplaced))


def _answer_reason(name: bytes) -> str:
    kind = "receipt" if name.endswith(RECEIPT_SUFFIX) else "result"
    return f"it has the name of a {kind}"


def scan_claimed(directory: int) -> list[Candidate]:
    """
    Return the files in `.claimed/`, by their names there, in no order.

    Raises:
        OSError: the directory cannot be read.
    """
    found: list[Candidate] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if split_claimed_name(name) is not None:
                found.append(candidate_of(name, entry.stat(follow_symlinks=False)))
    return found


def candidate_of(name: bytes, facts: os.stat_result) -> Candidate:
    """Return the candidate that *facts*, of lstat or fstat, describe."""
    return Candidate(
        name=name,
        facts=facts_of(facts),
        ctime_ns=facts.st_ctime_ns,
        links=facts.st_nlink,
        is_regular=stat.S_ISREG(facts.st_mode),
    )


def facts_of(facts: os.stat_result) -> Facts:
    """Return what must stay the same while a file is taken."""
    return Facts(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
