"""Collect findings without end in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.array.problem import MOST_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.array.problem import Finding

__all__ = ["Findings"]

#: One task can have more findings than are reported, and not in the order of the document;
#: so more are kept, and the first are chosen when all are known.
_MOST_KEPT = 10 * MOST_PROBLEMS


class Findings:
    """The findings of one pass over the tasks, which adds them task by task in order."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        #: True: some were not kept.
        self.overflowed = False

    def add(self, finding: Finding) -> None:
        """Keep the finding, if there is room."""
        if len(self.kept) < _MOST_KEPT:
            self.kept.append(finding)
        else:
            self.overflowed = True

    def extend(self, findings: Iterable[Finding]) -> None:
        """Keep the findings, as long as there is room."""
        for finding in findings:
            self.add(finding)
