"""Every key of the configuration: its section, its name in TOML, its kind, its range."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["KEYS", "LATER_SECTIONS", "SECTIONS", "Key", "Kind", "key_named", "keys_of"]


class Kind(StrEnum):
    """How a value is written, and what it becomes."""

    #: Text; relative ones start from the file that says so; becomes an absolute `Path`.
    PATH = "path"
    #: The same, or `"none"`.
    OPTIONAL_PATH = "path or none"
    #: The same, or `"auto"`, which stays this word.
    AUTO_PATH = "path or auto"
    #: SQLAlchemy's form of a database; becomes `sqlite:///` and an absolute path.
    DATABASE = "database url"
    #: Seconds, or text with a unit; becomes a float of seconds.
    DURATION = "duration"
    #: The same, or `"none"`.
    OPTIONAL_DURATION = "duration or none"
    #: Bytes, or text with a unit; becomes an int.
    SIZE = "size"
    #: A whole number.
    COUNT = "whole number"
    #: `true` or `false`.
    FLAG = "true or false"
    #: A list of texts; becomes a tuple.
    STRINGS = "list of texts"
    #: One of a few words.
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting as it is written; `field` is its name in the dataclass of its section."""

    section: str
    name: str
    field: str
    kind: Kind
    #: Smallest and largest value of a number, size or duration (seconds).
    least: float = 0
    most: float = 2**53
    #: Of a choice, or of the items of a list.
    choices: tuple[str, ...] = ()
    #: The default depends on the machine or the user.
    computed: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"INBOXD_{self.section}__{self.name}".upper()

    def __str__(self) -> str:
        return f"[{self.section}] {self.name}"


#: Ten years: longer is a slip of the pen, and timers of the system end at 292 years.
_LONGEST = 10 * 365 * 86400.0
#: More threads than this no machine of today gives one process.
_MOST_PLACES = 10_000

KEYS = (
    Key(section="state", name="path", field="path", kind=Kind.PATH, computed=True),
    Key(section="inbox", name="path", field="path", kind=Kind.PATH, computed=True),
    Key(
        section="inbox",
        name="settle",
        field="settle_seconds",
        kind=Kind.DURATION,
        most=_LONGEST,
    ),
    Key(
        section="inbox",
        name="scan_interval",
        field="scan_interval_seconds",
        kind=Kind.DURATION,
        least=0.1,
        most=_LONGEST,
    ),
    Key(section="inbox", name="max_file_bytes", field="max_file_bytes", kind=Kind.SIZE, least=1),
    Key(section="inbox", name="max_depth", field="max_depth", kind=Kind.COUNT, least=4, most=500),
    Key(section="inbox", name="max_tasks", field="max_tasks", kind=Kind.COUNT, least=1),
    Key(section="inbox", name="allowed_owners", field="allowed_owners", kind=Kind.STRINGS),
    Key(section="inbox", name="allow_world", field="allow_world", kind=Kind.FLAG),
    Key(section="store", name="url", field="url", kind=Kind.DATABASE, computed=True),
    Key(
        section="run",
        name="places",
        field="places",
        kind=Kind.COUNT,
        least=1,
        most=_MOST_PLACES,
        computed=True,
    ),
    Key(
        section="run",
        name="async_places",
        field="async_places",
        kind=Kind.COUNT,
        least=1,
        most=1_000_000,
    ),
    Key(section="run", name="max_interruptions", field="max_interruptions", kind=Kind.COUNT),
    Key(section="run", name="grace", field="grace_seconds", kind=Kind.DURATION, most=_LONGEST),
    Key(
        section="run",
        name="drain_timeout",
        field="drain_timeout_seconds",
        kind=Kind.DURATION,
        most=_LONGEST,
    ),
    Key(
        section="run",
        name="default_timeout",
        field="default_timeout_seconds",
        kind=Kind.OPTIONAL_DURATION,
        least=0.001,
        most=_LONGEST,
    ),
    Key(
        section="run",
        name="max_output_bytes",
        field="max_output_bytes",
        kind=Kind.SIZE,
        least=4096,
    ),
    Key(section="run", name="max_result_bytes", field="max_result_bytes", kind=Kind.SIZE, least=1),
    Key(section="run", name="environment", field="environment", kind=Kind.STRINGS),
    Key(section="control", name="socket", field="socket", kind=Kind.AUTO_PATH),
    Key(section="control", name="readers", field="readers", kind=Kind.STRINGS),
    Key(section="control", name="submitters", field="submitters", kind=Kind.STRINGS),
    Key(section="control", name="operators", field="operators", kind=Kind.STRINGS),
    Key(section="plugins", name="allow", field="allow", kind=Kind.STRINGS),
    Key(section="plugins", name="disable", field="disable", kind=Kind.STRINGS),
    Key(section="plugins", name="directory", field="directory", kind=Kind.OPTIONAL_PATH),
    Key(section="notify", name="argv", field="argv", kind=Kind.STRINGS),
    Key(
        section="notify",
        name="on",
        field="on",
        kind=Kind.STRINGS,
        choices=("failed", "rejected", "cancelled", "completed"),
    ),
    Key(
        section="log",
        name="level",
        field="level",
        kind=Kind.CHOICE,
        choices=("debug", "info", "warning", "error"),
    ),
    Key(
        section="log",
        name="format",
        field="format",
        kind=Kind.CHOICE,
        choices=("auto", "plain", "json"),
    ),
)

#: Sections with fixed keys, in the order in which they are written.
SECTIONS = ("inbox", "store", "run", "state", "control", "plugins", "notify", "log")

#: Sections that this version does not know yet: an error that says so.
LATER_SECTIONS = ("retention",)

_BY_NAME = {(key.section, key.name): key for key in KEYS}


def key_named(section: str, name: str) -> Key | None:
    """Return the key, or None."""
    return _BY_NAME.get((section, name))


def keys_of(section: str) -> tuple[Key, ...]:
    """Return the keys of a section in the order in which they are written."""
    return tuple(key for key in KEYS if key.section == section)
