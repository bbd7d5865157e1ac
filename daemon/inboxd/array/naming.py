"""What the tasks of an array are called once all are known, and what a reference names."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, cast

from inboxd.array.column import Column
from inboxd.array.findings import Findings
from inboxd.array.problem import Finding, Path, ProblemCode, pointer, quoted
from inboxd.array.survey import AMBIGUOUS, is_id
from inboxd.names import MOST_COMPARED, MOST_NAMES, did_you_mean

if TYPE_CHECKING:
    from inboxd.array.survey import Survey

__all__ = ["Naming"]

#: For the hints of one array: with names of usual length that is one for each problem that is
#: reported; a file of long names may have a hundred thousand references to nothing.
_MOST_COMPARED = 5 * MOST_COMPARED


class Naming:
    """The ids of all tasks, the default ones made, and the search for what a reference names."""

    def __init__(self, survey: Survey, *, path: Path) -> None:
        self._path = path
        #: Positions by the ids that tasks give.
        self.given = survey.id_index
        self._names = survey.name_index
        self._given_names = survey.names
        self.findings = Findings()
        #: Names that hints are looked for in, made when first needed, and the work that is left.
        self._near: tuple[str, ...] = ()
        self._compare_left = _MOST_COMPARED
        self._made: dict[str, int] = {}
        #: By chunk.
        self.parts: list[tuple[str, ...]] = []
        first = 0
        for ids, names in zip(survey.ids, survey.names, strict=True):
            self.parts.append(self._whole(ids, names, first))
            first += len(ids)
        #: By position.
        self.ids = Column(self.parts)

    def find(self, reference: str) -> int | None:
        """Return the position that a reference names; `AMBIGUOUS`; None where it names nothing."""
        position = self.given.get(reference)
        if position is None:
            position = self._made.get(reference)
        return self._names.get(reference) if position is None else position

    def not_found(self, reference: str, path: Path) -> Finding:
        """Say that a reference names nothing."""
        return Finding(
            code=ProblemCode.UNKNOWN_REFERENCE,
            path=path,
            message=f"no task {quoted(reference)} in this file",
            hint=self._hint(reference),
        )

    def _hint(self, reference: str) -> str | None:
        if not self._near:
            names = chain(self.given, self._made, self._names)
            self._near = tuple(islice(names, MOST_NAMES))
        self._compare_left -= min(MOST_COMPARED, len(reference) * sum(map(len, self._near)))
        return did_you_mean(reference, self._near) if self._compare_left >= 0 else None

    def ambiguous(self, reference: str, path: Path) -> Finding:
        """Say that a reference names several tasks, and which."""
        having = [
            pointer((*self._path, position))
            for position, name in enumerate(chain.from_iterable(self._given_names))
            if name == reference
        ]
        shown = ", ".join(having[:3]) + (", …" if len(having) > 3 else "")
        return Finding(
            code=ProblemCode.AMBIGUOUS_REFERENCE,
            path=path,
            message=f"{len(having):,} tasks are named {quoted(reference)}: {shown}",
            hint="refer to one by its id",
        )

    def _whole(
        self, ids: tuple[str | None, ...], names: tuple[str | None, ...], first: int
    ) -> tuple[str, ...]:
        """Return the ids of a chunk with default ones where tasks give none."""
        if None not in ids:
            return cast("tuple[str, ...]", ids)
        return tuple(
            self._default_id(names[index], first + index) if task_id is None else task_id
            for index, task_id in enumerate(ids)
        )

    def _default_id(self, name: str | None, position: int) -> str:
        """
        Return the id of a task that gives none.

        Its name, where no other task is called so and it has the form of an id; else its place.
        """
        wanted = f"task-{position + 1}"
        if name is not None and is_id(name) and self._names.get(name) == position:
            holder = self.given.get(name)
            # A task without a name of its own is called what its id is.
            if holder is None or self._has_own_name(holder):
                wanted = name
        if wanted in self.given or wanted in self._made:
            self._report_clash(wanted, position)
        else:
            self._made[wanted] = position
        return wanted

    def _has_own_name(self, position: int) -> bool:
        for names in self._given_names:
            if position < len(names):
                return names[position] is not None
            position -= len(names)
        return False

    def _report_clash(self, task_id: str, position: int) -> None:
        other = self.given.get(task_id, self._made.get(task_id, AMBIGUOUS))
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
