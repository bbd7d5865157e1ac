"""The results that expressions read: decoded once for all attempts that refer to them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.array.expressions import Field
from inboxd.store.task_results import EndedTask, ended_task

if TYPE_CHECKING:
    from inboxd.store.reader import StoreReader

__all__ = ["MOST_KEPT_BYTES", "EndedFields", "EndedResults"]

#: So much text of results is kept decoded; decoded it takes up to some twenty times of that, where
#: it is nothing but empty lists. Four results of the greatest size that the default allows.
MOST_KEPT_BYTES = 4 * 1024 * 1024


class EndedFields:
    """What expressions may read of one task, as it stood when it was looked at."""

    __slots__ = ("_error", "_result", "_status")

    def __init__(self, task: EndedTask, result: Any) -> None:
        self._status = str(task.status)
        self._error = task.error
        self._result = result

    def value(self, field: Field) -> Any:
        """Return one of them, decoded; it is shared: who hands it out copies it."""
        match field:
            case Field.RESULT:
                return self._result
            case Field.STATUS:
                return self._status
            case Field.ERROR:
                return None if self._error is None else msgspec.json.decode(self._error)


class EndedResults:
    """
    Reads how tasks stand, and keeps the results that were read last; for one thread.

    A result stays what it is until its task starts again, so it is known by the number of the
    start.
    """

    def __init__(self, reader: StoreReader, *, most_kept_bytes: int = MOST_KEPT_BYTES) -> None:
        self._reader = reader
        self._most_kept_bytes = most_kept_bytes
        #: By start_seq: what was decoded, and from how many bytes; the one used last at the end.
        self._results: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._kept_bytes = 0

    @property
    def kept_bytes(self) -> int:
        """From how many bytes of text comes what is kept."""
        return self._kept_bytes

    def fields(self, task: int) -> EndedFields:
        """Return what may be read of the task of this internal number, which exists."""
        ended = ended_task(self._reader, task, known_results=self._results)
        if ended.result is not None:
            return EndedFields(ended, self._decoded(ended.start_seq, ended.result))
        if ended.start_seq in self._results and ended.is_result_known:
            self._results.move_to_end(ended.start_seq)
            return EndedFields(ended, self._results[ended.start_seq][0])
        return EndedFields(ended, None)

    def forget(self) -> None:
        """Keep nothing any more."""
        self._results.clear()
        self._kept_bytes = 0

    def _decoded(self, start_seq: int, result: bytes) -> Any:
        value = msgspec.json.decode(result)
        if len(result) <= self._most_kept_bytes:
            self._results[start_seq] = value, len(result)
            self._kept_bytes += len(result)
            while self._kept_bytes > self._most_kept_bytes:
                _, (_, dropped) = self._results.popitem(last=False)
                self._kept_bytes -= dropped
        return value
