"""What libyaml says of text that is no YAML, in the words of the other errors of a task file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.plugins.protocol import ParseProblem

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError

__all__ = ["syntax_problem"]

_TAB = ("a tab stands here, and YAML is indented with spaces", "replace tabs by spaces")

_INDENTATION = "look at the indentation: it must be that of its neighbours, in spaces"

#: What libyaml says (scanner.c and parser.c of 0.2.5): what we say, and what to do. None keeps its
#: own words.
_WORDS: dict[str, tuple[str | None, str]] = {
    "mapping values are not allowed in this context": (
        "a colon stands where no key can be",
        'text that holds ": " goes in quotes; or is the indentation wrong?',
    ),
    "did not find expected key": ("a key is wanted here", _INDENTATION),
    "did not find expected '-' indicator": (
        "the next item of the list is wanted here",
        _INDENTATION,
    ),
    "did not find expected node content": (
        "a value is wanted here",
        "text that begins with one of [ ] { } , & * # ? | > @ % ` goes in quotes",
    ),
    "did not find expected ',' or ']'": ("a comma or ] is wanted here", "is a ] missing?"),
    "did not find expected ',' or '}'": ("a comma or } is wanted here", "is a } missing?"),
    "could not find expected ':'": (
        "a colon is wanted after this key",
        "a key is written on one line, with a colon and a blank behind it",
    ),
    "found invalid Unicode character escape code": (
        "half a surrogate pair is no character",
        r"write the character itself, or its number with 8 digits (😀 is \U0001f600)",
    ),
    "found unknown escape character": (
        "there is no such escape in double quotes",
        r"a backslash itself is written \\, or the text in single quotes",
    ),
    "did not find expected <document start>": (
        "text stands behind the end of the document",
        "one file is one array: put all tasks in it",
    ),
    "found incompatible YAML document": (None, "YAML 1.1 and 1.2 are read"),
    "found undefined tag handle": (None, "remove the tag; a task file needs none"),
}


def syntax_problem(error: MarkedYAMLError, text: bytes) -> ParseProblem:
    """Return what libyaml found wrong with a document, with its line and column."""
    # The stubs say Any of a mark; each has a line and a column from 0.
    mark: Any = error.problem_mark or error.context_mark
    began: Any = error.context_mark
    problem = str(error.problem or "the text is no YAML")
    code = "invalid_json"
    if problem == "exceeded maximum nesting depth":
        message, code = "lists and mappings are nested deeper than 1,000 levels", "too_deep"
        hint = "flatten the data, or hand it over as text or in a file"
    elif problem == "found unexpected end of stream":
        message, mark = "the text that begins here has no closing quote", began or mark
        hint = "the file looks cut off; was it written whole?"
    elif problem.startswith("found a tab character"):
        (message, hint), began = _TAB, None
    elif problem == "found character that cannot start any token":
        message, hint = _bad_start(_character(text, mark.line, mark.column))
    else:
        said, hint = _WORDS.get(problem, (None, "look at the lines around it"))
        message = said or problem
    if began is not None and mark is not None and began.line != mark.line:
        message += f" (in what begins in line {began.line + 1})"
    if mark is None:
        return ParseProblem(message, hint=hint, code=code)
    return ParseProblem(message, line=mark.line + 1, column=mark.column + 1, hint=hint, code=code)


def _bad_start(character: str) -> tuple[str, str]:
    if character == "\t":
        return _TAB
    return f"no text begins with {character}", "put it in quotes"


def _character(text: bytes, line: int, column: int) -> str:
    lines = text.decode().splitlines()
    return lines[line][column : column + 1] if line < len(lines) else ""
