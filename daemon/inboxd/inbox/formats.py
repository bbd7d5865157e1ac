"""
The formats of task files: JSON, which is ours, and those that plugins read.

A file's suffix says its format. What a plugin reads goes the way of every JSON file, with the same
rules and limits; what the plugin itself does wrong costs the one file, and is said with its name.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.array.check import RejectedArray, check_array
from inboxd.array.document import check_document
from inboxd.array.problem import Problem, ProblemCode
from inboxd.errors import PluginError
from inboxd.inbox.file_names import JSON_SUFFIX
from inboxd.names import display_file_name, escaped
from inboxd.plugins.asking import ASK_SECONDS, Asked, watched
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.hooks import HookFailed, Hooks, Implementation, Parsed, Unparsed
from inboxd.plugins.protocol import HasPositions
from inboxd.plugins.tree_check import checked_by_plugins

if TYPE_CHECKING:
    from inboxd.array.catalog import Catalog
    from inboxd.array.check import CheckedArray
    from inboxd.array.limits import Limits
    from inboxd.array.placing import Positions
    from inboxd.array.problem import Path as ValuePath
    from inboxd.plugins.protocol import ParseProblem

__all__ = ["MOST_PARSED_BYTES", "Formats", "nobody_reads", "unread_reason"]

#: A larger file of another format is refused: its values all lie in memory at one time, at some
#: fifteen times its size, where JSON is read a piece at a time (docs/how-to/yaml.md).
MOST_PARSED_BYTES = 32 * 1024 * 1024

#: Suffixes that a plugin of this project reads, for who dropped such a file without it.
_KNOWN_ELSEWHERE = {b".yaml": "inboxd-yaml", b".yml": "inboxd-yaml"}

#: What stands for a file's name where there is none.
_STANDARD_INPUT = b"-"

#: A plugin's own text is cut after so many characters.
_LONGEST_TEXT = 1_000


class Formats:
    """Which files are task files, and what each holds."""

    def __init__(self, hooks: Hooks | None = None, *, ask_seconds: float = ASK_SECONDS) -> None:
        """
        Args:
            hooks: of the plugins that are loaded; None: JSON alone.
            ask_seconds: the time in which a plugin says where the values of one file stand.
        """
        self._hooks = hooks or Hooks()
        self._ask_seconds = ask_seconds
        #: The suffixes of task files, `.json` first.
        self.suffixes: tuple[bytes, ...] = (
            JSON_SUFFIX,
            *sorted(os.fsencode(suffix) for suffix in self._hooks.file_suffixes()),
        )

    def suffix_of(self, file_name: bytes) -> bytes | None:
        """Return the suffix by which the file is a task file; None: it has none of these."""
        found = (suffix for suffix in self.suffixes if file_name.endswith(suffix))
        return max(found, key=len, default=None)

    def check(
        self,
        file_name: bytes,
        data: bytes,
        *,
        limits: Limits,
        catalog: Catalog,
        owner: int | None = None,
    ) -> CheckedArray | RejectedArray:
        """
        Check a task file by the rules of its format, of every array, and of the plugins.

        Args:
            file_name: says the format; a name without a known suffix is JSON.
            data: the whole file.
            limits: how large it may be.
            catalog: who executes.
            owner: the uid of the file's owner, if known.
        """

        def check() -> CheckedArray | RejectedArray:
            return self._check(file_name, data, limits, catalog, owner)

        if self.suffix_of(file_name) not in (None, JSON_SUFFIX):
            return watched(check, seconds=self._ask_seconds)
        return catalog.watched(check) if isinstance(catalog, ExecutorCatalog) else check()

    def _check(
        self, file_name: bytes, data: bytes, limits: Limits, catalog: Catalog, owner: int | None
    ) -> CheckedArray | RejectedArray:
        checked = self._checked(file_name, data, limits, catalog)
        if isinstance(checked, RejectedArray):
            return checked
        shown = None if file_name == _STANDARD_INPUT else display_file_name(file_name)
        return checked_by_plugins(checked, self._hooks, file=shown, owner=owner)

    def _checked(
        self, file_name: bytes, data: bytes, limits: Limits, catalog: Catalog
    ) -> CheckedArray | RejectedArray:
        suffix = self.suffix_of(file_name)
        if suffix is None and unread_reason(file_name) is not None:
            return _rejected(nobody_reads(file_name))
        if suffix in (None, JSON_SUFFIX):
            return check_array(data, limits=limits, catalog=catalog)
        limits = replace(limits, max_bytes=min(limits.max_bytes, MOST_PARSED_BYTES))
        if len(data) > limits.max_bytes:
            return _rejected(_too_large(len(data), limits))
        answer = self._parse(file_name, data)
        match answer:
            case Parsed():
                return check_document(
                    answer.document,
                    size=len(data),
                    limits=limits,
                    catalog=catalog,
                    positions=_positions_of(answer, self._hooks),
                )
            case Unparsed():
                return _rejected(_problem_of(answer.problem))
            case HookFailed():
                return _rejected(_failure(answer))
            case None:
                return _rejected(nobody_reads(file_name))

    def as_json(self, file_name: bytes, data: bytes) -> bytes | None:
        """Return the JSON of a file that was found valid; None: a plugin cannot read it now."""
        if self.suffix_of(file_name) in (None, JSON_SUFFIX):
            return data
        answer = self._parse(file_name, data)
        return msgspec.json.encode(answer.document) if isinstance(answer, Parsed) else None

    def _parse(self, file_name: bytes, data: bytes) -> Parsed | Unparsed | HookFailed | None:
        return self._hooks.parse_file(Path(os.fsdecode(file_name)), data)


def nobody_reads(file_name: bytes) -> Problem:
    """Say that no plugin reads a file of this suffix."""
    suffix = os.path.splitext(file_name)[1]  # noqa: PTH122 - bytes, which Path does not take
    plugin = _KNOWN_ELSEWHERE.get(suffix, "the plugin for it")
    shown = f"*{escaped(os.fsdecode(suffix))} files" if suffix else "files without a suffix"
    return Problem(
        code=ProblemCode.UNREADABLE,
        message=f"no plugin that runs reads {shown}",
        hint=f"install {plugin}, or mend it (`inboxd plugins` says what is wrong), and give the"
        " file again; or write it as JSON",
    )


def unread_reason(file_name: bytes) -> str | None:
    """Return why a file stays in the inbox that looks like a task file to people."""
    suffix = os.path.splitext(file_name)[1]  # noqa: PTH122 - bytes, which Path does not take
    plugin = _KNOWN_ELSEWHERE.get(suffix)
    if plugin is None or file_name.startswith(b"."):
        return None
    return f"no plugin reads it; install {plugin}, or look at `inboxd plugins`"


def _failure(failed: HookFailed) -> Problem:
    return Problem(
        code=ProblemCode.UNREADABLE,
        message=f'the plugin "{escaped(failed.plugin)}" ({escaped(failed.distribution)}) could not'
        f" read the file: {failed.reason}",
        hint="this is the plugin's fault: the daemon's log has the traceback; until it is mended,"
        " write the file as JSON",
    )


def _problem_of(problem: ParseProblem) -> Problem:
    """Return what a plugin says of the text; none of its parts need be what its type says."""
    known = {code.value: code for code in ProblemCode}
    line, column = _place((problem.line, problem.column)) or (None, None)
    return Problem(
        code=known.get(str(problem.code), ProblemCode.INVALID_VALUE),
        line=line,
        column=column,
        message=_bounded(problem.message),
        hint=None if problem.hint is None else _bounded(problem.hint),
    )


def _bounded(text: object) -> str:
    return escaped(str(text)[:_LONGEST_TEXT])


def _positions_of(parsed: Parsed, hooks: Hooks) -> Positions:
    """Return where the values of a document stand, as far as the plugin says it."""
    document: object = parsed.document
    if type(document) in (list, dict):
        return _nowhere

    def position_of(path: ValuePath, *, at_key: bool) -> object:
        # Looking for the method may run the plugin's code, too.
        if not isinstance(document, HasPositions):
            return None
        return document.position_of(path, at_key=at_key)

    asked = Asked(
        Implementation(
            plugin=parsed.plugin,
            distribution=parsed.distribution,
            hook="position_of",
            function=position_of,
        ),
        hooks,
        _place,
    )

    def position(path: ValuePath, *, at_key: bool) -> tuple[int, int] | None:
        try:
            place: tuple[int, int] | None = asked(path, at_key=at_key)
        except PluginError:  # it was reported; the error is told without its place
            return None
        return place

    return position


def _nowhere(path: ValuePath, *, at_key: bool) -> None:
    del path, at_key


def _place(given: Any) -> tuple[int, int] | None:
    """Return line and column when that is what was given."""
    match given:
        case (int(line), int(column)) if line >= 1 and column >= 1:
            return line, column
        case _:
            return None


def _too_large(size: int, limits: Limits) -> Problem:
    return Problem(
        code=ProblemCode.TOO_LARGE,
        message=f"the file has {size:,} bytes; at most {limits.max_bytes:,} are read of a file that"
        " is not JSON",
        hint="split it into several files, or write it as JSON",
    )


def _rejected(problem: Problem) -> RejectedArray:
    return RejectedArray(problems=[problem])
