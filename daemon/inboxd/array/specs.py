"""The third pass: tasks as the store takes them, defaults merged in, a batch at a time."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw, UnsetType

from inboxd.array.defaults import NO_DEFAULTS, members
from inboxd.array.links import NO_PARENT, ON
from inboxd.array.records import StoredTask
from inboxd.array.result_references import read_positions
from inboxd.array.task_values import retry_policy
from inboxd.array.values import time_micros
from inboxd.durations import duration_seconds
from inboxd.task import Delivery, EdgeSpec, Join, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inboxd.array.decode import ChunkReader
    from inboxd.array.defaults import Defaults
    from inboxd.array.execution import ExecutorEntry
    from inboxd.array.links import Links
    from inboxd.array.naming import Naming
    from inboxd.array.split import Chunk

__all__ = ["SpecBuilder", "in_batches"]

_JOINS = {str(join): join for join in Join}
_DELIVERIES = {str(delivery): delivery for delivery in Delivery}
#: `not_before` as it was written, because the due time that is made of it moves with a back-off.
_OTHER_FIELDS = ("description", "metadata", "user_id", "schemas", "not_before")


class SpecBuilder:
    """Makes the specs of an array that has no errors."""

    def __init__(
        self,
        *,
        reader: ChunkReader,
        defaults: Defaults,
        task_count: int,
        links: Links,
        naming: Naming,
        executors: Sequence[int],
        entries: Sequence[ExecutorEntry],
    ) -> None:
        self._reader = reader
        self._defaults = defaults
        self._links = links
        self._naming = naming
        self._executors = executors
        priority = defaults.stored.priority
        self._priority = 2 if priority is UNSET else priority
        self._entries = entries
        self._has_dependants = bytearray(task_count)
        for before in links.edges:
            self._has_dependants[before] = 1
        self._decoder = msgspec.json.Decoder(list[StoredTask])
        self._own_decoder = msgspec.json.Decoder(list[dict[str, Raw]])
        self._encoder = msgspec.json.Encoder()

    def specs(
        self, chunk: Chunk, ids: Sequence[str], *, has_own_keys: bool, has_openings: bool
    ) -> Iterator[TaskSpec]:
        """
        Yield the specs of one chunk, in order of position.

        Args:
            chunk: one of the array's.
            ids: of its tasks.
            has_own_keys: some of its tasks have keys that begin with `x-`.
            has_openings: some of its tasks have inputs that are filled in.
        """
        text = self._reader.text(chunk)
        own: Iterable[dict[str, Raw] | None] = [None] * chunk.count
        if has_own_keys:
            own = [
                {key: value for key, value in task.items() if key.startswith("x-")}
                for task in self._own_decoder.decode(text)
            ]
        tasks = self._decoder.decode(text)
        rows = zip(tasks, ids, own, strict=True)
        for position, (task, task_id, own_keys) in enumerate(rows, chunk.first):
            spec = self._spec(task, task_id, position, own_keys)
            yield self._with_reads(spec) if has_openings else spec

    def _with_reads(self, spec: TaskSpec) -> TaskSpec:
        if spec.inputs is None:
            return spec
        reads = read_positions(msgspec.json.decode(spec.inputs), self._naming)
        if reads is None:
            return spec
        return msgspec.structs.replace(spec, reads=self._encoder.encode(reads))

    def _spec(
        self, task: StoredTask, task_id: str, position: int, own_keys: dict[str, Raw] | None
    ) -> TaskSpec:
        entry = self._entries[self._executors[position]]
        parent = self._links.parents[position]
        spec = TaskSpec(
            position=position,
            id=task_id,
            name=task_id if task.name is UNSET else task.name,
            executor=entry.name,
            kind=entry.kind,
            parent=None if parent == NO_PARENT else parent,
            priority=self._priority if task.priority is UNSET else task.priority,
            edges=self._edges(position),
            has_dependants=self._has_dependants[position] == 1,
            inputs=self._merged(task.inputs, self._defaults.inputs),
            params=self._merged(task.params, self._defaults.params),
            other=self._other(task, own_keys),
        )
        is_usual = (
            self._defaults is NO_DEFAULTS
            and task.retry is task.timeout is task.join is UNSET
            and task.allow_failure is task.not_before is task.hold is task.delivery is UNSET
        )
        return spec if is_usual else self._with_rare_fields(spec, task)

    def _with_rare_fields(self, spec: TaskSpec, task: StoredTask) -> TaskSpec:
        """Return the spec with what few tasks say, by themselves or by the defaults."""
        stored = self._defaults.stored
        join = stored.join if task.join is UNSET else task.join
        allow_failure = stored.allow_failure if task.allow_failure is UNSET else task.allow_failure
        retry = stored.retry if task.retry is UNSET else task.retry
        timeout = stored.timeout if task.timeout is UNSET else task.timeout
        not_before = stored.not_before if task.not_before is UNSET else task.not_before
        hold = stored.hold if task.hold is UNSET else task.hold
        delivery = stored.delivery if task.delivery is UNSET else task.delivery
        return msgspec.structs.replace(
            spec,
            join=Join.ALL if join is UNSET else _JOINS[join],
            allow_failure=False if allow_failure is UNSET else allow_failure,
            retry=retry_policy(retry),
            timeout_seconds=(
                None if timeout is UNSET or timeout is None else duration_seconds(timeout)
            ),
            not_before_micros=None if not_before is UNSET else time_micros(not_before),
            hold=False if hold is UNSET else hold,
            delivery=Delivery.AT_LEAST_ONCE if delivery is UNSET else _DELIVERIES[delivery],
        )

    def _edges(self, position: int) -> tuple[EdgeSpec, ...]:
        links = self._links
        start, end = links.edge_starts[position], links.edge_starts[position + 1]
        if start == end:
            return ()
        if end - start == 1:
            return (EdgeSpec(links.edges[start], ON[links.edge_ons[start]]),)
        return tuple(
            EdgeSpec(before, ON[on])
            for before, on in zip(links.edges[start:end], links.edge_ons[start:end], strict=True)
        )

    def _merged(self, own: Raw | UnsetType, default: dict[str, Raw]) -> bytes | None:
        """Return a task's object as it was written, or with what the defaults add before it."""
        if own is UNSET:
            return self._encoder.encode(default) if default else None
        if default:
            both = {**default, **members(own)}
            return self._encoder.encode(both) if both else None
        written = bytes(own)
        return None if written == b"{}" or not written[1:-1].strip() else written

    def _other(self, task: StoredTask, own_keys: dict[str, Raw] | None) -> bytes | None:
        if (
            not own_keys
            and task.description is task.metadata is task.user_id is task.schemas is UNSET
            and task.not_before is UNSET
            and self._defaults is NO_DEFAULTS
        ):
            return None
        stored = self._defaults.stored
        kept: dict[str, Raw | str] = {}
        for name in _OTHER_FIELDS:
            value = getattr(task, name)
            if value is UNSET:
                value = getattr(stored, name)
            if value is not UNSET:
                kept[name] = value
        kept.update(self._defaults.own)
        if own_keys:
            kept.update(own_keys)
        return self._encoder.encode(kept) if kept else None


def in_batches(specs: Iterable[TaskSpec], size: int) -> Iterator[list[TaskSpec]]:
    """Yield lists of *size* specs; the last may be shorter."""
    rest = iter(specs)
    while batch := list(islice(rest, size)):
        yield batch
