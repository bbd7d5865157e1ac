"""
The pass over the expressions in `inputs`: each must name a task that comes before, and parse.

Only chunks with an opening in them are looked at, so a file without expressions costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from inboxd.array.ancestry import Ancestry
from inboxd.array.expressions import Expression, Mistake, has_opening, parse_text, strings_in
from inboxd.array.findings import Findings
from inboxd.array.problem import Finding, ProblemCode, quoted
from inboxd.array.queries import QueryError, parse_query
from inboxd.array.survey import AMBIGUOUS, NO_EXECUTOR
from inboxd.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.array.catalog import Catalog
    from inboxd.array.decode import BadFields
    from inboxd.array.execution import ExecutorEntry
    from inboxd.array.links import Links
    from inboxd.array.naming import Naming
    from inboxd.array.problem import Path
    from inboxd.array.records import CheckedTask

__all__ = ["ResultReferences", "lies_in", "read_positions"]

#: Where `env` goes along.
_OF_COMMANDS = frozenset({"argv", "script", "stdin"})


def read_positions(inputs: object, naming: Naming) -> dict[str, int] | None:
    """
    Return the references in the inputs of a task without errors, and the positions they name.

    Args:
        inputs: decoded, defaults merged in.
        naming: of the array.

    Returns:
        None when there is nothing to fill in; empty when there are only escaped openings.
    """
    found: dict[str, int] | None = None
    for _, text in strings_in(inputs, ()):
        if not has_opening(text):
            continue
        found = {} if found is None else found
        for part in parse_text(text, lambda name: naming.find(name) is not None).parts:
            if isinstance(part, Expression):
                position = naming.find(part.reference)
                if position is not None:
                    found[part.reference] = position
    return found


def lies_in(path: Path, places: Iterable[Path]) -> bool:
    """Return whether a path is one of the places, or leads into one."""
    return any(path[: len(place)] == place for place in places)


class ResultReferences:
    """Checks the expressions of an array, task by task."""

    def __init__(
        self,
        naming: Naming,
        links: Links,
        *,
        path: Path,
        catalog: Catalog,
        entries: Sequence[ExecutorEntry],
        executors: Sequence[int],
        default_inputs: dict[str, Any],
        has_cycles: bool,
    ) -> None:
        """
        Args:
            naming: what the tasks are called.
            links: their edges.
            path: of the array.
            catalog: which inputs are code.
            entries: the executors, by number.
            executors: their numbers, by position.
            default_inputs: of the envelope.
            has_cycles: some tasks wait for each other, which was reported: then nothing is said
                of what comes before what.
        """
        self._naming = naming
        self._links = links
        self._path = path
        self._catalog = catalog
        self._entries = entries
        self._executors = executors
        self._default_inputs = default_inputs
        self._ancestry = (
            None
            if has_cycles
            else Ancestry(links.edge_starts, links.edges, edges_point_back=links.edges_point_back)
        )
        self.findings = Findings()

    def add(self, tasks: Iterable[tuple[CheckedTask, BadFields]], first: int) -> None:
        """Look at the tasks of a chunk, each with the fields that were taken out of it."""
        for position, (task, bad) in enumerate(tasks, first):
            own = {} if task.inputs is UNSET else task.inputs
            inputs = {**self._default_inputs, **own} if self._default_inputs else own
            texts = [item for item in strings_in(inputs, ()) if has_opening(item[1])]
            if texts and "inputs" not in bad:
                self._check_task(position, task, inputs, texts, bad)

    def _check_task(
        self,
        position: int,
        task: CheckedTask,
        inputs: dict[str, Any],
        texts: Sequence[tuple[Path, str]],
        bad: BadFields,
    ) -> None:
        number = self._executors[position]
        code: Sequence[Path] = ()
        if number != NO_EXECUTOR:
            name = self._entries[number].name
            try:
                code = self._catalog.code_places(name, inputs)
            except PluginError as error:
                self.findings.add(self._unsearched(name, position, task, error))
                return
        wrong_edges = bool(bad) or self._has_wrong_edges(task, position)
        for path, text in texts:
            is_default = task.inputs is UNSET or path[0] not in task.inputs
            where: Path = (
                ("defaults", "inputs", *path)
                if is_default
                else (*self._path, position, "inputs", *path)
            )
            for part in parse_text(text, self._knows).parts:
                finding = None
                if isinstance(part, Mistake):
                    finding = self._mistake(part, where)
                elif isinstance(part, Expression):
                    finding = (
                        self._in_code(part, where, path, inputs)
                        if lies_in(path, code)
                        else self._expression(
                            part, where, position, is_default=is_default, skip_order=wrong_edges
                        )
                    )
                if finding is not None:
                    self.findings.add(finding)

    def _unsearched(
        self, executor: str, position: int, task: CheckedTask, error: PluginError
    ) -> Finding:
        where: Path = (*self._path, position)
        return Finding(
            code=ProblemCode.INVALID_INPUTS,
            path=where if task.inputs is UNSET else (*where, "inputs"),
            message=f"executor {quoted(executor)} could not say which inputs are code: {error}",
            hint="this is the plugin's fault, and the daemon's log has the traceback: mend or"
            " update the plugin, and give the file again",
        )

    def _knows(self, reference: str) -> bool:
        return self._naming.find(reference) is not None

    def _has_wrong_edges(self, task: CheckedTask, position: int) -> bool:
        """Return whether some edge of the task was reported, so that its reference is missing."""
        if not self._links.findings.kept:
            return False
        starts = self._links.edge_starts
        written = 0 if task.dependencies is UNSET else len(task.dependencies)
        return starts[position + 1] - starts[position] < written

    def _mistake(self, mistake: Mistake, where: Path) -> Finding:
        if mistake.unknown is not None:
            return self._naming.not_found(mistake.unknown, where)
        return Finding(
            code=ProblemCode.INVALID_EXPRESSION,
            path=where,
            message=f"{quoted(mistake.source)}: {mistake.message}",
            hint=mistake.hint or "{{{{ tasks. writes {{ tasks. as plain text",
        )

    def _in_code(
        self, expression: Expression, where: Path, path: Path, inputs: dict[str, Any]
    ) -> Finding:
        by = "`env`, and let the code read the variable"
        if path[0] not in _OF_COMMANDS and "env" not in inputs:
            by = "another of the inputs, as data"
        return Finding(
            code=ProblemCode.INVALID_EXPRESSION,
            path=where,
            message=f"{quoted(expression.source)} stands where its value would become code",
            hint=f"pass it by {by}",
        )

    def _expression(
        self,
        expression: Expression,
        where: Path,
        position: int,
        *,
        is_default: bool,
        skip_order: bool,
    ) -> Finding | None:
        try:
            parse_query(expression.query)
        except QueryError as error:
            return Finding(
                code=ProblemCode.INVALID_EXPRESSION,
                path=where,
                message=f"{quoted(expression.source)}: what follows"
                f" .{expression.field} is no JMESPath expression: {error}",
                hint="https://jmespath.org shows how one is written",
            )
        other = self._naming.find(expression.reference)
        if other == AMBIGUOUS:
            return self._naming.ambiguous(expression.reference, where)
        if other is None or skip_order:
            return None
        return self._order(expression, where, position, other, is_default=is_default)

    def _order(
        self, expression: Expression, where: Path, position: int, other: int, *, is_default: bool
    ) -> Finding | None:
        """Return what is wrong when the task that is named need not have ended before."""
        depends: bool | None = False
        if other != position:
            depends = self._ancestry is None or self._ancestry.depends_on(position, other)
        if depends:
            return None
        name = quoted(expression.reference)
        whose = "this task"
        if is_default:
            whose = f"task {quoted(self._naming.ids[position])}, which has this by default"
        if other == position:
            message = f"{name} is the task itself, which has no result before it ran"
            if is_default:
                message = f"{name} has this by default, and cannot read its own result"
            hint = "a task reads what others gave"
        else:
            if depends is None:
                message = f"whether {name} comes before {whose} would take too long to find out"
            else:
                message = f"{name} is no dependency of {whose}, so it need not have ended before"
            hint = f"add {name} to `dependencies`"
        return Finding(code=ProblemCode.UNKNOWN_REFERENCE, path=where, message=message, hint=hint)
