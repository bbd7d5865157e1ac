"""Whose files are taken: user names and numbers of `[inbox] allowed_owners` as numbers."""

from __future__ import annotations

import pwd
from typing import TYPE_CHECKING

from inboxd.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["owner_numbers"]


def owner_numbers(owners: Iterable[str]) -> frozenset[int] | None:
    """
    Return the uids of *owners*; None, anybody, when there are none.

    Raises:
        ConfigurationError: a name that no user has.
    """
    numbers: set[int] = set()
    problems: list[str] = []
    for owner in owners:
        if owner.isascii() and owner.isdigit():
            numbers.add(int(owner))
            continue
        try:
            numbers.add(pwd.getpwnam(owner).pw_uid)
        except KeyError:
            problems.append(
                f'[inbox] allowed_owners: there is no user "{owner}" on this machine;'
                " use a name from `getent passwd`, or a number"
            )
    if problems:
        raise ConfigurationError(problems)
    return frozenset(numbers) or None
