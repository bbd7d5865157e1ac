"""`[plugins.policy]`, checked: the rules for everybody, and for the files of single owners."""

from __future__ import annotations

import pwd
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

from inboxd.config.quantities import parse_duration
from inboxd.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Policy", "Rules", "policy_of"]

_OWNERS = "owners"
_LARGEST_PRIORITY = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a file may say; the defaults allow everything."""

    #: The most tasks of a file; None: as many as inboxd takes.
    max_tasks: int | None = None
    #: Patterns of the executors that tasks may name.
    executors: tuple[str, ...] = ("*",)
    #: The smallest number that `priority` may be, so the most urgent.
    least_priority: int = 0
    #: The longest `timeout` of a task in seconds; every task needs one then. None: no limit.
    max_timeout: float | None = None
    #: Keys that the `metadata` of the file must have.
    require_metadata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules by owner."""

    rules: Rules
    #: By uid.
    owners: Mapping[int, Rules]

    def rules_for(self, owner: int) -> Rules:
        """Return the rules for the files of a user."""
        return self.owners.get(owner, self.rules)

    @property
    def is_empty(self) -> bool:
        """Whether it allows everything to everybody."""
        return {self.rules, *self.owners.values()} == {Rules()}


def policy_of(options: Mapping[str, Any]) -> Policy:
    """
    Return the policy that a table of the configuration says.

    Raises:
        ValueError: something cannot be used; the text names it and says what is wanted.
    """
    general = {name: value for name, value in options.items() if name != _OWNERS}
    rules = _changed(Rules(), general, "", also=(_OWNERS,))
    owners: dict[int, Rules] = {}
    table = options.get(_OWNERS, {})
    if not isinstance(table, dict):
        raise ValueError("owners: must be tables, like [plugins.policy.owners.alice]")  # noqa: TRY004 # one kind of error for all
    for name, own in cast("dict[str, Any]", table).items():
        where = f"{_OWNERS}.{name}"
        if not isinstance(own, dict):
            raise ValueError(f"{where}: must be a table, [plugins.policy.{where}]")  # noqa: TRY004 # the same
        uid = _uid(name)
        if uid in owners:
            raise ValueError(f"{where}: there are already rules for user {uid}")
        owners[uid] = _changed(rules, cast("dict[str, Any]", own), f"{where}.")
    return Policy(rules=rules, owners=owners)


def _changed(
    rules: Rules, options: Mapping[str, Any], where: str, also: tuple[str, ...] = ()
) -> Rules:
    """Return rules with those of a table in place of their own."""
    known = [one.name for one in fields(Rules)]
    for name, value in options.items():
        if name not in known:
            hint = did_you_mean(name, (*known, *also)) or f"there are {', '.join((*known, *also))}"
            raise ValueError(f'there is no rule "{where}{name}"; {hint}')
        try:
            rules = replace(rules, **{name: _READERS[name](value)})
        except ValueError as error:
            raise ValueError(f"{where}{name}: {error}") from None
    return rules


def _uid(name: str) -> int:
    if name.isascii() and name.isdecimal() and len(name) < 11:
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ValueError(
            f'{_OWNERS}.{name}: there is no user "{name}"; name one, or give the number'
        ) from None


def _number(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read


def _texts(value: Any) -> tuple[str, ...]:
    found: list[str] = []
    for one in value if isinstance(value, list) else [None]:  # pyright: ignore[reportUnknownVariableType] # of TOML
        if not isinstance(one, str) or not one:
            raise ValueError("must be a list of texts, none of them empty")
        found.append(one)
    return tuple(found)


def _duration(value: Any) -> float:
    seconds = parse_duration(value)
    if not seconds:
        raise ValueError("must be more than 0")
    return seconds


_READERS: dict[str, Callable[[Any], Any]] = {
    "max_tasks": _number(1, 1_000_000),
    "executors": _texts,
    "least_priority": _number(0, _LARGEST_PRIORITY),
    "max_timeout": _duration,
    "require_metadata": _texts,
}
