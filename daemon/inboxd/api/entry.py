"""What all handles of one task share: the draft that it is, or where in the store it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from inboxd.array.records import CheckedTask, Edge
from inboxd.known_as import called
from inboxd.task import EdgeOn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from inboxd.api.session import Session
    from inboxd.store.find_tasks import FoundTask
    from inboxd.store.views import TaskDetails, TaskView

__all__ = ["Place", "TaskEntry", "parsed", "references_of"]


class Place(msgspec.Struct, frozen=True):
    """Where a task lies in the store, and its tree."""

    #: Public.
    tree_id: str
    #: Internal.
    tree: int
    #: The internal number of the task.
    task: int


class TaskEntry:
    """One task of a session: a draft until its tree is accepted, then a row of the store."""

    __slots__ = (
        "__weakref__",
        "_details",
        "_document",
        "_edges",
        "_parent_id",
        "_parsed",
        "_place",
        "_result",
        "_version",
        "_view",
        "created_at",
        "group",
        "id",
        "order",
        "session",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        task_id: str,
        *,
        document: dict[str, Any],
        order: int,
        created_at: datetime,
        group: str | None = None,
        place: Place | None = None,
    ) -> None:
        """
        Args:
            session: whose it is.
            task_id: its id in its tree.
            document: the task as a task array has it; empty for one that the store has.
            order: where it stands among all drafts of the session: the order of its array.
            created_at: aware, UTC.
            group: names the array that it came in; None: it was made by itself.
            place: where it lies in the store; None: it is a draft.
        """
        self.session = session
        self.id = task_id
        self._document = document
        self.order = order
        self.created_at = created_at
        self.group = group
        self._place = place
        self._parsed: CheckedTask | None = None
        self._view: TaskView | None = None
        self._details: TaskDetails | None = None
        self._version = -1
        #: UNSET, here and below: not read.
        self._result: bytes | UnsetType | None = None
        self._parent_id: str | UnsetType | None = UNSET
        self._edges: list[tuple[str, EdgeOn]] | None = None

    # A draft -------------------------------------------------------------------------------------

    @property
    def is_draft(self) -> bool:
        """Whether its tree is not accepted yet."""
        return self._place is None

    @property
    def document(self) -> dict[str, Any]:
        """The draft as a task array has it, without its id; it is replaced, and never changed."""
        return self._document

    @document.setter
    def document(self, document: dict[str, Any]) -> None:
        self._document, self._parsed = document, None

    def fields(self) -> CheckedTask:
        """Return the fields of the draft."""
        if self._parsed is None:
            self._parsed = parsed(self._document)
        return self._parsed

    def called(self) -> str:
        """Return what people know it by: its name where its id was made, else its id."""
        return called(self.id, self.name())

    def name(self) -> str:
        """Return its label as last known; by default the id."""
        name: str = self._document.get("name", self.id) if self._view is None else self._view.name
        return name

    # In the store --------------------------------------------------------------------------------

    @property
    def place(self) -> Place | None:
        """Where it lies in the store; None: it is a draft."""
        return self._place

    @place.setter
    def place(self, place: Place) -> None:
        self._place = place
        # From now on who finds it in the store gets this entry.
        self.session.stored.keep(self, place)

    def view(self) -> TaskView | None:
        """Return the task as the store has it now; None: it is a draft, or was never read."""
        if self._place is None:
            return None
        if self._view is None or self.session.version != self._version:
            self.session.refresh([self])
        return self._view

    def know(self, found: FoundTask, version: int) -> None:
        """Take what was read of it when the session had this version."""
        self._view, self._version = found.view, version
        self._result = found.result if found.is_result_read else UNSET
        self._parent_id = found.parent_id

    def result(self) -> bytes | None:
        """Return its result as JSON; None: it has none."""
        if self.view() is None or self._place is None:
            return None
        if isinstance(self._result, UnsetType):
            result = self.session.read_result(self._place)
            if isinstance(result, UnsetType):
                return None
            self._result = result
        return self._result

    def know_result(self, result: bytes | None) -> None:
        """Take its result, which was too long to come with the rest."""
        self._result = result

    @property
    def lacks_result(self) -> bool:
        """Whether it has a result in the store that was not read."""
        return self._result is UNSET

    def details(self) -> TaskDetails | None:
        """Return inputs, params and the like as the store has them; None: it is a draft."""
        if self._details is None and self._place is not None:
            view = self.view()
            self._details = None if view is None else self.session.read_details(view)
        return self._details

    def know_details(self, details: TaskDetails | None) -> None:
        """Take what was read beside the view; None: what was read before is not so any more."""
        self._details = details

    @property
    def lacks_details(self) -> bool:
        """Whether nobody read its details, and no document says the same."""
        return self._details is None and not self._document

    # Either --------------------------------------------------------------------------------------

    def parent_id(self) -> str | None:
        """Return the id of its parent; a name that names no draft yet is given as it is."""
        if self._place is not None:
            self.view()
            if not isinstance(self._parent_id, UnsetType):
                return self._parent_id
        parent = self._document.get("parent_id")
        if not isinstance(parent, str):
            return None
        return self.session.drafts.resolve(parent, group=self.group)

    def edges(self) -> list[tuple[str, EdgeOn]]:
        """Return its edges, each (id of the dependency, on) once; of names as for parents."""
        if self._place is not None and self._edges is None:
            self.session.read_edges([self])
        if self._edges is not None:
            return self._edges
        resolve = self.session.drafts.resolve
        dependencies = self.fields().dependencies or ()
        edges = (_edge(written) for written in dependencies)
        return list(dict.fromkeys((resolve(name, group=self.group), on) for name, on in edges))

    def know_edges(self, edges: list[tuple[str, EdgeOn]]) -> None:
        """Take its edges, which never change once its tree is accepted."""
        self._edges = edges

    @property
    def lacks_edges(self) -> bool:
        """Whether nobody read its edges, and its document need not say the same."""
        has_none = self._document and not self._document.get("dependencies")
        return self._edges is None and not has_none


def parsed(document: Mapping[str, Any]) -> CheckedTask:
    """Return the fields of a document that was checked."""
    fields = {key: value for key, value in document.items() if not key.startswith("x-")}
    return msgspec.convert(fields, CheckedTask)


def references_of(document: Mapping[str, Any]) -> set[str]:
    """Return what a checked document calls its parent and its dependencies."""
    references = {_edge(written)[0] for written in parsed(document).dependencies or ()}
    parent = document.get("parent_id")
    if isinstance(parent, str):
        references.add(parent)
    return references


def _edge(written: str | Edge) -> tuple[str, EdgeOn]:
    """Return what a dependency calls the task that it names, and what it is on."""
    if isinstance(written, str):
        return written, EdgeOn.SUCCESS
    reference = written.name if written.id is UNSET else written.id
    if written.on is not UNSET:
        on = EdgeOn(written.on)
    else:
        on = EdgeOn.END if written.required is False else EdgeOn.SUCCESS
    return "" if isinstance(reference, UnsetType) else reference, on
