"""
Check a document that somebody else parsed: what JSON cannot hold, then every rule of a task array.

The values are encoded as JSON and go the way of every file, so no rule stands twice. Before that
each is looked at, because the encoder would silently make JSON of a date, a tuple or a NaN, and
because aliases let a small file hold a value that is endless once it is written out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from inboxd.array.check import RejectedArray, check_array
from inboxd.array.findings import Findings
from inboxd.array.foreign import AS_TEXT, hint_for
from inboxd.array.limits import DEEPEST, Limits
from inboxd.array.problem import MOST_PROBLEMS, Finding, Path, Problem, ProblemCode, pointer, quoted
from inboxd.array.syntax import MOST_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inboxd.array.catalog import Catalog
    from inboxd.array.check import CheckedArray
    from inboxd.array.placing import Positions

__all__ = ["check_document"]

#: So many values a document may come to when its aliases are written out, or as many as its file
#: has bytes, which without aliases is never less.
_LEAST_VALUES = 1_000_000

_FIRST_TOO_LONG = 10**MOST_DIGITS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """What a document may come to when its aliases are written out."""

    levels: int
    values: int
    characters: int


def check_document(
    document: object,
    *,
    size: int,
    limits: Limits | None = None,
    catalog: Catalog,
    positions: Positions,
) -> CheckedArray | RejectedArray:
    """
    Check what another parser read out of a task file.

    Args:
        document: any value; lists and dicts may be shared, and may even hold themselves.
        size: bytes of the file.
        limits: how large it may be; default: the settings' defaults.
        catalog: who executes.
        positions: gives line and column of a value in the file.

    Returns:
        As `check_array`; lines and columns are those of the file.
    """
    limits = limits or Limits()
    bounds = _Bounds(
        levels=min(limits.max_depth, DEEPEST),
        values=max(size, _LEAST_VALUES),
        characters=limits.max_bytes,
    )
    data: bytes | None = None
    if _is_json(document, bounds):
        try:
            data = msgspec.json.encode(document)
        except UnicodeEncodeError:  # half a surrogate pair, in some text
            data = None
    if data is None:
        look = _Look(bounds)
        look.at(document)
        return _rejected(look.findings, positions)
    if len(data) > limits.max_bytes:
        return _rejected(_one(_too_large(len(data), limits)), positions)
    return check_array(data, limits=limits, catalog=catalog, positions=positions)


def _is_json(document: object, bounds: _Bounds) -> bool:
    """Return whether JSON holds such values, not too deep and not too many of them."""
    containers: list[Any] = [[document]]
    count = characters = 0
    for _ in range(bounds.levels + 1):
        if not containers:
            break
        inside: list[Any] = []
        for container in containers:
            count += len(container)
            if count > bounds.values or characters > bounds.characters:
                return False
            values: Any = container
            if isinstance(container, dict):
                members = cast("Mapping[Any, Any]", container)
                for key in members:
                    if type(key) is not str:
                        return False
                    characters += len(key)
                values = members.values()
            for value in values:
                kind = cast("type[object]", type(value))
                if kind is str:
                    characters += len(value)
                elif kind is bool or value is None:
                    continue
                elif kind is int:
                    if not -_FIRST_TOO_LONG < value < _FIRST_TOO_LONG:
                        return False
                elif kind is float:
                    if not math.isfinite(value):
                        return False
                elif isinstance(value, list | dict):
                    inside.append(value)
                else:
                    return False
        containers = inside
    return not containers and characters <= bounds.characters


class _Look:
    """Looks at each value in order, and finds what JSON cannot hold; never recurses."""

    def __init__(self, bounds: _Bounds) -> None:
        self._bounds = bounds
        self._values = 0
        self._characters = 0
        self.findings = Findings()

    def at(self, document: object) -> None:
        """Fill `findings`; ends early where there is too much."""
        opened: list[Iterator[tuple[Any, Any]]] = [iter([(None, document)])]
        way: list[str | int] = []
        while opened:
            token, value = next(opened[-1], (None, _END))
            # The document itself has no token.
            del way[max(0, len(opened) - 2) :]
            if value is _END:
                opened.pop()
                continue
            if token is not None:
                way.append(token if isinstance(token, int) else str(token))
            self._values += 1
            self._value(value, tuple(way), opened)
            if self._values > self._bounds.values or self._characters > self._bounds.characters:
                self.findings.add(_too_much(self._bounds))
                return

    def _value(self, value: Any, path: Path, opened: list[Iterator[tuple[Any, Any]]]) -> None:
        if isinstance(value, list | dict):
            if len(opened) > self._bounds.levels:
                self.findings.add(_too_deep(self._bounds.levels, path))
            elif isinstance(value, dict):
                members = cast("Mapping[Any, Any]", value)
                for key in members:
                    self._key(key, path)
                opened.append(iter(members.items()))
            else:
                opened.append(enumerate(cast("Sequence[Any]", value)))
            return
        if type(value) is str:
            self._characters += len(value)
        finding = _scalar_finding(value, path)
        if finding is not None:
            self.findings.add(finding)

    def _key(self, key: object, path: Path) -> None:
        if type(key) is str:
            self._characters += len(key)
            if not _is_encodable(key):
                self.findings.add(_surrogate((*path, key), at_key=True))
            return
        self.findings.add(
            Finding(
                code=ProblemCode.WRONG_TYPE,
                path=(*path, str(key)),
                message=f"a key is text, not {_shown(key)}",
                hint=AS_TEXT,
                at_key=True,
            )
        )


_END = object()


def _scalar_finding(value: Any, path: Path) -> Finding | None:
    kind = cast("type[object]", type(value))
    if kind is str:
        return None if _is_encodable(value) else _surrogate(path)
    if kind is bool or value is None:
        return None
    if kind is int:
        if -_FIRST_TOO_LONG < value < _FIRST_TOO_LONG:
            return None
        return Finding(
            code=ProblemCode.OUT_OF_RANGE,
            path=path,
            message=f"the number has more than {MOST_DIGITS} digits",
            hint=AS_TEXT,
        )
    if kind is float:
        if math.isfinite(value):
            return None
        return Finding(
            code=ProblemCode.NOT_FINITE,
            path=path,
            message=f"{value} is no number that JSON has",
            hint="write null, or leave the field out",
        )
    return Finding(
        code=ProblemCode.WRONG_TYPE,
        path=path,
        message=f"JSON has no such value: {_shown(value)}",
        hint=hint_for(value),
    )


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # whatever a stranger's class does
        text = "?"
    return f"{quoted(text)} ({type(value).__name__})"


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _surrogate(path: Path, *, at_key: bool = False) -> Finding:
    return Finding(
        code=ProblemCode.INVALID_JSON,
        path=path,
        message="half a surrogate pair is no character",
        hint="write the character itself",
        at_key=at_key,
    )


def _too_deep(levels: int, path: Path) -> Finding:
    return Finding(
        code=ProblemCode.TOO_DEEP,
        path=path,
        message=f"objects and arrays are nested deeper than {levels} levels",
        hint="flatten the data, or hand it over as text or in a file",
    )


def _too_much(bounds: _Bounds) -> Finding:
    return Finding(
        code=ProblemCode.TOO_LARGE,
        path=(),
        message=(
            f"the document comes to more than {bounds.values:,} values or {bounds.characters:,}"
            " characters when its aliases are written out"
        ),
        hint="repeat less, or hand the data over in a file",
    )


def _too_large(size: int, limits: Limits) -> Finding:
    return Finding(
        code=ProblemCode.TOO_LARGE,
        path=(),
        message=(
            f"written as JSON the document has {size:,} bytes; at most {limits.max_bytes:,} are"
            " taken"
        ),
        hint="split it into several files, or raise `[inbox] max_file_bytes`",
    )


def _one(finding: Finding) -> Findings:
    findings = Findings()
    findings.add(finding)
    return findings


def _rejected(findings: Findings, positions: Positions) -> RejectedArray:
    reported = findings.kept[:MOST_PROBLEMS]
    problems: list[Problem] = []
    for finding in reported:
        line, column = positions(finding.path, at_key=finding.at_key) or (None, None)
        problems.append(
            Problem(
                code=finding.code,
                pointer=pointer(finding.path),
                line=line,
                column=column,
                message=finding.message,
                hint=finding.hint,
            )
        )
    has_more = findings.overflowed or len(findings.kept) > len(reported)
    return RejectedArray(problems=problems, has_more=has_more)
