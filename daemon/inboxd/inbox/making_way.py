"""
Make way for answers: nothing that lies under their names, and is not theirs, is ever replaced.

Such files come from a state directory that was removed, from another one that was used on the same
inbox, or from a person. They move aside by the time in their receipt, else by their own.

Each step may be done again after a crash: a drop's own receipt is told by its content, its result
by the tree, and its file by no longer lying in `.claimed/`.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

import msgspec

from inboxd.clock import from_micros, rfc3339
from inboxd.failpoints import failpoint
from inboxd.inbox.file_names import (
    RECEIPT_SUFFIX,
    RESULT_SUFFIX,
    aside_names,
    claimed_name,
    placed_name,
)
from inboxd.inbox.receipts import receipt_document
from inboxd.running.system_calls import rename_to_free_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.inbox.directory import OpenInbox
    from inboxd.store.intake import OwedReceipt

__all__ = ["make_way", "make_way_for_result", "move_aside", "tree_of_result"]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: Ours have at most 10,000 task ids of 128 characters, twice; a larger one is not ours.
_LARGEST_RECEIPT = 16 * 1024 * 1024

#: The tree's id stands behind the file's name, which has at most 255 bytes, escaped.
_RESULT_HEAD = 8 * 1024

#: Within a JSON string the quotes would have backslashes, so this is no file's name.
_TREE_ID = re.compile(rb'"tree_id":\s*"([^"\\]+)"')

#: NAME_MAX of the usual file systems (limits.h).
_LONGEST_ON_DISK = 255

#: Microseconds since 1970: the end of the year 9999, which dates in Python do not pass.
_LATEST = 253_402_300_799_999_999


class _Receipt(msgspec.Struct, frozen=True):
    """What tells whose a receipt is."""

    received_at: str
    tree_id: str | None = None

    def is_of(self, label: bytes) -> bool:
        """Return whether the store gives the answers with this receipt the label *label*."""
        return any(
            own is not None and re.fullmatch(re.escape(own.encode()) + rb"(-\d+)?", label)
            for own in (self.tree_id, self.received_at)
        )


_RECEIPT = msgspec.json.Decoder(_Receipt)


def make_way(opened: OpenInbox, debt: OwedReceipt) -> bool:
    """
    Move aside what is not the drop's own, in `accepted/` and `rejected/`, under its answers' names.

    Returns:
        Whether something was moved; the caller syncs before it writes a name.
    """
    home = opened.rejected if debt.tree_id is None else opened.accepted
    stem = debt.answer_name
    place = placed_name(debt.file_name, stem)
    is_placed = not _is_there(opened.claimed, claimed_name(debt.claim, debt.file_name))
    moved = False
    for directory in (opened.accepted, opened.rejected):
        names: list[bytes] = []
        if not is_placed and _is_replaceable(directory, place):
            names.append(place)
        receipt = stem + RECEIPT_SUFFIX
        if _is_replaceable(directory, receipt):
            content = _content(directory, receipt)
            if directory != home or content != receipt_document(debt):
                names.append(receipt)  # last: it gives the label, also after a crash
        if names:
            _set_aside(directory, stem, names)
            moved = True
    return moved


def make_way_for_result(directory: int, stem: bytes, tree_id: bytes | None) -> bool:
    """Move the result aside that lies under *stem* and is not the tree's; return whether so."""
    name = stem + RESULT_SUFFIX
    if not _is_replaceable(directory, name):
        return False
    if tree_id is not None and tree_of_result(directory, name) == tree_id:
        return False
    _set_aside(directory, stem, [name])
    return True


def tree_of_result(directory: int, name: bytes) -> bytes | None:
    """Return the id of the tree whose result this is; None when that cannot be told."""
    found = _TREE_ID.search(_head(directory, name, _RESULT_HEAD) or b"")
    return None if found is None else found[1]


def move_aside(opened: OpenInbox, old: bytes, new: bytes) -> None:
    """
    Give the answers of an earlier drop, under *old*, the name *new*; the caller syncs.

    What another drop left there, which this store does not know, stays for `make_way`.
    """
    label = new[len(old) + 1 :]
    receipts = {
        directory: _receipt(directory, old + RECEIPT_SUFFIX)
        for directory in (opened.accepted, opened.rejected)
    }
    found = tree_of_result(opened.results, old + RESULT_SUFFIX)
    if _is_result_of(found, label, [one for one in receipts.values() if one is not None]):
        _rename(opened.results, old, new, RESULT_SUFFIX)
    for directory, receipt in receipts.items():
        for before, _ in aside_names(old, new):
            if receipt is None or receipt.is_of(label):
                _rename(directory, old, new, before[len(old) :])
            failpoint("within_aside")


def _is_result_of(tree_id: bytes | None, label: bytes, receipts: Sequence[_Receipt]) -> bool:
    if tree_id is None or label.startswith(tree_id):
        return True
    own = [one for one in receipts if one.is_of(label)]
    if own:
        return any(one.tree_id == tree_id.decode("utf-8", "replace") for one in own)
    # No receipt tells: a time is the label of a duplicate, which may have any tree's result.
    return not receipts and b"T" in label


def _rename(directory: int, old: bytes, new: bytes, suffix: bytes) -> None:
    try:
        rename_to_free_name(directory, old + suffix, new + suffix)
    except FileNotFoundError:
        return
    except FileExistsError:
        # Not ours: what is ours still lies under the old name, since a rename leaves no copy.
        _set_aside(directory, new, [new + suffix])
        rename_to_free_name(directory, old + suffix, new + suffix)


def _set_aside(directory: int, stem: bytes, names: Sequence[bytes]) -> None:
    """Rename files, of one drop, whose names begin with *stem*: to `STEM.<time>` and the rest."""
    last = names[-1]
    receipt = _receipt(directory, last) if last.endswith(RECEIPT_SUFFIX) else None
    label = "" if receipt is None else receipt.received_at
    if not re.fullmatch(r"[0-9T:.Z-]{20,30}", label):  # a forged one could lead elsewhere
        facts = os.stat(names[0], dir_fd=directory, follow_symlinks=False)
        label = rfc3339(from_micros(min(max(facts.st_mtime_ns // 1_000, 0), _LATEST)))
    left = list(names)
    number = 1
    while left:
        end = f".{label}" if number == 1 else f".{label}-{number}"
        room = _LONGEST_ON_DISK - len(end) - len(RECEIPT_SUFFIX)
        aside = stem[:room] + end.encode()
        try:
            if not any(_is_there(directory, aside + name[len(stem) :]) for name in left):
                while left:
                    rename_to_free_name(directory, left[0], aside + left[0][len(stem) :])
                    del left[0]
                    failpoint("within_way")
        except FileExistsError:
            pass  # somebody was quicker: the next number
        except FileNotFoundError:
            del left[0]  # somebody took it away
        number += 1


def _is_there(directory: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_replaceable(directory: int, name: bytes) -> bool:
    """Return whether a rename to *name* would replace something; a directory it would not."""
    try:
        facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return not stat.S_ISDIR(facts.st_mode)


def _receipt(directory: int, name: bytes) -> _Receipt | None:
    content = _content(directory, name)
    if content is None:
        return None
    try:
        return _RECEIPT.decode(content)
    except msgspec.DecodeError:
        return None


def _content(directory: int, name: bytes) -> bytes | None:
    """Return the content of a receipt; None when there is none that could be ours."""
    content = _head(directory, name, _LARGEST_RECEIPT + 1)
    return None if content is None or len(content) > _LARGEST_RECEIPT else content


def _head(directory: int, name: bytes, most: int) -> bytes | None:
    try:
        descriptor = os.open(name, _READ, dir_fd=directory)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(most)
