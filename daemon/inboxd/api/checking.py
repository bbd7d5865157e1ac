"""Checking the tasks of a tree before they are accepted: by our rules, then by the plugins'."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from inboxd.array.check import CheckedArray, RejectedArray
from inboxd.array.document import check_document
from inboxd.array.invalid import InvalidTaskArray
from inboxd.array.limits import Limits
from inboxd.plugins.tree_check import checked_by_plugins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inboxd.plugins.catalog import ExecutorCatalog
    from inboxd.plugins.hooks import Hooks

__all__ = ["fits_the_plugins", "fits_the_rules"]


def fits_the_rules(
    documents: Sequence[Mapping[str, Any]], catalog: ExecutorCatalog
) -> CheckedArray:
    """
    Return tasks as they will be stored.

    Raises:
        InvalidTaskArray: they break a rule of task arrays.
    """
    limits = Limits()
    return _accepted(
        check_document(
            list(documents),
            # There is no file, whose size would bound the values: the limits do.
            size=limits.max_bytes,
            limits=limits,
            catalog=catalog,
            positions=_nowhere,
        )
    )


def fits_the_plugins(checked: CheckedArray, hooks: Hooks) -> CheckedArray:
    """
    Return what plugins that look at trees let pass.

    Raises:
        InvalidTaskArray: one of them refuses it.
    """
    return _accepted(checked_by_plugins(checked, hooks, file=None, owner=os.getuid()))


def _accepted(found: CheckedArray | RejectedArray) -> CheckedArray:
    if isinstance(found, CheckedArray):
        return found
    raise InvalidTaskArray(found.problems, has_more=found.has_more)


def _nowhere(path: object, *, at_key: bool) -> None:
    """A value that was never in a file has no place in one."""
