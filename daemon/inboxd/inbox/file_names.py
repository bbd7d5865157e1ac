"""
The names of files in the inbox: which are taken, and what a claim and the answers are called.

A file name on Linux is bytes, and is handled as bytes from the directory to the database.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "JSON_SUFFIX",
    "LONGEST_NAME",
    "RECEIPT_SUFFIX",
    "RESULT_SUFFIX",
    "UNFINISHED_PREFIX",
    "aside_names",
    "claimed_name",
    "is_candidate",
    "is_misplaced_answer",
    "is_shortened",
    "is_too_long",
    "kept_name",
    "placed_name",
    "plain_answer_name",
    "split_claimed_name",
]

JSON_SUFFIX = b".json"
RECEIPT_SUFFIX = b".receipt.json"
RESULT_SUFFIX = b".result.json"

#: Bytes. With the uuid of a claim, or a tree id and `.receipt.json`, it must fit in the 255 of the
#: usual file systems: 200 + 1 + 36 + 13 = 250 (docs/explanation/intake.md).
LONGEST_NAME = 200

#: What receipts and results are called until they are whole; left-overs go at start.
UNFINISHED_PREFIX = b".unfinished-"

#: A longer name goes by this much of itself, `~` and 8 hex digits of its SHA-256.
_KEPT_OF_A_LONG_NAME = 150

_NEVER_TAKEN = (b".tmp", b".part", b"~")

_SHORTENED = re.compile(rb".{%d}~[0-9a-f]{8}" % _KEPT_OF_A_LONG_NAME, re.S)

_CLAIMED = re.compile(rb"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-(.+)", re.S)


def is_candidate(name: bytes, suffixes: Sequence[bytes] = (JSON_SUFFIX,)) -> bool:
    """Return whether a file of this name, directly in the inbox, is meant to be taken."""
    return (
        name.endswith(tuple(suffixes))
        and not name.startswith(b".")
        and not name.endswith(_NEVER_TAKEN)
        and not is_misplaced_answer(name)
    )


def is_misplaced_answer(name: bytes) -> bool:
    """Return whether the name is that of a receipt or a result, which are never taken."""
    return name.endswith((RECEIPT_SUFFIX, RESULT_SUFFIX)) and not name.startswith(b".")


def is_too_long(name: bytes) -> bool:
    """Return whether the file must be rejected for its name (`name_too_long`)."""
    return len(name) > LONGEST_NAME


def kept_name(name: bytes) -> bytes:
    """Return the name itself, or the shortened one that a file with too long a name goes by."""
    if not is_too_long(name):
        return name
    digest = hashlib.sha256(name).hexdigest()[:8]
    return name[:_KEPT_OF_A_LONG_NAME] + b"~" + digest.encode()


def is_shortened(name: bytes) -> bool:
    """Return whether this is, by its form, what is kept of a longer name: it has no suffix."""
    return _SHORTENED.fullmatch(name) is not None


def plain_answer_name(file_name: bytes) -> bytes:
    """
    Return what the answers' names begin with: `report` of `report.json`, else the whole name.

    So `report.yaml` and `report.json` have answers of their own; `report.yaml` and
    `report.yaml.json` share theirs, as two drops of one name do.
    """
    return kept_name(file_name).removesuffix(JSON_SUFFIX)


def placed_name(file_name: bytes, answer_name: bytes) -> bytes:
    """Return the name under which the file lies beside its receipt, `report.<tree id>.json`."""
    return answer_name + JSON_SUFFIX if kept_name(file_name).endswith(JSON_SUFFIX) else answer_name


def aside_names(old: bytes, new: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the renames, in `accepted/` and in `rejected/` alike, that give answers a new name."""
    return tuple((old + suffix, new + suffix) for suffix in (b"", JSON_SUFFIX, RECEIPT_SUFFIX))


def claimed_name(claim: str, file_name: bytes) -> bytes:
    """Return the name in `.claimed/` of the file that was claimed under the uuid *claim*."""
    return claim.encode() + b"-" + kept_name(file_name)


def split_claimed_name(name: bytes) -> tuple[str, bytes] | None:
    """Return the uuid and the file's (kept) name of a name in `.claimed/`; None for another."""
    match = _CLAIMED.fullmatch(name)
    return None if match is None else (match[1].decode(), match[2])
