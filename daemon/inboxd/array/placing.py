"""From findings to problems: the first ones in the order of the document, with line and column."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inboxd.array.locate import find, item_offset, lines_and_columns, members
from inboxd.array.problem import MOST_PROBLEMS, Finding, Path, Problem, ProblemCode, pointer
from inboxd.array.syntax import skip_space

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.array.outline import Outline
    from inboxd.array.split import Chunk

__all__ = ["Positions", "path_of", "place"]

#: A document is no deeper than `limits.DEEPEST`, and no list longer than these digits say.
_MOST_TOKENS = 128
_MOST_DIGITS = 12

_OF_NUMBERS = frozenset({ProblemCode.NOT_FINITE, ProblemCode.OUT_OF_RANGE})


class Positions(Protocol):
    """Where the values of a document stand in a file that is not itself the JSON that is read."""

    def __call__(self, path: Path, *, at_key: bool) -> tuple[int, int] | None:
        """Return line and column, from 1, of a value, or of the key that *path* ends with."""
        ...


def place(
    outline: Outline, findings: Iterable[Finding], positions: Positions | None = None
) -> tuple[list[Problem], bool]:
    """
    Return the first problems of a document, and whether there are more.

    The same finding twice (a default that many tasks share) is one problem.

    Args:
        outline: of the document.
        findings: in any order.
        positions: gives lines and columns; None: they are those of the document.
    """
    places = _Places(outline)
    findings = list(findings)
    # What a number means is no matter where it cannot be read at all.
    unreadable = {each.path for each in findings if each.code in _OF_NUMBERS and each.offset}
    placed: dict[tuple[str, Path, str], tuple[int, Finding]] = {}
    for finding in sorted(findings, key=places.position):
        if finding.offset is None and finding.path in unreadable:
            continue
        key = (finding.code.value, finding.path, finding.message)
        if key not in placed:
            placed[key] = (places.offset(finding), finding)
    in_order = sorted(placed.values(), key=lambda item: item[0])
    reported = in_order[:MOST_PROBLEMS]
    where: list[tuple[int, int] | tuple[None, None]]
    if positions is None:
        found = lines_and_columns(outline.data, [offset for offset, _ in reported])
        where = [found[offset] for offset, _ in reported]
    else:
        where = [
            positions(finding.path, at_key=finding.at_key) or (None, None)
            for _, finding in reported
        ]
    problems = [
        Problem(
            code=finding.code,
            pointer=pointer(finding.path),
            line=line,
            column=column,
            message=finding.message,
            hint=finding.hint,
        )
        for (line, column), (_, finding) in zip(where, reported, strict=True)
    ]
    return problems, len(in_order) > len(reported)


def path_of(outline: Outline, text: str) -> Path:
    """
    Return the path that an RFC 6901 pointer means in a document that is a task array.

    What is no pointer means the whole document; a long one is cut.
    """
    if not text.startswith("/"):
        return ()
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]
    return _Places(outline).path(tokens[:_MOST_TOKENS])


@dataclass(slots=True)
class _Place:
    position: int
    offset: int


class _Places:
    """Finds offsets of findings, those of tasks in order of position."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        items = outline.items
        self._path: Path = () if items is None else items.path
        self._chunks: list[Chunk] = [] if items is None else items.chunks
        self._firsts = [chunk.first for chunk in self._chunks]
        self._last: _Place | None = None
        #: Of the task where a value was looked for last: its offset, what is in its objects, and
        #: the last item that was found in its lists. One task may have all the findings, and be
        #: as large as the file.
        self._start = -1
        self._members: dict[int, dict[str, tuple[int, int]]] = {}
        self._found_items: dict[int, _Place] = {}

    def position(self, finding: Finding) -> int:
        """Return the position of the task that a finding is about, -1 for the envelope."""
        depth = len(self._path)
        path = finding.path
        if len(path) > depth and path[:depth] == self._path:
            token = path[depth]
            if isinstance(token, int):
                return token
        return -1

    def offset(self, finding: Finding) -> int:
        if finding.offset is not None:
            return finding.offset
        data, path = self._outline.data, finding.path
        position = self.position(finding)
        if position >= 0 and self._chunks:
            start = self._item(position)
            return self._find(start, path[len(self._path) + 1 :], at_key=finding.at_key)
        if self._outline.is_envelope and path and isinstance(path[0], str):
            member = self._outline.members.get(path[0])
            if member is not None:
                if len(path) == 1 and finding.at_key:
                    return member.key_at
                return find(data, member.value_at, path[1:], at_key=finding.at_key)
        return skip_space(data, 0)

    def _find(self, start: int, path: Path, *, at_key: bool) -> int:
        """Return what `locate.find` does, without going through the same text for each finding."""
        if start != self._start:
            self._start = start
            self._members.clear()
            self._found_items.clear()
        offset = start
        for depth, token in enumerate(path):
            if isinstance(token, int):
                after = self._find_item(offset, token)
                if after is None:
                    return offset
                offset = after
                continue
            if offset not in self._members:
                found = members(self._outline.data, offset)
                self._members[offset] = {key: (key_at, value_at) for key, key_at, value_at in found}
            member = self._members[offset].get(token)
            if member is None:
                return offset
            offset = member[0] if at_key and depth == len(path) - 1 else member[1]
        return offset

    def _find_item(self, offset: int, index: int) -> int | None:
        """Return where an item of the list at *offset* begins; None: there is none."""
        data = self._outline.data
        if data[offset : offset + 1] != b"[":
            return None
        last = self._found_items.get(offset)
        if last is not None and last.position <= index:
            found = item_offset(data, last.offset, index - last.position)
        else:
            found = item_offset(data, offset + 1, index)
        if found is not None:
            self._found_items[offset] = _Place(index, found)
        return found

    def path(self, tokens: Sequence[str]) -> Path:
        """Return the path of the keys and indices that *tokens* are, as far as they lead."""
        data, items = self._outline.data, self._outline.items
        offset = skip_space(data, 0)
        path: list[str | int] = []
        is_lost = False
        for token in tokens:
            is_index = data[offset : offset + 1] == b"[" and token.isascii() and token.isdecimal()
            step = int(token[:_MOST_DIGITS]) if is_index and not is_lost else token
            if is_lost:
                after = offset
            elif isinstance(step, int) and items is not None and tuple(path) == self._path:
                after = self._item(step) if step < items.count else offset
            elif not path and self._outline.is_envelope:
                member = self._outline.members.get(token)
                after = offset if member is None else member.value_at
            else:
                after = find(data, offset, (step,))
            is_lost = after == offset
            offset = after
            path.append(token if is_lost else step)
        return tuple(path)

    def _item(self, position: int) -> int:
        """Return where the task at *position* begins."""
        chunk = self._chunks[max(0, bisect_right(self._firsts, position) - 1)]
        last = self._last
        if last is not None and chunk.first <= last.position <= position:
            start, steps = last.offset, position - last.position
        else:
            start, steps = chunk.start, position - chunk.first
        offset = item_offset(self._outline.data, start, steps)
        offset = chunk.start if offset is None else offset
        self._last = _Place(position, offset)
        return offset
