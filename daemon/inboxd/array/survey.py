"""
The first pass: what each task must keep to by itself, and what the file's tasks are called.

Everything that needs another task, an edge or a parent, waits for the second pass.
"""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from inboxd.array.catalog import InputPath
from inboxd.array.decode import BadFields
from inboxd.array.execution import Executors, InputChecks, executor_named_by, secrets_in
from inboxd.array.expressions import has_opening, near_miss, strings_in
from inboxd.array.fields import EXECUTOR_ID, LONGEST_ID
from inboxd.array.findings import Findings
from inboxd.array.json_schema import SchemaError
from inboxd.array.problem import Finding, Path, ProblemCode, pointer, quoted
from inboxd.array.shape import check_shape
from inboxd.array.task_values import check_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.array.catalog import Catalog, InputProblem
    from inboxd.array.decode import DecodedChunk
    from inboxd.array.execution import ExecutorEntry
    from inboxd.array.records import CheckedTask
    from inboxd.array.split import Chunk

__all__ = ["AMBIGUOUS", "NO_EXECUTOR", "Survey", "is_id", "nul_in_text"]

#: In `Survey.name_index`: several tasks have this name.
AMBIGUOUS = -1
#: In `Survey.executors`: not known, which was reported.
NO_EXECUTOR = -1

_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:-]{{0,{LONGEST_ID - 1}}}", re.ASCII)
_IDS = re.compile(rf"(?:[A-Za-z0-9][A-Za-z0-9._:-]{{0,{LONGEST_ID - 1}}}+\n)*+", re.ASCII)


_NOTHING: BadFields = frozenset()
_NOTHING_OPEN: frozenset[InputPath] = frozenset()
_LABELS = frozenset({"id", "name"})
_NAMING = frozenset({"executor", "params", "schemas"})


def is_id(text: str) -> bool:
    """Return whether a text has the form of an id."""
    return _ID.fullmatch(text) is not None


class Survey:
    """What the first pass found, by position in the array."""

    def __init__(self, catalog: Catalog, *, path: Path, defaults: CheckedTask) -> None:
        self._path = path
        self._defaults = defaults
        #: Of the envelope.
        self.default_inputs = {} if defaults.inputs is UNSET else defaults.inputs
        self._defaults_are_open = _has_openings(self.default_inputs)
        self._inputs = InputChecks(catalog)
        self._named = Executors(catalog)
        self.findings = Findings()
        self.warnings = Findings()
        #: By chunk (see `column`), as given; None where the task has no good one.
        self.ids: list[tuple[str | None, ...]] = []
        #: By chunk, as given; None where it is the id.
        self.names: list[tuple[str | None, ...]] = []
        self.id_index: dict[str, int] = {}
        self.name_index: dict[str, int] = {}
        #: Numbers of `entries`.
        self.executors: array[int] = array("i")
        self._check_defaults()

    @property
    def entries(self) -> Sequence[ExecutorEntry]:
        """The executors that were named, by number."""
        return self._named.found

    def add(self, chunk: Chunk, decoded: DecodedChunk) -> tuple[bool, bool]:
        """
        Take the tasks of the next chunk in.

        Returns:
            Whether one of them names another task, and whether one has something to fill in.
        """
        self.findings.extend(decoded.findings)
        ids: list[str | None] = []
        names: list[str | None] = []
        has_links = False
        has_openings = False
        executors = self.executors
        default_schema = self._defaults.schemas is not UNSET
        for position, task in enumerate(decoded.tasks, chunk.first):
            bad = decoded.bad_fields(position - chunk.first) if decoded.bad else _NOTHING
            task_id, name = task.id, task.name
            if task_id is UNSET:
                ids.append(None)
                if name is UNSET and not bad & _LABELS:
                    self.findings.add(_missing_name((*self._path, position)))
            else:
                ids.append(task_id)
                if self.id_index.setdefault(task_id, position) != position:
                    self._report_duplicate(task_id, position)
            if name is UNSET or name == task_id:
                names.append(None)
            else:
                names.append(name)
                if self.name_index.setdefault(name, position) != position:
                    self.name_index[name] = AMBIGUOUS
            if task.dependencies or task.parent_id:
                has_links = True
            entry = None if task.executor is UNSET or bad else self._named.get(task.executor, task)
            if entry is None:
                entry = self._resolve(task, position, bad)
            executors.append(NO_EXECUTOR if entry is None else entry.number)
            open_at: frozenset[InputPath] = _NOTHING_OPEN
            if decoded.has_braces or self._defaults_are_open:
                open_at = self._look_for_openings(task, (*self._path, position))
                has_openings = has_openings or bool(open_at)
            if default_schema or task.schemas is not UNSET or (entry and entry.wants_check):
                self._check_inputs(task, position, entry, bad, open_at)
            if entry is not None and entry.wants_params_check and "params" not in bad:
                self._check_params(task, (*self._path, position), entry.name)
            if task.timeout is not UNSET or task.retry is not UNSET or task.not_before is not UNSET:
                self.findings.extend(check_values(task, (*self._path, position)))
            if task.params and "executor_id" in task.params:
                self._check_executor_id(task.params, (*self._path, position))
            if not decoded.is_plain:
                self._look_closer(task, position, bad)
        self.ids.append(tuple(ids))
        self.names.append(tuple(names))
        self._check_ids(ids, chunk.first)
        return has_links, has_openings

    def _check_ids(self, ids: list[str | None], first: int) -> None:
        given = [task_id for task_id in ids if task_id is not None]
        joined = "\n".join(given) + "\n" if given else ""
        if joined.count("\n") == len(given) and _IDS.fullmatch(joined):
            return
        for position, task_id in enumerate(ids, first):
            if task_id is not None and not is_id(task_id):
                self.findings.add(_invalid_id(task_id, (*self._path, position, "id")))

    def _report_duplicate(self, task_id: str, position: int) -> None:
        first = pointer((*self._path, self.id_index[task_id]))
        self.findings.add(
            Finding(
                code=ProblemCode.DUPLICATE_ID,
                path=(*self._path, position, "id"),
                message=f"the id {quoted(task_id)} is used before, by {first}",
                hint="give each task an id of its own",
            )
        )

    def _resolve(self, task: CheckedTask, position: int, bad: BadFields) -> ExecutorEntry | None:
        """Return who executes the task in the documented order; report when nobody does."""
        named = executor_named_by(task)
        if named is None and (bad & _NAMING or (task.params and "executor_id" in task.params)):
            # What should name it is wrong, which is reported.
            return None
        where: Path = (*self._path, position)
        is_label = False
        if named is not None:
            name, path = named[0], (*where, *named[1])
        elif (default := self._default_executor(task)) is not None:
            # Whether it exists was checked, and reported, once for all.
            return self._named.get(default, task)
        elif self._defaults.params and "executor_id" in self._defaults.params:
            return None
        elif task.name is not UNSET:
            name, path, is_label = task.name, (*where, "name"), True
        elif task.id is not UNSET:
            name, path, is_label = task.id, (*where, "id"), True
        else:
            return None
        entry = self._named.get(name, task)
        if entry is None and not (is_label and bad & _LABELS):
            self.findings.add(self._named.unknown(name, path, is_label=is_label))
        return entry

    def _check_executor_id(self, params: dict[str, Any], path: Path) -> None:
        where = (*path, "params", "executor_id")
        self.findings.extend(check_shape(params["executor_id"], EXECUTOR_ID, where))

    def _default_executor(self, task: CheckedTask) -> str | None:
        named = executor_named_by(self._defaults)
        if named is None or (named[1][0] == "schemas" and task.schemas is not UNSET):
            return None
        return named[0]

    def _check_defaults(self) -> None:
        self.findings.extend(check_values(self._defaults, ("defaults",)))
        self._look_for_secrets(self._defaults, ("defaults",))
        for where, text in strings_in(self.default_inputs, ("defaults", "inputs")):
            self._warn_of_near_miss(text, where)
        if self._defaults.params and "executor_id" in self._defaults.params:
            self._check_executor_id(self._defaults.params, ("defaults",))
        named = executor_named_by(self._defaults)
        if named is not None and self._named.get(named[0], self._defaults) is None:
            path = ("defaults", *named[1])
            self.findings.add(self._named.unknown(named[0], path, is_label=False))
        if self._defaults.schemas is not UNSET:
            self._compile(self._defaults, ("defaults",))

    def _compile(self, task: CheckedTask, path: Path) -> None:
        if task.schemas is UNSET or task.schemas.input_schema is UNSET:
            return
        check = self._inputs.compiled(task.schemas.input_schema)
        if isinstance(check, SchemaError):
            self.findings.add(
                Finding(
                    code=ProblemCode.INVALID_VALUE,
                    path=(*path, "schemas", "input_schema", *check.path),
                    message=f"this is no JSON Schema that can be used: {check}",
                )
            )

    def _check_inputs(
        self,
        task: CheckedTask,
        position: int,
        entry: ExecutorEntry | None,
        bad: BadFields,
        open_at: frozenset[InputPath],
    ) -> None:
        path = (*self._path, position)
        self._compile(task, path)
        if "inputs" in bad:
            return
        inputs = self._merged_inputs(task)
        if entry is not None and entry.wants_check:
            problems = self._inputs.by_executor(entry.name, inputs, open_at)
            self._report_inputs(problems, task, path)
        schemas = task.schemas if task.schemas is not UNSET else self._defaults.schemas
        if schemas is not UNSET and schemas.input_schema is not UNSET and "schemas" not in bad:
            check = self._inputs.compiled(schemas.input_schema)
            if not isinstance(check, SchemaError):
                self._report_inputs(check.problems(inputs, open_at=open_at), task, path)

    def _check_params(self, task: CheckedTask, path: Path, executor: str) -> None:
        """Report what a task's executor does not take of its params."""
        defaults = self._defaults.params or {}
        own = task.params or {}
        for problem in self._inputs.params_by_executor(executor, {**defaults, **own}):
            where: Path = path
            if problem.path:
                is_own = problem.path[0] in own
                where = (*path, "params") if is_own else ("defaults", "params")
            elif task.params is not UNSET:
                where = (*path, "params")
            self.findings.add(
                Finding(
                    code=ProblemCode.INVALID_VALUE,
                    path=(*where, *problem.path),
                    message=problem.message,
                    hint=problem.hint,
                    at_key=problem.at_key,
                )
            )

    def _merged_inputs(self, task: CheckedTask) -> dict[str, Any]:
        own = {} if task.inputs is UNSET else task.inputs
        return {**self.default_inputs, **own} if self.default_inputs else own

    def _report_inputs(
        self, problems: Iterable[InputProblem], task: CheckedTask, path: Path
    ) -> None:
        own = task.inputs
        for problem in problems:
            where: Path = (*path, "inputs") if own is not UNSET else path
            if problem.path and (own is UNSET or problem.path[0] not in own):
                where = ("defaults", "inputs")
            self.findings.add(
                Finding(
                    code=ProblemCode.INVALID_INPUTS,
                    path=(*where, *problem.path),
                    message=problem.message,
                    hint=problem.hint,
                    at_key=problem.at_key,
                )
            )

    def _look_closer(self, task: CheckedTask, position: int, bad: BadFields) -> None:
        """Look for what is rare, in a chunk that the fast decoder alone does not answer for."""
        path: Path = (*self._path, position)
        if task.name is not UNSET and "\0" in task.name and "name" not in bad:
            self.findings.add(nul_in_text((*path, "name")))
        self._look_for_secrets(task, path)

    def _look_for_secrets(self, task: CheckedTask, path: Path) -> None:
        for key, value in (("inputs", task.inputs), ("params", task.params)):
            if value:
                self.findings.extend(secrets_in(value, (*path, key)))

    def _look_for_openings(self, task: CheckedTask, path: Path) -> frozenset[InputPath]:
        """Return which texts of a task's inputs are filled in; warn of what looks as if it were."""
        if task.params is not UNSET:
            for where, text in strings_in(task.params, (*path, "params")):
                if has_opening(text):
                    self.warnings.add(_not_filled_in(where))
        found: set[InputPath] = set()
        for where, text in strings_in(self._merged_inputs(task), ()):
            if "{" in text:
                # Those of the defaults were warned of once for all.
                if task.inputs is not UNSET and where[0] in task.inputs:
                    self._warn_of_near_miss(text, (*path, "inputs", *where))
                if has_opening(text):
                    found.add(where)
        return frozenset(found)

    def _warn_of_near_miss(self, text: str, where: Path) -> None:
        found = near_miss(text)
        if found is not None:
            self.warnings.add(_near_miss(found, where))


def _has_openings(inputs: dict[str, Any]) -> bool:
    return any(has_opening(text) for _, text in strings_in(inputs, ()))


def _near_miss(found: str, path: Path) -> Finding:
    if found.startswith("${{"):
        message = f"the $ of {quoted(found)} stays in the text"
        hint = "a reference begins with {{ tasks. alone; leave it if the $ is meant"
    else:
        message = f"{quoted(found)} is plain text: a reference begins with {{{{ tasks."
        hint = "leave it if it is meant as text"
    return Finding(code=ProblemCode.INVALID_EXPRESSION, path=path, message=message, hint=hint)


def _not_filled_in(path: Path) -> Finding:
    return Finding(
        code=ProblemCode.INVALID_EXPRESSION,
        path=path,
        message="{{ tasks. in `params` is plain text: references are filled in in `inputs` only",
        hint="leave it if it is meant as text",
    )


def nul_in_text(path: Path) -> Finding:
    """Say that a label holds a NUL, which neither a database nor a terminal keeps."""
    return Finding(
        code=ProblemCode.INVALID_VALUE,
        path=path,
        message="the text holds the NUL character",
        hint=r"remove \u0000",
    )


def _missing_name(path: Path) -> Finding:
    return Finding(
        code=ProblemCode.MISSING_FIELD,
        path=path,
        message="the task has neither `id` nor `name`",
        hint="give it an id",
    )


def _invalid_id(task_id: str, path: Path) -> Finding:
    if len(task_id) > LONGEST_ID:
        message = f"the id has {len(task_id):,} characters; at most {LONGEST_ID} are taken"
        hint = "put the long text in `name`"
    elif not task_id:
        message, hint = "the id is empty", "write one, or leave it out and give a `name`"
    else:
        message = f"{quoted(task_id)} is no id"
        hint = "an id begins with a letter or digit; then come letters, digits and . _ : -"
    return Finding(code=ProblemCode.INVALID_ID, path=path, message=message, hint=hint)
