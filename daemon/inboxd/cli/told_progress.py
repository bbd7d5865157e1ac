"""What running tasks of a tree say of how far they are, heard through `/v1/events` on a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from inboxd.control.client import ControlClient, NotPermitted, RequestRefused, TryLater
from inboxd.errors import DaemonNotReachable, NotFound
from inboxd.names import escaped

if TYPE_CHECKING:
    from types import TracebackType

    from inboxd.instances import Instance

__all__ = ["ToldProgress"]

#: A daemon that is being restarted is asked again after so long.
_PAUSE_SECONDS = 1.0
_JOIN_SECONDS = 1.0
#: Characters of what a task says.
_MOST_SAID = 60


class ToldProgress:
    """Follows one tree from `start` to `stop`; what cannot be heard is just not shown."""

    def __init__(self, instance: Instance, tree_id: str) -> None:
        """Prepare; nothing is connected yet."""
        self._instance = instance
        self._tree_id = tree_id
        #: By the task's id, the one that spoke last at the end.
        self._said: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._client: ControlClient | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ToldProgress:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to listen; returns at once; may be called twice."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="told-progress", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Listen no more; may be called twice."""
        self._stop.set()
        with self._lock:
            if self._client is not None:
                self._client.interrupt()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)
            self._thread = None

    @property
    def text(self) -> str:
        """The newest, as in `fetch 40 %: downloading`; empty when nobody says anything."""
        with self._lock:
            return next(reversed(self._said.values()), "")

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (NotPermitted, NotFound, RequestRefused):
                return
            except (DaemonNotReachable, TryLater):
                pass
            with self._lock:
                self._said.clear()
            self._stop.wait(_PAUSE_SECONDS)

    def _listen(self) -> None:
        with ControlClient.of(self._instance) as client:
            with self._lock:
                self._client = client
            try:
                for kind, event in client.events(tree=self._tree_id):
                    self._hear(kind, event)
                    if self._stop.is_set():
                        return
            finally:
                with self._lock:
                    self._client = None

    def _hear(self, kind: str, event: dict[str, Any]) -> None:
        with self._lock:
            match kind:
                case "task_progress":
                    self._said.pop(event["id"], None)
                    self._said[event["id"]] = _said(event)
                case "task_ended" | "task_retried":
                    self._said.pop(event["id"], None)
                case _:
                    pass


def _said(event: dict[str, Any]) -> str:
    text = escaped(event["id"])
    if event["fraction"] is not None:
        text += f" {event['fraction']:.0%}".replace("%", " %")
    message = escaped(event["message"])
    if len(message) > _MOST_SAID:
        message = message[: _MOST_SAID - 1] + "…"
    return f"{text}: {message}" if message else text
