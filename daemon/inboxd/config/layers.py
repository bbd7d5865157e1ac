"""Values as they were written, before they are checked; one layer laid over another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Layer", "Written", "merged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One value as it was written, and by whom."""

    value: object
    #: How an error names it: `/etc/inboxd/inboxd.toml: [run] places`, `$INBOXD_RUN__PLACES`.
    origin: str
    #: Where a relative path in it starts.
    base: Path
    #: It came as text (a flag, the environment), whatever its kind.
    is_text: bool = False
    #: The file alone, as an error names it; empty: it is in none.
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one file, the environment or the command line says; only known keys."""

    #: By (section, key).
    values: dict[tuple[str, str], Written] = field(default_factory=dict[tuple[str, str], Written])
    #: What `[executors.NAME]` says, by (name, key).
    executors: dict[tuple[str, str], Written] = field(
        default_factory=dict[tuple[str, str], Written]
    )
    #: What `[plugins.NAME]` says, by (name, key).
    plugins: dict[tuple[str, str], Written] = field(default_factory=dict[tuple[str, str], Written])
    #: Tables that were written, empty ones too: `("plugins", "policy")`.
    tables: dict[tuple[str, str], None] = field(default_factory=dict[tuple[str, str], None])


def merged(layers: list[Layer]) -> Layer:
    """Return the layers as one; a later one wins, key by key, a list as a whole."""
    result = Layer()
    for layer in layers:
        result.values.update(layer.values)
        result.executors.update(layer.executors)
        result.plugins.update(layer.plugins)
        result.tables.update(layer.tables)
    return result
