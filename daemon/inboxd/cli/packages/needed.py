"""What inboxd itself stands on: the distributions that must stay, and in which versions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Needs", "needs_of", "normalized", "project_of"]

#: `name [extras] versions ; marker`, or `name @ url` (PEP 508).
_REQUIREMENT = re.compile(
    r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?P<rest>[^;]*)"
    r"(?P<marker>;.*)?$",
    re.DOTALL,
)
_IS_EXTRA = re.compile(r"\bextra\s*==")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """All that a distribution requires, and what that requires, as far as it is installed."""

    #: By normalized name: the chain from the distribution down to it, as people write the names.
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    #: One line for each requirement, for a file of constraints.
    constraints: tuple[str, ...] = ()


def normalized(name: str) -> str:
    """Return a distribution's name as names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_of(requirement: str) -> str | None:
    """Return the normalized name at the head of a requirement or of a wheel's file name."""
    if requirement.endswith(".whl"):
        return normalized(requirement.rpartition("/")[2].partition("-")[0])
    match = _REQUIREMENT.match(requirement)
    return (
        None
        if match is None or "/" in requirement.partition("@")[0]
        else (normalized(match["name"]))
    )


def needs_of(root: str, requires: Callable[[str], Iterable[str] | None] | None = None) -> Needs:
    """
    Return what a distribution needs in order to run; what only an extra asks for is left out.

    Args:
        root: its name.
        requires: gives the requirements of one, None when it is not installed; by default as its
            metadata says.
    """
    ask = _requires if requires is None else requires
    chains: dict[str, tuple[str, ...]] = {normalized(root): (root,)}
    constraints: list[str] = []
    rest = [root]
    while rest:
        one = rest.pop()
        for requirement in ask(one) or ():
            match = _REQUIREMENT.match(requirement)
            if match is None or _IS_EXTRA.search(match["marker"] or ""):
                continue
            name = match["name"]
            # A marker that does not hold here means mostly that it is not installed.
            if normalized(name) not in chains and ask(name) is not None:
                chains[normalized(name)] = (*chains[normalized(one)], name)
                rest.append(name)
            versions = match["rest"].strip().strip("()")
            if versions and "@" not in versions:
                constraints.append(f"{name}{versions}{match['marker'] or ''}".replace("\n", " "))
    return Needs(chains=chains, constraints=tuple(sorted(set(constraints))))


def _requires(name: str) -> Iterable[str] | None:
    try:
        return distribution(name).requires or ()
    except PackageNotFoundError:
        return None
