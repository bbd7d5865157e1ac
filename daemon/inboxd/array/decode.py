"""
Decode a chunk of the array: fast where nothing is wrong, carefully where something may be.

The fast decoder is silent about duplicate keys, and a struct forgets how a number was written.
So a decoded chunk is encoded again and compared by what every valid text keeps: its colons.
A key that stood twice is gone from the new text, and so is its colon. Only a colon written as an
escape could hide it, which is looked for. Everything suspicious is read strictly.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec

from inboxd.array.fields import TASK
from inboxd.array.problem import Finding
from inboxd.array.records import CheckedTask, Edge, LinkedTask, SchemaFields
from inboxd.array.shape import check_shape
from inboxd.array.syntax import MOST_DIGITS, Broken, SyntaxReader, skip_space

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.array.problem import Path
    from inboxd.array.split import Chunk

__all__ = ["BadFields", "ChunkReader", "DecodedChunk", "is_clean", "is_shallow", "reported_values"]

#: The fields of one task that were found bad and taken out; ("dependencies", 2) is one edge.
BadFields = frozenset[str | tuple[str, int]]

_NOTHING_BAD: BadFields = frozenset()
_PLACEHOLDER = Edge()

#: Digits become zeros. A number of more than 100 digits has its digits in at most three runs
#: (whole part, fraction, exponent), so one of them has at least this many.
_ZEROS = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG_RUN = b"0" * (MOST_DIGITS // 3 + 1)
#: Levels that a task has of its own, `dependencies` or `retry` and what is in them, at most.
_OWN_LEVELS = 4


@dataclass(slots=True)
class DecodedChunk:
    """The tasks of one chunk, as far as they could be read."""

    tasks: list[CheckedTask]
    #: True: the decoder took everything, nothing in it needs a second look.
    is_plain: bool = True
    #: By index in `tasks`.
    bad: dict[int, BadFields] = field(default_factory=dict[int, BadFields])
    findings: list[Finding] = field(default_factory=list[Finding])
    #: Some task has keys that begin with `x-`.
    has_own_keys: bool = False
    #: Some text may hold `{{`.
    has_braces: bool = False
    #: Why the rest of the chunk could not be read.
    broken: Finding | None = None

    def bad_fields(self, index: int) -> BadFields:
        """Return what was taken out of the task at *index*."""
        return self.bad.get(index, _NOTHING_BAD)


class ChunkReader:
    """Decodes chunks of one document."""

    def __init__(self, data: bytes, *, path: Path, max_depth: int) -> None:
        self._data = data
        self._path = path
        self._max_depth = max_depth
        #: Levels left for a task and what is in it.
        self._levels = max_depth - len(path) - 1
        self._tasks = msgspec.json.Decoder(list[CheckedTask])
        self._links = msgspec.json.Decoder(list[LinkedTask])
        self._values = msgspec.json.Decoder()
        self._encoder = msgspec.json.Encoder()

    def text(self, chunk: Chunk) -> bytes:
        """Return the chunk as a JSON array."""
        return b"[" + self._data[chunk.start : chunk.end] + b"]"

    def read(self, chunk: Chunk) -> DecodedChunk:
        """Decode a chunk and find what is wrong with the form of its tasks."""
        text = self.text(chunk)
        try:
            tasks = self._tasks.decode(text)
            again = self._encoder.encode(tasks)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._read_carefully(chunk, text)
        if (
            is_clean(text, again)
            and self._levels > _OWN_LEVELS
            and is_shallow(_free_values(tasks), self._levels - 2)
            and b'"$secret":' not in again
            and b"\\u0000" not in again
        ):
            return DecodedChunk(tasks, has_braces=b"{{" in again)
        return self._read_carefully(chunk, text)

    def read_links(self, chunk: Chunk) -> list[LinkedTask]:
        """Decode only what the tasks of a plain chunk say of others."""
        return self._links.decode(self.text(chunk))

    def _read_carefully(self, chunk: Chunk, text: bytes) -> DecodedChunk:
        decoded = DecodedChunk([], is_plain=False, has_braces=True)
        values = self._clean_values(text)
        if values is None:
            try:
                decoded.findings.extend(self._read_strictly(chunk))
            except Broken as broken:
                decoded.broken = broken.finding
                return decoded
            values = reported_values(text)
        for index, value in enumerate(values):
            self._check_one(decoded, index, value, (*self._path, chunk.first + index))
        return decoded

    def _clean_values(self, text: bytes) -> list[Any] | None:
        """Return the items as plain values; None when the text must be read strictly."""
        try:
            values = self._values.decode(text)
            again = self._encoder.encode(values)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
            return None
        items = cast("list[Any]", values)
        return items if is_clean(text, again) and is_shallow([items], self._levels + 1) else None

    def _read_strictly(self, chunk: Chunk) -> list[Finding]:
        data = self._data
        reader = SyntaxReader(data, max_depth=self._max_depth)
        offset = skip_space(data, chunk.start)
        for index in range(chunk.count):
            end = reader.value(offset, (*self._path, chunk.first + index), len(self._path) + 1)
            offset = skip_space(data, skip_space(data, end) + 1)
        return reader.findings

    def _check_one(self, decoded: DecodedChunk, index: int, value: object, path: Path) -> None:
        if not isinstance(value, dict):
            decoded.findings.extend(check_shape(value, TASK, path))
            decoded.bad[index] = frozenset(TASK["properties"])
            decoded.tasks.append(CheckedTask())
            return
        fields = written = cast("dict[str, Any]", value)
        if any(key.startswith("x-") for key in fields):
            decoded.has_own_keys = True
            fields = {key: member for key, member in fields.items() if not key.startswith("x-")}
        try:
            task = msgspec.convert(fields, CheckedTask)
        except msgspec.ValidationError:
            findings = list(check_shape(written, TASK, path))
            decoded.findings.extend(findings)
            bad = decoded.bad[index] = frozenset(_bad_fields(findings, len(path)))
            task = msgspec.convert(_without(fields, bad), CheckedTask)
        decoded.tasks.append(task)


def is_clean(text: bytes, again: bytes) -> bool:
    """
    Return whether no key stood twice in a text and no number has too many digits.

    False also when unsure.

    Args:
        text: JSON that was decoded without an error.
        again: what was decoded, encoded again with every key it had.
    """
    return (
        text.count(b":") == again.count(b":")
        # A colon written \u003a is none in the text, but one when it is encoded again.
        and b"\\u003" not in text
        and _LONG_RUN not in text.translate(_ZEROS)
    )


def is_shallow(roots: list[Any], levels: int) -> bool:
    """Return whether objects and arrays, the roots included, lie at most *levels* deep."""
    for _ in range(levels):
        if not roots:
            return True
        inside: list[Any] = []
        for root in roots:
            if isinstance(root, dict):
                inside.extend(cast("dict[str, Any]", root).values())
            else:
                inside.extend(root)
        roots = [value for value in inside if type(value) is dict or type(value) is list]
    return not roots


def _free_values(tasks: list[CheckedTask]) -> list[Any]:
    """Return the objects of the tasks that may nest as deep as they like."""
    roots = [
        value for task in tasks for value in (task.inputs, task.params, task.metadata) if value
    ]
    roots.extend(
        task.schemas.input_schema
        for task in tasks
        if isinstance(task.schemas, SchemaFields) and isinstance(task.schemas.input_schema, dict)
    )
    return roots


def reported_values(text: bytes) -> Any:
    """
    Return what a text holds that was read strictly, and in which what is wrong was reported.

    A number that cannot be kept is 0 here, so that only its type counts; of a key that stands
    twice the last counts.
    """
    return json.loads(
        text, parse_int=_bounded_int, parse_float=_bounded_float, parse_constant=_bounded_float
    )


def _bounded_int(digits: str) -> int:
    return int(digits) if len(digits) <= MOST_DIGITS else 0


def _bounded_float(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else 0.0


def _bad_fields(findings: Iterable[Finding], depth: int) -> Iterable[str | tuple[str, int]]:
    """Yield which fields of the task whose path has *depth* tokens the findings are about."""
    for finding in findings:
        match finding.path[depth:]:
            case ["dependencies", int(index), *_]:
                yield ("dependencies", index)
            case [str(key), *_]:
                yield key
            case _:
                pass


def _without(fields: dict[str, Any], bad: BadFields) -> dict[str, Any]:
    """Return the fields without the bad ones; a bad edge leaves a placeholder, for the count."""
    kept = {key: value for key, value in fields.items() if key not in bad}
    edges = kept.get("dependencies")
    if isinstance(edges, list):
        kept["dependencies"] = [
            _PLACEHOLDER if ("dependencies", index) in bad else edge
            for index, edge in enumerate(cast("Sequence[Any]", edges))
        ]
    return kept
