"""What the tasks of an array are called once all are known, and what a reference names."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from inboxd.array.findings import Findings
from inboxd.array.problem import Finding, Path, ProblemCode, pointer, quoted
from inboxd.array.survey import AMBIGUOUS, is_id
from inboxd.names import did_you_mean

if TYPE_CHECKING:
    from inboxd.array.survey import Survey

__all__ = ["Naming"]


class Naming:
    """The ids of all tasks, the default ones made, and the search for what a reference names."""

    def __init__(self, survey: Survey, *, path: Path) -> None:
        self._path = path
        self._given = survey.id_index
        self._names = survey.name_index
        self._given_names = survey.names
        self.findings = Findings()
        self._made: dict[str, int] = {}
        #: By position.
        self.ids: list[str] = [
            self._default_id(position) if task_id is None else task_id
            for position, task_id in enumerate(survey.ids)
        ]
        #: The position of the task that a reference names, `AMBIGUOUS` where several have the
        #: name: an id of the file, else a name. Mostly there are only given ids, and no copy.
        self.index: dict[str, int] = self._given
        if self._made or self._names:
            self.index = {**self._names, **self._made, **self._given}

    def not_found(self, reference: str, path: Path) -> Finding:
        """Say that a reference names nothing."""
        return Finding(
            code=ProblemCode.UNKNOWN_REFERENCE,
            path=path,
            message=f"no task {quoted(reference)} in this file",
            hint=did_you_mean(reference, chain(self._given, self._made, self._names)),
        )

    def ambiguous(self, reference: str, path: Path) -> Finding:
        """Say that a reference names several tasks, and which."""
        having = [
            pointer((*self._path, position))
            for position, name in enumerate(self._given_names)
            if name == reference
        ]
        shown = ", ".join(having[:3]) + (", …" if len(having) > 3 else "")
        return Finding(
            code=ProblemCode.AMBIGUOUS_REFERENCE,
            path=path,
            message=f"{len(having):,} tasks are named {quoted(reference)}: {shown}",
            hint="refer to one by its id",
        )

    def _default_id(self, position: int) -> str:
        """
        Return the id of a task that gives none.

        Its name, where no other task is called so and it has the form of an id; else its place.
        """
        name = self._given_names[position]
        wanted = f"task-{position + 1}"
        if name is not None and is_id(name) and self._names.get(name) == position:
            holder = self._given.get(name)
            # A task without a name of its own is called what its id is.
            if holder is None or self._given_names[holder] is not None:
                wanted = name
        if wanted in self._given or wanted in self._made:
            self._report_clash(wanted, position)
        else:
            self._made[wanted] = position
        return wanted

    def _report_clash(self, task_id: str, position: int) -> None:
        other = self._given.get(task_id, self._made.get(task_id, AMBIGUOUS))
        self.findings.add(
            Finding(
                code=ProblemCode.DUPLICATE_ID,
                path=(*self._path, position),
                message=(
                    f"the task has no id, and the default {quoted(task_id)} is that of "
                    f"{pointer((*self._path, other))}"
                ),
                hint="give it an id",
            )
        )
