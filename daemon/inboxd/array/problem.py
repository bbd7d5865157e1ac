"""What is wrong with a task file: the stable codes, and a problem as people and receipts see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CODE_MEANINGS",
    "MOST_PROBLEMS",
    "Finding",
    "Path",
    "Problem",
    "ProblemCode",
    "ProblemDict",
    "pointer",
    "quoted",
]

#: So many problems of one file are reported, the first ones in the order of the document.
MOST_PROBLEMS = 100

#: Foreign text in a message is cut after so many characters.
_MOST_QUOTED = 80

#: The way to a value: keys and indices from the top of the document.
Path = tuple[str | int, ...]


class ProblemCode(StrEnum):
    """The stable codes of errors in receipts and in `inboxd validate`."""

    NOT_UTF8 = "not_utf8"
    INVALID_JSON = "invalid_json"
    DUPLICATE_KEY = "duplicate_key"
    NOT_FINITE = "not_finite"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    TOO_MANY_TASKS = "too_many_tasks"
    NOT_AN_ARRAY = "not_an_array"
    EMPTY_ARRAY = "empty_array"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"
    INVALID_VALUE = "invalid_value"
    CONFLICTING_FIELDS = "conflicting_fields"
    NAME_TOO_LONG = "name_too_long"
    OUT_OF_RANGE = "out_of_range"
    INVALID_ID = "invalid_id"
    DUPLICATE_ID = "duplicate_id"
    UNKNOWN_REFERENCE = "unknown_reference"
    AMBIGUOUS_REFERENCE = "ambiguous_reference"
    INVALID_EXPRESSION = "invalid_expression"
    SELF_DEPENDENCY = "self_dependency"
    DEPENDENCY_CYCLE = "dependency_cycle"
    PARENT_CYCLE = "parent_cycle"
    UNKNOWN_EXECUTOR = "unknown_executor"
    INVALID_INPUTS = "invalid_inputs"
    UNKNOWN_SECRET = "unknown_secret"  # noqa: S105 - the name of a code, no secret
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    UNREADABLE = "unreadable"
    WRONG_OWNER = "wrong_owner"


#: What each code means, for the reference; an example of each lies in `inbox/examples/invalid/`
#: where a small file can show it.
CODE_MEANINGS: dict[ProblemCode, str] = {
    ProblemCode.NOT_UTF8: "The file holds bytes that are not UTF-8, or it is UTF-16.",
    ProblemCode.INVALID_JSON: (
        "The text is not JSON: cut off, a comma too many, a comment, a byte order mark, "
        "half a surrogate pair, text after the end; or not of the format that its suffix says."
    ),
    ProblemCode.DUPLICATE_KEY: "An object has the same key twice, at whatever depth.",
    ProblemCode.NOT_FINITE: "A number is `NaN`, `Infinity`, or too large for a double (`1e999`).",
    ProblemCode.TOO_LARGE: (
        "The file has more bytes than `[inbox] max_file_bytes`, or, in another format than JSON, "
        "comes to more than a file may hold when its aliases are written out."
    ),
    ProblemCode.TOO_DEEP: "Objects and arrays are nested deeper than `[inbox] max_depth`.",
    ProblemCode.TOO_MANY_TASKS: "The file has more tasks than `[inbox] max_tasks`.",
    ProblemCode.NOT_AN_ARRAY: "The document, or its `tasks`, is not an array of tasks.",
    ProblemCode.EMPTY_ARRAY: "The array has no task.",
    ProblemCode.MISSING_FIELD: (
        "Something needed is not there: `tasks`, a task's `id` or `name`, an edge's `id` or `name`."
    ),
    ProblemCode.UNKNOWN_FIELD: (
        "A key that inboxd does not know, and that does not begin with `x-`."
    ),
    ProblemCode.WRONG_TYPE: (
        "A value has another JSON type than its field takes, or a kind that JSON does not have."
    ),
    ProblemCode.INVALID_VALUE: "A value has the right type but is none that its field takes.",
    ProblemCode.CONFLICTING_FIELDS: "Two fields that exclude each other, as `on` and `required`.",
    ProblemCode.NAME_TOO_LONG: (
        "A `name` has more than 255 characters, or the file's own name more than 200 bytes."
    ),
    ProblemCode.OUT_OF_RANGE: (
        "A number, duration or text is smaller or larger than its field takes, or a number has "
        "more than 100 digits."
    ),
    ProblemCode.INVALID_ID: (
        "An `id` is longer than 128 characters or has other characters than it may."
    ),
    ProblemCode.DUPLICATE_ID: "Two tasks of the file have the same `id`.",
    ProblemCode.UNKNOWN_REFERENCE: "A dependency or a parent names no task of the file.",
    ProblemCode.AMBIGUOUS_REFERENCE: (
        "A dependency or a parent uses a name that several tasks have."
    ),
    ProblemCode.INVALID_EXPRESSION: (
        "An expression `{{ tasks.… }}` that does not parse, or stands where its value would become"
        " code. As a warning: what looks like one, and is plain text."
    ),
    ProblemCode.SELF_DEPENDENCY: "A task depends on itself.",
    ProblemCode.DEPENDENCY_CYCLE: (
        "Tasks depend on each other in a circle, so none could ever start."
    ),
    ProblemCode.PARENT_CYCLE: "Tasks are each other's parents in a circle.",
    ProblemCode.UNKNOWN_EXECUTOR: "No executor of that name is installed and enabled.",
    ProblemCode.INVALID_INPUTS: (
        "`inputs` do not match the executor's schema or the task's own `schemas.input_schema`."
    ),
    ProblemCode.UNKNOWN_SECRET: 'A `{"$secret": …}` names no secret that inboxd knows.',
    ProblemCode.IDEMPOTENCY_CONFLICT: (
        "The `idempotency_key` was used before, by a file with other content."
    ),
    ProblemCode.NOT_A_REGULAR_FILE: (
        "What was dropped is a symbolic link, a directory, a device or the like, or a file that "
        "kept a second link."
    ),
    ProblemCode.UNREADABLE: (
        "The daemon may not read the file, or no plugin that works reads its format."
    ),
    ProblemCode.WRONG_OWNER: "The file's owner is not in `[inbox] allowed_owners`.",
}


class ProblemDict(TypedDict):
    """A problem as it stands in a receipt."""

    code: str
    pointer: str
    line: int | None
    column: int | None
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a file, and where; also a warning."""

    #: What kind of problem it is.
    code: ProblemCode = ProblemCode.INVALID_VALUE
    #: RFC 6901; the empty text is the whole document.
    pointer: str = ""
    #: From 1; None when the file was not read, or who found it did not look.
    line: int | None = None
    #: In characters, from 1; None like the line.
    column: int | None = None
    #: What is wrong, without a full stop.
    message: str
    #: What to do about it; None when the message says so already.
    hint: str | None = None

    def to_dict(self) -> ProblemDict:
        """Return the form of receipts."""
        return {
            "code": self.code.value,
            "pointer": self.pointer,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        """Return `/tasks/3/priority: what is wrong; what to do (line 12, column 24)`."""
        text = self.message if self.hint is None else f"{self.message}; {self.hint}"
        if self.pointer:
            text = f"{escaped(self.pointer)}: {text}"
        return text if self.line is None else f"{text} (line {self.line}, column {self.column})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem whose line and column are still to be found: only reported ones are looked up."""

    code: ProblemCode
    path: Path
    message: str
    hint: str | None = None
    #: Where in the file, in bytes, if that is known already.
    offset: int | None = None
    #: True: the place is the key of the member that `path` names, not its value.
    at_key: bool = False


def pointer(path: Iterable[str | int]) -> str:
    """Return the RFC 6901 JSON Pointer of a path."""
    return "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in path)


def quoted(text: str) -> str:
    """Return foreign text in double quotes, safe to show and of bounded length."""
    if len(text) > _MOST_QUOTED:
        text = text[: _MOST_QUOTED - 1] + "…"
    return f'"{escaped(text)}"'
