"""The `defaults` of an envelope, in the forms in which they are checked and merged."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from inboxd.array.records import CheckedTask, StoredTask

__all__ = ["NO_DEFAULTS", "Defaults", "members"]

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


def members(raw: bytes | Raw) -> dict[str, Raw]:
    """Return the members of a JSON object, each as it was written."""
    return _MEMBERS.decode(raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What every task has that does not say otherwise."""

    checked: CheckedTask = field(default_factory=CheckedTask)
    stored: StoredTask = field(default_factory=StoredTask)
    #: The members of `inputs` and `params`, as they were written: merged one level deep.
    inputs: dict[str, Raw] = field(default_factory=dict[str, Raw])
    params: dict[str, Raw] = field(default_factory=dict[str, Raw])
    #: Keys that begin with `x-`.
    own: dict[str, Raw] = field(default_factory=dict[str, Raw])


NO_DEFAULTS = Defaults()


def read_defaults(raw: bytes, checked: CheckedTask) -> Defaults:
    """
    Return the defaults of an envelope that has no errors.

    Args:
        raw: the JSON object as it was written.
        checked: the same, decoded.
    """
    stored = msgspec.json.decode(raw, type=StoredTask)
    return Defaults(
        checked=checked,
        stored=stored,
        inputs=members(stored.inputs) if isinstance(stored.inputs, Raw) else {},
        params=members(stored.params) if isinstance(stored.params, Raw) else {},
        own={key: value for key, value in members(raw).items() if key.startswith("x-")},
    )
