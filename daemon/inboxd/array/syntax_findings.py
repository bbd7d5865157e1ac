"""What the strict reader says of text that is no JSON."""

from __future__ import annotations

import re

from inboxd.array.problem import Finding, Path, ProblemCode, quoted

__all__ = [
    "duplicate_key",
    "excerpt",
    "lone_surrogate",
    "not_utf8",
    "trailing_comma",
    "unexpected",
]

_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")
#: Double quotes that word processors make.
_CURLY_QUOTES = "\u201c\u201d\u201e\u00ab\u00bb"

_WORD_HINTS = {
    "true": "write true",
    "false": "write false",
    "none": "write null",
    "nil": "write null",
    "null": "write null",
    "undefined": "write null",
    "nan": "JSON has no NaN; write null or leave the field out",
    "inf": "JSON has no infinity; write null or leave the field out",
    "infinity": "JSON has no infinity; write null or leave the field out",
}


def unexpected(data: bytes, offset: int, path: Path, wanted: str) -> Finding:
    """Say what stands at *offset* in place of what was wanted."""
    byte = data[offset : offset + 1]
    hint: str | None
    if not byte:
        message = f"the file ends where {wanted} is wanted"
        hint = "the file looks cut off; was it written whole?"
    elif byte[0] >= 0x80:
        character = _character(data, offset)
        if character is None:
            return not_utf8(data, offset, path)
        message = f"{wanted} is wanted here, not {quoted(character)}"
        hint = 'JSON takes straight double quotes (")' if character in _CURLY_QUOTES else None
    else:
        word = _WORD.match(data, offset)
        found = word[0].decode() if word else byte.decode()
        message = f"{wanted} is wanted here, not {quoted(found)}"
        hint = _hint_for(found, wanted)
    return Finding(
        code=ProblemCode.INVALID_JSON, path=path, message=message, hint=hint, offset=offset
    )


def _hint_for(found: str, wanted: str) -> str | None:
    if found == "'":
        return 'JSON takes double quotes (")'
    if found in ("/", "#"):
        return "JSON has no comments; use a key that begins with x-"
    if found == "\x00":
        return "the file holds NUL bytes; was it written whole?"
    if found.isdigit() and wanted.startswith("a comma"):
        return "a number has no leading zero"
    if found == '"' and wanted.startswith("a comma"):
        return "is a comma missing before it?"
    if found in ("{", "[") and wanted.startswith("a comma"):
        return "is a comma missing before it?"
    if found in ("+", "."):
        return "a number begins with a digit or a minus"
    return _WORD_HINTS.get(found.lower())


def not_utf8(data: bytes, offset: int, path: Path = ()) -> Finding:
    """Say that the byte at *offset* is not UTF-8."""
    return Finding(
        code=ProblemCode.NOT_UTF8,
        path=path,
        message=f"the byte {data[offset]:#04x} is not UTF-8 here",
        hint="save the file as UTF-8 (`iconv -f latin1 -t utf-8` for an old one)",
        offset=offset,
    )


def duplicate_key(offset: int, path: Path) -> Finding:
    """Say that the key at *offset* stands in its object a second time."""
    return Finding(
        code=ProblemCode.DUPLICATE_KEY,
        path=path,
        message=f"the key {quoted(str(path[-1]))} stands in this object twice",
        hint="remove one of the two",
        offset=offset,
        at_key=True,
    )


def trailing_comma(offset: int, path: Path, closing: str) -> Finding:
    """Say that the comma at *offset* is the last thing in its object or array."""
    return Finding(
        code=ProblemCode.INVALID_JSON,
        path=path,
        message=f"a comma stands before the closing {closing}",
        hint="remove the comma",
        offset=offset,
    )


def lone_surrogate(offset: int, path: Path) -> Finding:
    return Finding(
        code=ProblemCode.INVALID_JSON,
        path=path,
        message="half a surrogate pair is no character",
        hint=r"write the character itself, or both halves (😀 is \ud83d\ude00)",
        offset=offset,
    )


def _character(data: bytes, offset: int) -> str | None:
    """Return the character at *offset*; None when the bytes are not UTF-8."""
    for length in (2, 3, 4):
        try:
            return data[offset : offset + length].decode()
        except UnicodeDecodeError:
            continue
    return None


def excerpt(data: bytes, offset: int, length: int) -> str:
    return data[offset : offset + length].decode("utf-8", "backslashreplace")
