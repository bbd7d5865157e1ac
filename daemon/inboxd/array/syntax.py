"""
The strict JSON reader that finds what is wrong, and where.

It is slow, so it reads only what the fast decoder refused or what looks suspicious.
It never recurses, keeps no values, and goes on after what does not hide the rest: duplicate
keys and numbers that cannot be kept.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

from inboxd.array.problem import Finding, Path, ProblemCode, quoted
from inboxd.array.syntax_findings import (
    duplicate_key,
    excerpt,
    lone_surrogate,
    not_utf8,
    trailing_comma,
    unexpected,
)

__all__ = ["MOST_DIGITS", "Broken", "SyntaxReader", "key_text", "skip_space"]

#: A number with more digits is refused (docs/reference/task-file.md).
MOST_DIGITS = 100

_SPACE = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(
    rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
)
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_NOT_FINITE = re.compile(rb"[+-]?(?:NaN|Infinity)\b")
_LITERAL = re.compile(rb"(?:true|false|null)(?![A-Za-z_0-9])")
_DIGIT = re.compile(rb"[0-9]")
#: One escape, so that `\\ud800` (a backslash, then text) is not taken for a surrogate.
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_GOOD_ESCAPE = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_STRING_PART = re.compile(rb'[^"\\\x00-\x1f]*+')


class Broken(Exception):
    """The text cannot be read on from here; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


@dataclass(slots=True)
class _Frame:
    """An object or array that is being read."""

    is_object: bool
    #: The keys so far, of an object.
    keys: set[str] = field(default_factory=set[str])


def skip_space(data: bytes, offset: int) -> int:
    """Return the offset of the first byte from *offset* on that is no JSON white space."""
    match = _SPACE.match(data, offset)
    return match.end() if match else offset


class SyntaxReader:
    """
    Reads values of one document strictly.

    `findings` collects what is wrong but does not stop the reading; what stops it is raised.
    """

    def __init__(self, data: bytes, *, max_depth: int) -> None:
        self._data = data
        self._max_depth = max_depth
        self.findings: list[Finding] = []

    def value(self, offset: int, path: Path, depth: int) -> int:
        """
        Read one value and return the offset behind it.

        Args:
            offset: where white space or the value begins.
            path: the value's own path.
            depth: how many objects and arrays are open around it.

        Raises:
            Broken: the text is no JSON from somewhere on, not UTF-8, or nested too deep.
        """
        data = self._data
        way = list(path)
        frames: list[_Frame] = []
        while True:
            offset = skip_space(data, offset)
            opening = data[offset : offset + 1]
            if opening in (b"{", b"["):
                if depth + len(frames) >= self._max_depth:
                    raise Broken(self._too_deep(offset, way))
                frame = _Frame(is_object=opening == b"{")
                inside = skip_space(data, offset + 1)
                if data[inside : inside + 1] != (b"}" if frame.is_object else b"]"):
                    frames.append(frame)
                    if frame.is_object:
                        way.append("")
                        offset = self._key(offset + 1, way, frame)
                    else:
                        way.append(0)
                        offset += 1
                    continue
                offset = inside + 1
            else:
                offset = self._scalar(offset, way)
            offset = self._after_value(offset, way, frames)
            if not frames:
                return offset

    def _after_value(self, offset: int, way: list[str | int], frames: list[_Frame]) -> int:
        """Close what ends here; return where the next value begins, with no frame left the end."""
        data = self._data
        end = offset
        while frames:
            offset = skip_space(data, end)
            frame = frames[-1]
            mark = data[offset : offset + 1]
            if mark == (b"}" if frame.is_object else b"]"):
                end = offset + 1
                frames.pop()
                way.pop()
            elif mark == b",":
                return self._after_comma(offset, way, frame)
            else:
                raise Broken(self._unexpected(offset, way, self._wanted_after_value(frame)))
        return end

    def _after_comma(self, offset: int, way: list[str | int], frame: _Frame) -> int:
        closing = b"}" if frame.is_object else b"]"
        inside = skip_space(self._data, offset + 1)
        if self._data[inside : inside + 1] == closing:
            raise Broken(trailing_comma(offset, tuple(way[:-1]), closing.decode()))
        if frame.is_object:
            return self._key(offset + 1, way, frame)
        index = way[-1]
        way[-1] = index + 1 if isinstance(index, int) else 0
        return offset + 1

    def _key(self, offset: int, way: list[str | int], frame: _Frame) -> int:
        """Read a key and its colon into the end of *way*; return the offset behind the colon."""
        offset = skip_space(self._data, offset)
        if self._data[offset : offset + 1] != b'"':
            raise Broken(self._unexpected(offset, way[:-1], "a key in double quotes"))
        end = self.string(offset, tuple(way[:-1]))
        key = way[-1] = key_text(self._data[offset:end])
        if key in frame.keys:
            self.findings.append(duplicate_key(offset, tuple(way)))
        frame.keys.add(key)
        return self.colon(end, tuple(way))

    def colon(self, offset: int, path: Path) -> int:
        """Return the offset behind the colon that must follow a key."""
        offset = skip_space(self._data, offset)
        if self._data[offset : offset + 1] != b":":
            raise Broken(self._unexpected(offset, path, "a colon after the key"))
        return offset + 1

    def _scalar(self, offset: int, way: list[str | int]) -> int:
        data = self._data
        if data[offset : offset + 1] == b'"':
            return self.string(offset, tuple(way))
        if match := _LITERAL.match(data, offset):
            return match.end()
        if match := _NOT_FINITE.match(data, offset):
            self.findings.append(
                Finding(
                    code=ProblemCode.NOT_FINITE,
                    path=tuple(way),
                    message=f"{match[0].decode()} is no number that JSON has",
                    hint="write null, or leave the field out",
                    offset=offset,
                )
            )
            return match.end()
        if match := _NUMBER.match(data, offset):
            self._check_number(match[0], offset, way)
            return match.end()
        raise Broken(self._unexpected(offset, way, "a value"))

    def _check_number(self, token: bytes, offset: int, way: list[str | int]) -> None:
        digits = len(_DIGIT.findall(token))
        if digits > MOST_DIGITS:
            self.findings.append(
                Finding(
                    code=ProblemCode.OUT_OF_RANGE,
                    path=tuple(way),
                    message=f"the number has {digits:,} digits; at most {MOST_DIGITS} are read",
                    hint="write it as text, in double quotes",
                    offset=offset,
                )
            )
        elif math.isinf(float(token)):
            self.findings.append(
                Finding(
                    code=ProblemCode.NOT_FINITE,
                    path=tuple(way),
                    message=f"the number {token.decode()} is larger than a double can be",
                    hint="write it as text, in double quotes",
                    offset=offset,
                )
            )

    def string(self, offset: int, path: Path) -> int:
        """Read the string whose opening quote is at *offset*; return the offset behind it."""
        match = _STRING.match(self._data, offset)
        if match is None:
            raise Broken(self._bad_string(offset, path))
        token = match[0]
        if not token.isascii():
            try:
                token.decode()
            except UnicodeDecodeError as error:
                raise Broken(not_utf8(self._data, offset + error.start, path)) from None
        if b"\\u" in token:
            self._check_surrogates(token, offset, path)
        return match.end()

    def _check_surrogates(self, token: bytes, offset: int, path: Path) -> None:
        """Refuse half a surrogate pair: there is no such character (RFC 8259, section 8.2)."""
        high_ends_at = -1
        for match in _ESCAPE.finditer(token):
            number = int(match[1], 16) if match[1] else 0
            is_low = 0xDC00 <= number <= 0xDFFF
            if high_ends_at >= 0 and not (is_low and match.start() == high_ends_at):
                raise Broken(lone_surrogate(offset + high_ends_at - 6, path))
            if is_low and high_ends_at < 0:
                raise Broken(lone_surrogate(offset + match.start(), path))
            high_ends_at = match.end() if 0xD800 <= number <= 0xDBFF else -1
        if high_ends_at >= 0:
            raise Broken(lone_surrogate(offset + high_ends_at - 6, path))

    def _bad_string(self, offset: int, path: Path) -> Finding:
        """Say what is wrong with the string that begins at *offset* and does not match."""
        data = self._data
        at = offset + 1
        while True:
            part = _STRING_PART.match(data, at)
            at = part.end() if part else at
            byte = data[at : at + 1]
            escape = _GOOD_ESCAPE.match(data, at)
            if byte == b"\\" and escape:
                at = escape.end()
                continue
            break
        try:
            data[offset:at].decode()
        except UnicodeDecodeError as error:
            return not_utf8(data, offset + error.start, path)
        if not byte or (byte == b"\\" and at + 1 >= len(data)):
            return Finding(
                code=ProblemCode.INVALID_JSON,
                path=path,
                message="the text that begins here has no closing quote",
                hint="the file looks cut off; was it written whole?",
                offset=offset,
            )
        if byte == b"\\":
            return Finding(
                code=ProblemCode.INVALID_JSON,
                path=path,
                message=f"there is no escape {quoted(excerpt(data, at, 2))} in JSON",
                hint=r"a backslash itself is written \\",
                offset=at,
            )
        name = {b"\n": "a line break", b"\t": "a tab", b"\r": "a carriage return"}.get(
            byte, f"the control character {byte[0]:#04x}"
        )
        escaped_form = {b"\n": r"\n", b"\t": r"\t", b"\r": r"\r"}.get(byte, f"\\u{byte[0]:04x}")
        return Finding(
            code=ProblemCode.INVALID_JSON,
            path=path,
            message=f"{name} stands in a text",
            hint=f"write it {escaped_form}; or is a closing quote missing?",
            offset=at,
        )

    @staticmethod
    def _wanted_after_value(frame: _Frame) -> str:
        return f"a comma or {'}' if frame.is_object else ']'}"

    def _too_deep(self, offset: int, way: list[str | int]) -> Finding:
        return Finding(
            code=ProblemCode.TOO_DEEP,
            path=tuple(way),
            message=f"objects and arrays are nested deeper than {self._max_depth} levels",
            hint="flatten the data, or hand it over as text or in a file",
            offset=offset,
        )

    def _unexpected(self, offset: int, way: list[str | int] | Path, wanted: str) -> Finding:
        return unexpected(self._data, offset, tuple(way), wanted)


def key_text(token: bytes) -> str:
    """Return the text of a key that was read as a valid string token, quotes included."""
    if b"\\" not in token:
        return token[1:-1].decode()
    text = json.loads(token)
    return text if isinstance(text, str) else ""
