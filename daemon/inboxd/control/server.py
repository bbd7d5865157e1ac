"""The thread of the control socket: it waits for the first client, and serves from then on."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inboxd.control.parts import Parts
    from inboxd.control.socket import ControlSocket

__all__ = ["ControlServer"]

logger = logging.getLogger(__name__)

#: Longer a stop does not wait: what reads the store ends within a second.
_JOIN_SECONDS = 10.0


class ControlServer:
    """
    Serves the control socket on a thread and an event loop of its own.

    So an executor that blocks the daemon's loop does not hide the daemon from who asks what it
    does. Until somebody connects it is a thread that sleeps: HTTP is not even imported.
    """

    def __init__(self, parts: Parts, socket: ControlSocket) -> None:
        self._parts = parts
        self._socket = socket
        self._thread: threading.Thread | None = None
        self._stopped, self._stop = -1, -1

    def start(self) -> None:
        """Answer who connects, also who did before."""
        if self._thread is None:
            self._stopped, self._stop = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            self._thread = threading.Thread(target=self._run, name="control", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End what is under way, and close the socket; may be called twice."""
        if self._thread is not None:
            os.write(self._stop, b"s")
            self._thread.join(_JOIN_SECONDS)
            if not self._thread.is_alive():
                os.close(self._stopped)
                os.close(self._stop)
            self._thread = None
        self._socket.close()

    def _run(self) -> None:
        listening = self._socket.listening
        waiting = select.poll()
        waiting.register(listening, select.POLLIN)
        waiting.register(self._stopped, select.POLLIN)
        if any(descriptor == self._stopped for descriptor, _ in waiting.poll()):
            return
        try:
            from inboxd.control.serving import serve  # costs memory, when somebody asks

            with ExitStack() as closing:
                asyncio.run(serve(self._parts, listening, self._stopped, closing))
        except Exception:  # the thread's outer door
            logger.exception(
                "the control socket is closed: it cannot be served",
                extra={"event": "control_failed"},
            )
            self._socket.close()
