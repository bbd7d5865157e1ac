"""A request, taken apart: what is asked for, with which numbers and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from inboxd.control.answers import Refused
from inboxd.names import did_you_mean, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Asked", "asked_of", "path_segments"]

#: SQLite's numbers end there.
_MOST = 2**63 - 1
_MOST_PARAMETERS = 20
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for."""

    #: TREE as on the command line, where the route has one.
    tree: str = ""
    #: TASK, where the route has one.
    task: str = ""
    #: The query's parameters.
    query: Mapping[str, str]
    #: The body; empty for none.
    body: bytes = b""

    def number(self, name: str, default: int, *, least: int = 0, most: int = _MOST) -> int:
        """
        Return a whole number of the query.

        Raises:
            Refused: it is none, or out of range.
        """
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 19):
            raise Refused(400, f"{name}: must be a whole number from {least} to {most}")
        value = int(text)
        if not least <= value <= most:
            raise Refused(400, f"{name}: must be from {least} to {most}")
        return value

    def seconds(self, name: str, default: float, *, most: float) -> float:
        """
        Return a duration of the query, in seconds.

        Raises:
            Refused: it is none, or out of range.
        """
        text = self.query.get(name)
        if text is None:
            return default
        if _SECONDS.fullmatch(text) is None or float(text) > most:
            raise Refused(400, f"{name}: must be a number of seconds from 0 to {most:g}")
        return float(text)

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """
        Return one of some words of the query; None: it is not given.

        Raises:
            Refused: it is another.
        """
        text = self.query.get(name)
        if text is None or text in choices:
            return text
        hint = did_you_mean(text, choices)
        raise Refused(400, f"{name}: must be one of {', '.join(choices)}", hint=hint)

    def fields(self, allowed: Sequence[str]) -> dict[str, object]:
        """
        Return the fields of the body, a JSON object; empty for an empty body.

        Raises:
            Refused: it is something else, or has other fields.
        """
        if not self.body.strip():
            return {}
        try:
            found: object = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(400, f"the body is no JSON: {escaped(str(error))}") from error
        if not isinstance(found, dict):
            raise Refused(400, "the body must be a JSON object")
        fields = cast("dict[str, object]", found)
        for name in fields:
            if name not in allowed:
                known = ", ".join(allowed) or "none"
                raise Refused(
                    400,
                    f'the body has an unknown field "{escaped(name[:100])}"; known are: {known}',
                    hint=did_you_mean(name, allowed),
                )
        return fields


def path_segments(raw_path: bytes) -> list[str]:
    """Return the parts of a path between its slashes, each decoded on its own."""
    return [_decoded(part) for part in raw_path.split(b"/")[1:]]


def asked_of(
    query: bytes, allowed: Sequence[str], *, tree: str = "", task: str = "", body: bytes = b""
) -> Asked:
    """
    Take a request apart.

    Raises:
        Refused: the query has a parameter that the route does not have, or one twice.
    """
    parameters: dict[str, str] = {}
    try:
        pairs = parse_qsl(
            query.decode("ascii", "replace"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError as error:
        raise Refused(400, "the query has too many parameters") from error
    for name, value in pairs:
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            raise Refused(
                400,
                f'the query has an unknown parameter "{escaped(name[:100])}"; known are: {known}',
                hint=did_you_mean(name, allowed),
            )
        if name in parameters:
            raise Refused(400, f"the query has {name} twice")
        parameters[name] = value
    return Asked(tree=tree, task=task, query=parameters, body=body)


def _decoded(part: bytes) -> str:
    # As the command line's arguments: bytes that are no UTF-8 may be of a file's name.
    return unquote_to_bytes(part).decode("utf-8", "surrogateescape")
