"""
The second pass: dependencies and parents, from references to positions.

A million tasks have a few million edges, so they lie in flat arrays, not in objects.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from msgspec import UNSET

from inboxd.array.decode import BadFields
from inboxd.array.findings import Findings
from inboxd.array.problem import Finding, Path, ProblemCode, quoted
from inboxd.array.records import Edge
from inboxd.array.survey import AMBIGUOUS
from inboxd.task import EdgeOn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.array.naming import Naming
    from inboxd.array.records import CheckedTask, LinkedTask

__all__ = ["NO_PARENT", "ON", "Links"]

#: In `Links.parents`.
NO_PARENT = -1

#: What `Links.edge_ons` counts in.
ON = (EdgeOn.SUCCESS, EdgeOn.FAILURE, EdgeOn.END)
_ON_NUMBER = {str(on): number for number, on in enumerate(ON)}
_SUCCESS, _END = _ON_NUMBER["success"], _ON_NUMBER["end"]
_NOTHING: BadFields = frozenset()


class Links:
    """The edges and parents of an array, by position."""

    def __init__(self, naming: Naming, *, path: Path) -> None:
        self.naming = self._naming = naming
        self.path = self._path = path
        self.findings = Findings()
        #: The edges of the task at p are those from `edge_starts[p]` up to `edge_starts[p + 1]`.
        self.edge_starts: array[int] = array("q", [0])
        #: The position of the task that comes before.
        self.edges: array[int] = array("i")
        #: Numbers of `ON`.
        self.edge_ons = bytearray()
        self.parents: array[int] = array("i")
        #: True: every edge, every parent points to an earlier task, so there is no circle.
        self.edges_point_back = True
        self.parents_point_back = True

    def add_unlinked(self, count: int) -> None:
        """Take in *count* tasks that name no others."""
        self.edge_starts.extend([len(self.edges)] * count)
        self.parents.extend([NO_PARENT] * count)

    def add(self, tasks: Sequence[LinkedTask], first: int) -> None:
        """Take in the tasks of a chunk in which nothing was wrong so far."""
        starts, edges, ons, find = (
            self.edge_starts,
            self.edges,
            self.edge_ons,
            self._naming.given.get,
        )
        for position, task in enumerate(tasks, first):
            written = task.dependencies
            # The usual task, at half the cost: no parent, one dependency, on an earlier task.
            if not task.parent_id and written and len(written) == 1 and isinstance(written[0], str):
                before = find(written[0])
                if before is None:
                    before = self._naming.find(written[0])
                if before is not None and 0 <= before < position:
                    edges.append(before)
                    ons.append(_SUCCESS)
                    starts.append(len(edges))
                    self.parents.append(NO_PARENT)
                    continue
            self._add_one(task, position, _NOTHING)

    def add_checked(self, tasks: Iterable[tuple[CheckedTask, BadFields]], first: int) -> None:
        """Take in the tasks of a chunk that was read carefully, with what was taken out of each."""
        for position, (task, bad) in enumerate(tasks, first):
            self._add_one(task, position, bad)

    def _add_one(self, task: LinkedTask | CheckedTask, position: int, bad: BadFields) -> None:
        if task.dependencies:
            self._add_edges(task.dependencies, position, bad)
        self.edge_starts.append(len(self.edges))
        parent = NO_PARENT
        if task.parent_id is not UNSET and task.parent_id is not None:
            parent = self._find(task.parent_id, position, ("parent_id",))
            if parent >= position:
                self.parents_point_back = False
        self.parents.append(parent)

    def _add_edges(self, written: list[str | Edge], position: int, bad: BadFields) -> None:
        seen: set[tuple[int, int]] = set()
        for index, edge in enumerate(written):
            if isinstance(edge, str):
                on, before = _SUCCESS, self._find(edge, position, ("dependencies", index))
            elif ("dependencies", index) in bad:
                continue
            else:
                on, before = self._read_edge(edge, position, index)
            if before < 0 or (before, on) in seen:
                continue
            seen.add((before, on))
            self.edges.append(before)
            self.edge_ons.append(on)
            if before >= position:
                self.edges_point_back = False
                if before == position:
                    self._report_self(position, index)

    def _find(self, reference: str, position: int, where: Path) -> int:
        """Return the position that a reference names, -1 when that was reported as wrong."""
        found = self._naming.find(reference)
        if found is not None and found != AMBIGUOUS:
            return found
        path = (*self._path, position, *where)
        if found is None:
            self.findings.add(self._naming.not_found(reference, path))
        else:
            self.findings.add(self._naming.ambiguous(reference, path))
        return -1

    def _read_edge(self, edge: Edge, position: int, index: int) -> tuple[int, int]:
        """Return (on, position before); the position is -1 when something is wrong."""
        where: Path = ("dependencies", index)
        path = (*self._path, position, *where)
        if edge.on is not UNSET and edge.required is not UNSET:
            self.findings.add(
                Finding(
                    code=ProblemCode.CONFLICTING_FIELDS,
                    path=path,
                    message="an edge has either `on` or `required`, not both",
                    hint='`"required": true` says "success", `"required": false` says "end"',
                )
            )
        if edge.id is not UNSET and edge.name is not UNSET:
            self.findings.add(
                Finding(
                    code=ProblemCode.CONFLICTING_FIELDS,
                    path=path,
                    message="an edge has either `id` or `name`, not both",
                    hint="keep the id",
                )
            )
        if edge.on is not UNSET:
            on = _ON_NUMBER[edge.on]
        else:
            on = _END if edge.required is False else _SUCCESS
        if edge.id is not UNSET:
            return on, self._find(edge.id, position, (*where, "id"))
        if edge.name is not UNSET:
            return on, self._find(edge.name, position, (*where, "name"))
        self.findings.add(
            Finding(
                code=ProblemCode.MISSING_FIELD,
                path=path,
                message="the edge names no task: it has neither `id` nor `name`",
                hint="say which task comes before",
            )
        )
        return on, -1

    def _report_self(self, position: int, index: int) -> None:
        self.findings.add(
            Finding(
                code=ProblemCode.SELF_DEPENDENCY,
                path=(*self._path, position, "dependencies", index),
                message=f"the task {quoted(self._naming.ids[position])} depends on itself",
                hint="remove this edge",
            )
        )
