"""
Daemons that are forked from a process which has imported what a daemon imports.

A start takes half a second of CPU, nearly all of it for imports, and these tests start hundreds of
daemons to kill them. What is forked goes on as `python -m inboxd` does: with its own environment,
directory, arguments and path, from `main` on, and it ends as a process of its own that the tests
wait for. That a fresh interpreter does the same is shown where the verbs and the installed
package are tested, and by every daemon that runs on another Python.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ForkedProcess", "Nursery"]

#: prctl(2): what is orphaned below this process becomes its child.
_PR_SET_CHILD_SUBREAPER = 36

_LONGEST_REQUEST = 1 << 20
_LIMIT_SECONDS = 60.0


class ForkedProcess:
    """A child that was not started here but handed over; as `subprocess.Popen` to its users."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._end)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit status once it ended; raises `subprocess.TimeoutExpired`."""
        if self.poll() is None:
            select.select([self._end], [], [], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired("a forked daemon", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that daemons are forked from; made when it is first needed."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], output: int
    ) -> ForkedProcess:
        """
        Start `inboxd` in the working directory of now.

        Args:
            arguments: after `inboxd`.
            environment: all of it.
            output: the descriptor for stdout and stderr; stdin is empty.
        """
        connection = self._socket or self._start()
        request = {"arguments": list(arguments), "environment": dict(environment)}
        request["directory"] = os.getcwd()  # noqa: PTH109 - a string
        socket.send_fds(connection, [json.dumps(request).encode()], [output])
        answer = connection.recv(32)
        assert answer, "the process that daemons are forked from has ended"
        return ForkedProcess(int(answer))

    def _start(self) -> socket.socket:
        # The fork's parent ends at once, so it becomes a child of this process.
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot become a subreaper")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_LIMIT_SECONDS)
        own = {name: text for name, text in os.environ.items() if not name.startswith("INBOXD_")}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=own,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._socket = ours
        return ours

    def close(self) -> None:
        """End it; what was forked goes on."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait(_LIMIT_SECONDS)
        self._socket = self._process = None


def _serve(connection: socket.socket) -> None:
    """Fork for each request, until nobody is left to ask."""
    import gc
    import importlib

    for name in ("inboxd.cli.main", "inboxd.cli.run", "inboxd.daemon", "inboxd.logs"):
        importlib.import_module(name)
    gc.freeze()
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST, 1)
        if not data:
            return
        told, tell = os.pipe()
        parent = os.fork()
        if not parent:
            child = os.fork()
            if not child:
                os.close(told)
                os.close(tell)
                _become_inboxd(json.loads(data), connection, descriptors[0])
            os.write(tell, str(child).encode())
            os._exit(0)
        os.close(descriptors[0])
        os.close(tell)
        os.waitpid(parent, 0)  # from now on the child is a child of the tests
        connection.send(os.read(told, 32))
        os.close(told)


def _become_inboxd(request: dict[str, Any], connection: socket.socket, output: int) -> None:
    """Go on as `python -m inboxd`, and end."""
    connection.close()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    of_the_nursery = os.environ.get("PYTHONPATH", "")
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    inherited = set(of_the_nursery.split(os.pathsep)) if of_the_nursery else set()
    given = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    rest = [each for each in sys.path[1:] if each not in inherited]
    sys.path[:] = [request["directory"], *given, *rest]
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    sys.argv = ["inboxd", *request["arguments"]]

    from inboxd.cli.main import main
    from inboxd.failpoints import arm

    arm(os.environ.get("INBOXD_FAILPOINT", ""))
    main()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
