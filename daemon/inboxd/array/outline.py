"""The outer form of a task file: an array, or an object with an array in it."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inboxd.array.problem import Finding, ProblemCode
from inboxd.array.split import Items, split_items, too_many_tasks
from inboxd.array.syntax import Broken, SyntaxReader, key_text, skip_space
from inboxd.array.syntax_findings import duplicate_key, trailing_comma, unexpected

if TYPE_CHECKING:
    from inboxd.array.limits import Limits

__all__ = ["Member", "Outline", "read_outline"]

#: UTF-16 and UTF-32 text begins with one of these marks, or has a NUL among its first bytes.
_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Where a member of the envelope lies: its key, its value, and the end of that."""

    key_at: int
    value_at: int
    end: int


@dataclass(slots=True)
class Outline:
    """What the outer form of a document is, and what is wrong with it."""

    data: bytes
    #: The tasks; None when there is no array of them.
    items: Items | None = None
    #: True: the document is an object.
    is_envelope: bool = False
    members: dict[str, Member] = field(default_factory=dict[str, Member])
    findings: list[Finding] = field(default_factory=list[Finding])
    #: Why the document could not be read to its end.
    broken: Finding | None = None


def read_outline(data: bytes, limits: Limits) -> Outline:
    """Find the array of tasks in a document, cut it into chunks, and find what is around it."""
    outline = Outline(data)
    try:
        _refuse_other_encodings(data)
        start = skip_space(data, 0)
        opening = data[start : start + 1]
        if opening == b"[":
            end = _read_items(outline, start, limits)
        elif opening == b"{":
            outline.is_envelope = True
            end = _read_envelope(outline, start, limits)
        else:
            end = _read_other(outline, start, limits)
        if end is not None:
            _refuse_more_text(data, end)
    except Broken as broken:
        outline.broken = broken.finding
    return outline


def _refuse_other_encodings(data: bytes) -> None:
    if data.startswith(codecs.BOM_UTF8):
        raise Broken(
            Finding(
                code=ProblemCode.INVALID_JSON,
                path=(),
                message="the file begins with a byte order mark",
                hint="save it as UTF-8 without BOM",
                offset=0,
            )
        )
    if data.startswith(_OTHER_MARKS) or (len(data) > 1 and 0 in data[:2]):
        raise Broken(
            Finding(
                code=ProblemCode.NOT_UTF8,
                path=(),
                message="the file is UTF-16 or UTF-32, or no text at all",
                hint="save it as UTF-8 (`iconv -f utf-16 -t utf-8`)",
                offset=0,
            )
        )


def _read_items(outline: Outline, opened_at: int, limits: Limits) -> int | None:
    """Cut the array of tasks; return the offset behind it, None when that is not known."""
    path = ("tasks",) if outline.is_envelope else ()
    items = split_items(
        outline.data,
        opened_at,
        path=path,
        max_depth=limits.max_depth,
        max_tasks=limits.max_tasks,
    )
    outline.items = items
    if items.count > limits.max_tasks:
        outline.broken = too_many_tasks(items, limits.max_tasks)
        return None
    if items.broken is not None:
        raise Broken(items.broken)
    return items.end


def _read_envelope(outline: Outline, opened_at: int, limits: Limits) -> int | None:
    data = outline.data
    reader = SyntaxReader(data, max_depth=limits.max_depth)
    outline.findings = reader.findings
    offset = skip_space(data, opened_at + 1)
    if data[offset : offset + 1] == b"}":
        return offset + 1
    while True:
        if data[offset : offset + 1] != b'"':
            raise Broken(unexpected(data, offset, (), "a key in double quotes"))
        key_end = reader.string(offset, ())
        key = key_text(data[offset:key_end])
        is_second = key in outline.members
        if is_second:
            reader.findings.append(duplicate_key(offset, (key,)))
        value_at = skip_space(data, reader.colon(key_end, (key,)))
        if key == "tasks" and not is_second and data[value_at : value_at + 1] == b"[":
            end = _read_items(outline, value_at, limits)
            if end is None:
                return None
        else:
            end = reader.value(value_at, (key,), 1)
        if not (is_second and key == "tasks"):
            outline.members[key] = Member(key_at=offset, value_at=value_at, end=end)
        offset = skip_space(data, end)
        mark = data[offset : offset + 1]
        if mark == b"}":
            return offset + 1
        if mark != b",":
            raise Broken(unexpected(data, offset, (key,), "a comma or }"))
        following = skip_space(data, offset + 1)
        if data[following : following + 1] == b"}":
            raise Broken(trailing_comma(offset, (), "}"))
        offset = following


def _read_other(outline: Outline, start: int, limits: Limits) -> int:
    """Read a document that is neither array nor object."""
    data = outline.data
    if start == len(data):
        raise Broken(
            Finding(
                code=ProblemCode.INVALID_JSON,
                path=(),
                message="the file is empty"
                if not data
                else "the file holds nothing but white space",
                hint='the smallest task file is [{"id": "a", "executor": "noop"}]',
                offset=0,
            )
        )
    reader = SyntaxReader(data, max_depth=limits.max_depth)
    end = reader.value(start, (), 0)
    outline.findings = reader.findings
    outline.findings.append(
        Finding(
            code=ProblemCode.NOT_AN_ARRAY,
            path=(),
            message="a task file is an array of tasks, or an object with `tasks`",
            hint="put the tasks in [ ]",
            offset=start,
        )
    )
    return end


def _refuse_more_text(data: bytes, end: int) -> None:
    more = skip_space(data, end)
    if more == len(data):
        return
    finding = unexpected(data, more, (), "the end of the file")
    hints = {b"{": "one file is one array: put all tasks in it", b"[": "one file is one array"}
    raise Broken(
        Finding(
            code=finding.code,
            path=(),
            message=finding.message,
            hint=hints.get(data[more : more + 1], finding.hint),
            offset=more,
        )
    )
