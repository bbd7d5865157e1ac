"""The bytes of a file as text that YAML takes, or what is wrong with them."""

from __future__ import annotations

import codecs
import re

from inboxd.plugins.protocol import ParseProblem

__all__ = ["checked_text"]

_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)

#: Characters that no YAML file holds (YAML 1.2.2, section 5.1), and the three that YAML 1.1, and so
#: libyaml, takes for line breaks and 1.2 does not: it would change the text and count other lines.
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

_LINE_BREAKS = "\x85\u2028\u2029"


def checked_text(data: bytes) -> bytes:
    """
    Return the bytes of the file without the byte order mark that YAML allows.

    Raises:
        ParseProblem: they are not UTF-8, or hold a character that no YAML file may hold.
    """
    if data.startswith(_OTHER_MARKS) or (len(data) > 1 and 0 in data[:2]):
        raise ParseProblem(
            "the file is UTF-16 or UTF-32, or no text at all",
            line=1,
            column=1,
            hint="save it as UTF-8 (`iconv -f utf-16 -t utf-8`)",
            code="not_utf8",
        )
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode())
        raise ParseProblem(
            f"the byte {data[error.start]:#04x} is not UTF-8 here",
            line=line,
            column=column,
            hint="save the file as UTF-8 (`iconv -f latin1 -t utf-8` for an old one)",
            code="not_utf8",
        ) from None
    if match := _REFUSED.search(text):
        raise _refused(match[0], *_place(text[: match.start()]))
    return data


def _refused(character: str, line: int, column: int) -> ParseProblem:
    number = ord(character)
    escape = f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
    if character in _LINE_BREAKS:
        message = f"the character U+{number:04X} stands here, a line break for some readers of YAML"
    else:
        message = f"the character U+{number:04X} stands here, which no YAML file may hold"
    hint = f'write it as "{escape}", in double quotes, or remove it'
    if not number:
        hint = "was the file written whole?"
    return ParseProblem(message, line=line, column=column, hint=hint, code="invalid_json")


def _place(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of what follows *before*."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
