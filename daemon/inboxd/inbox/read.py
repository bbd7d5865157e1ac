"""
Read a claimed file, whole and unchanged, or say why not.

Nothing is opened that is no regular file, and nothing read that may not be taken. The bytes that
are returned are the ones that are hashed, checked and stored: whoever still holds the file open
can change the file, not them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from inboxd.array.problem import Problem, ProblemCode
from inboxd.inbox.file_names import JSON_SUFFIX, LONGEST_NAME, is_shortened, is_too_long
from inboxd.inbox.formats import nobody_reads
from inboxd.inbox.scan import candidate_of, facts_of

if TYPE_CHECKING:
    from inboxd.inbox.claim import Claim
    from inboxd.inbox.settle import Candidate

__all__ = ["Content", "Gone", "ReadRules", "Reading", "Refused", "Unsettled", "read_claimed"]

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

#: What open(2) answers for a symlink, a socket, a device without driver.
_NO_FILE = frozenset({errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EISDIR})

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRules:
    """What may be read."""

    max_bytes: int
    #: The uids whose files are taken; None: anybody's.
    owners: frozenset[int] | None
    #: The suffixes of names that are taken.
    suffixes: tuple[bytes, ...] = (JSON_SUFFIX,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The file was read."""

    data: bytes
    sha256: str
    #: The uid of the file's owner.
    owner: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The file must be rejected without a look at what is in it."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The file is not, or does not stay, what settled: it must rest again, as it is now."""

    found: Candidate


@dataclass(frozen=True, slots=True)
class Gone:
    """Somebody took the file out of `.claimed/`."""


Reading: TypeAlias = Content | Refused | Unsettled | Gone


def read_claimed(directory: int, claim: Claim, rules: ReadRules) -> Reading:
    """
    Read the claimed file of *claim* in the open *directory* `.claimed/`.

    Raises:
        OSError: the file system failed; trying again later may help.
    """
    try:
        facts = os.stat(claim.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return Gone()
    reading = _unfit(claim, facts, rules)
    if reading is not None:
        return reading
    try:
        descriptor = os.open(claim.name, _OPEN, dir_fd=directory)
    except FileNotFoundError:
        return Gone()
    except OSError as error:
        problem = _open_problem(error)
        if problem is None:
            raise
        return Refused(problem)
    try:
        return _read_open(descriptor, claim, rules)
    finally:
        os.close(descriptor)


def _read_open(descriptor: int, claim: Claim, rules: ReadRules) -> Reading:
    facts = os.fstat(descriptor)
    reading = _unfit(claim, facts, rules)
    if reading is not None:
        return reading
    data = _read_up_to(descriptor, facts.st_size + 1)
    after = os.fstat(descriptor)
    if len(data) != facts.st_size or facts_of(after) != claim.settled.facts:
        return Unsettled(candidate_of(claim.name, after))
    return Content(data=data, sha256=hashlib.sha256(data).hexdigest(), owner=facts.st_uid)


def _read_up_to(descriptor: int, most: int) -> bytes:
    """Return all that is there, but no more than *most* bytes: a file may grow while it is read."""
    data = os.read(descriptor, most)
    parts = [data]
    length = len(data)
    while data and length < most:
        data = os.read(descriptor, most - length)
        parts.append(data)
        length += len(data)
    return parts[0] if len(parts) <= 2 and not data else b"".join(parts)


def _unfit(claim: Claim, facts: os.stat_result, rules: ReadRules) -> Refused | Unsettled | None:
    problem = (
        _name_problem(claim.file_name, rules)
        or _kind_problem(facts)
        or _owner_problem(facts, rules)
        or _size_problem(facts, rules)
    )
    if problem is not None:
        return Refused(problem)
    if facts.st_nlink > 1:
        if claim.settled.links > 1 and facts_of(facts) == claim.settled.facts:
            return Refused(_link_problem())
        return Unsettled(candidate_of(claim.name, facts))
    if facts_of(facts) != claim.settled.facts:
        return Unsettled(candidate_of(claim.name, facts))
    return None


def _name_problem(name: bytes, rules: ReadRules) -> Problem | None:
    if not is_too_long(name):
        if name.endswith(rules.suffixes):
            return None
        # After a crash only what was kept of too long a name is known, which has no suffix.
        if not is_shortened(name):
            return nobody_reads(name)  # a plugin did when the file was claimed
    return _problem(
        ProblemCode.NAME_TOO_LONG,
        f"the file's name has more than {LONGEST_NAME} bytes",
        "give the file a shorter name and drop it again",
    )


def _kind_problem(facts: os.stat_result) -> Problem | None:
    if stat.S_ISREG(facts.st_mode):
        return None
    kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "no regular file")
    return _problem(
        ProblemCode.NOT_A_REGULAR_FILE,
        f"this is {kind}, and was not opened",
        "drop a copy of the file itself",
    )


def _link_problem() -> Problem:
    return _problem(
        ProblemCode.NOT_A_REGULAR_FILE,
        "the file has a second name (a hard link), through which it could be changed; it was not"
        " opened",
        "drop a copy, or remove the other name right after linking",
    )


def _owner_problem(facts: os.stat_result, rules: ReadRules) -> Problem | None:
    if rules.owners is None or facts.st_uid in rules.owners:
        return None
    return _problem(
        ProblemCode.WRONG_OWNER,
        f"the file belongs to user {facts.st_uid}, whose files are not taken from this inbox",
        "drop it as another user, or ask the operator to add this one to [inbox] allowed_owners",
    )


def _size_problem(facts: os.stat_result, rules: ReadRules) -> Problem | None:
    if facts.st_size <= rules.max_bytes:
        return None
    return _problem(
        ProblemCode.TOO_LARGE,
        f"the file has {facts.st_size:,} bytes; at most {rules.max_bytes:,} are read",
        "split it into several files, or ask the operator to raise [inbox] max_file_bytes",
    )


def _open_problem(error: OSError) -> Problem | None:
    if error.errno in _NO_FILE:
        return _problem(
            ProblemCode.NOT_A_REGULAR_FILE,
            f"this cannot be opened as a file ({error.strerror})",
            "drop a copy of the file itself",
        )
    if isinstance(error, PermissionError):
        return _problem(
            ProblemCode.UNREADABLE,
            f"the daemon's user (number {os.geteuid()}) may not read the file",
            "let the inbox's group read it (chmod g+r FILE, or umask 027 before writing it), and"
            " drop it again",
        )
    return None


def _problem(code: ProblemCode, message: str, hint: str) -> Problem:
    return Problem(code=code, pointer="", line=None, column=None, message=message, hint=hint)
