"""Python programs out of a page of documentation whose text has lost its indentation."""

from __future__ import annotations

import io
import re
import token
import tokenize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from tokenize import TokenInfo

__all__ = ["LostIndentation", "programs_of_page", "restore_indentation"]

#: What ends a heading in the text that a browser copies.
_HEADING = "¶"

_INDENT = "    "
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")

#: Tokens that Python 3.12 and later make inside of f-strings, 3.14 inside of t-strings.
_STRING_STARTS = {getattr(token, "FSTRING_START", -1), getattr(token, "TSTRING_START", -1)}
_STRING_ENDS = {getattr(token, "FSTRING_END", -1), getattr(token, "TSTRING_END", -1)}


class LostIndentation(ValueError):
    """The text does not say where a block of it ends."""


def programs_of_page(page: str) -> list[str]:
    """
    Return the programs of a page, in its order, with their indentation.

    A program is what stands between the first import after a heading and the next heading.

    Raises:
        LostIndentation: a program holds what `restore_indentation` cannot restore.
    """
    programs: list[str] = []
    lines: list[str] = []
    for line in [*page.splitlines(), _HEADING]:
        if line.endswith(_HEADING):
            if lines:
                programs.append(restore_indentation("\n".join(lines)))
            lines = []
        elif lines or re.match(r"import [\w.]+$|from [\w.]+ import ", line):
            lines.append(line)
    return programs


def restore_indentation(text: str) -> str:
    """
    Return a program with the indentation that its lines have lost.

    Brackets, `def` and `if` give it back:

    - what stands in brackets is one level deeper for each of them that is open;
    - a `def` stands at the top level, and its body goes on until the next `def`, or until
      `if __name__ …`, which stands at the top level as well;
    - the body of any `if` is one statement, which may be another `if`;
    - a comment stands where the statement after it does, the last ones at the top level.

    Args:
        text: a program each of whose lines begins in the first column.

    Returns:
        The same lines behind blanks, four for each level; where a string goes on they are as they
        were. It ends with a line feed.

    Raises:
        LostIndentation: a block is of another kind, so that nothing shows its end, or has no body.
        tokenize.TokenError: a bracket or a string has no end.
    """
    def_levels = if_levels = 0
    opened: str | None = None  # what the statement before opened, and wants a body
    levels: dict[int, int] = {}
    for statement in _statements(text):
        words = [each.string for each in statement if each.type != token.COMMENT][:2]
        block = _block_of(statement)
        if block == "def" or words[:1] == ["@"] or words == ["if", "__name__"]:
            if opened is not None:
                raise LostIndentation(f"line {_line_of(statement)}: {opened!r} has no body")
            def_levels = 0
        levels.update(_levels_of(statement, def_levels + if_levels))
        opened = block
        if block is None:
            if_levels = 0
        elif block == "if":
            if_levels += 1
        elif block == "def":
            def_levels = 1
        else:
            raise LostIndentation(f"line {_line_of(statement)}: nothing ends {block!r}")
    if opened is not None:
        raise LostIndentation(f"at the end: {opened!r} has no body")
    return "".join(
        f"{_INDENT * levels.get(number, 0)}{line}\n"
        for number, line in enumerate(text.splitlines(), start=1)
    )


def _statements(text: str) -> Iterator[list[TokenInfo]]:
    """Yield the tokens of each statement, with the comments before it."""
    statement: list[TokenInfo] = []
    for each in tokenize.generate_tokens(io.StringIO(text).readline):
        if each.type == token.INDENT:
            raise LostIndentation(f"line {each.start[0]}: it is indented already")
        if each.type == token.NEWLINE:
            yield statement
            statement = []
        elif each.type not in (token.NL, token.DEDENT, token.ENDMARKER):
            statement.append(each)


def _block_of(statement: Sequence[TokenInfo]) -> str | None:
    """Return the keyword of the block that a statement opens; None: it opens none."""
    words = [each.string for each in statement if each.type != token.COMMENT]
    if words[-1:] != [":"]:
        return None
    return words[1] if words[0] == "async" else words[0]


def _line_of(statement: Sequence[TokenInfo]) -> int:
    return next(each.start[0] for each in statement if each.type != token.COMMENT)


def _levels_of(statement: Sequence[TokenInfo], level: int) -> dict[int, int]:
    """Return the level of each line of a statement that stands at *level*, by line number."""
    levels: dict[int, int] = {}
    strings = 0
    only_closed = False  # the line has closed brackets so far, and nothing else
    for each in statement:
        if strings == 0 and each.start[1] == 0:
            levels[each.start[0]] = level
            only_closed = True
        strings += (each.type in _STRING_STARTS) - (each.type in _STRING_ENDS)
        if strings == 0 and each.type == token.OP:
            level += (each.string in _OPENING) - (each.string in _CLOSING)
        only_closed = only_closed and each.string in _CLOSING
        if only_closed:  # such a line stands where those brackets were opened
            levels[each.start[0]] = level
    return levels
