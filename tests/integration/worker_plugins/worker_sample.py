"""A plugin that is loaded by worker processes alone: one executor that does what it is told."""

from __future__ import annotations

import _thread
import asyncio
import ctypes
import faulthandler
import gc
import multiprocessing
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from inboxd.errors import NoRetry, RetryLater

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from inboxd.plugins.protocol import TaskContext


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Base(BaseException):
    pass


def connection() -> socket.socket:
    """Return the worker's own socket, which no function has any business with."""
    return next(one for one in gc.get_objects() if isinstance(one, socket.socket))


def say(path: str, text: str) -> None:
    with open(path + ".new", "w") as file:  # noqa: PTH123
        file.write(text)
    os.rename(path + ".new", path)  # noqa: PTH104


def exit_soon() -> None:
    time.sleep(0.05)
    os._exit(5)


def exit_at_work(frame: FrameType, event: str, argument: object) -> None:
    if frame.f_code.co_name == "work":
        os._exit(6)


class Deeds:
    """Each is named by `inputs["do"]`."""

    def __init__(self, inputs: dict[str, Any], context: TaskContext) -> None:
        self.inputs = inputs
        self.context = context

    def give(self) -> Any:
        return self.inputs["value"]

    def tell(self) -> Any:
        """What an attempt can see of its process."""
        umask = os.umask(0)
        os.umask(umask)
        return {
            "pid": os.getpid(),
            "cwd": os.getcwd(),  # noqa: PTH109
            "environment": dict(os.environ),
            "umask": umask,
            "recursion_limit": sys.getrecursionlimit(),
            "sigusr1": signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL,
            "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
            "path": sys.path,
            "descriptors": sorted(map(int, os.listdir("/proc/self/fd"))),  # noqa: PTH208
            "session": os.getsid(0),
        }

    def know(self) -> Any:
        context = self.context
        return {
            "ids": [context.tree_id, context.task_id, context.attempt, context.idempotency_key],
            "params": dict(context.params),
            "has_deadline": context.deadline is not None,
            "cancelled": context.cancelled,
            "directory": str(context.directory),
            "dependencies": dict(context.dependencies),
        }

    def change(self) -> Any:
        """Change all that can be put back."""
        os.chdir("/")
        os.umask(0o777)
        os.environ.clear()
        os.environ["LEFT"] = "1"
        sys.setrecursionlimit(5_000)
        sys.path.insert(0, "/left")
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        return os.getpid()

    def shut(self) -> Any:
        sys.stdout.close()
        sys.stderr = None
        os.close(1)
        return os.getpid()

    def write(self) -> Any:
        print("printed \udcff")
        os.write(1, b"raw\n")
        subprocess.run(["sh", "-c", "echo from a child; echo error >&2"], check=True)
        self.context.log.info("logged %d", 1)
        return None

    def flood(self) -> Any:
        for _ in range(256):
            os.write(1, b"x" * 65_536)
        return None

    async def wait(self) -> Any:
        await asyncio.sleep(0)
        return "waited"

    async def wait_long(self) -> Any:
        say("up", "")
        try:
            await asyncio.sleep(600)
        finally:
            say("tidied", str(self.context.cancelled))

    def progress(self) -> Any:
        self.context.progress(0.5, "half")
        self.context.progress(float("nan"), object())  # type: ignore[arg-type]
        say("up", "")
        while not os.path.exists("go"):  # noqa: PTH110
            time.sleep(0.005)
        return None

    def progress_twice(self) -> Any:
        """Say two things at once, then wait or end."""
        self.context.progress(0.1, "first")
        self.context.progress(0.2, "second")
        self.context.progress(0.9, "last")
        while self.inputs["waits"] and not os.path.exists("go"):  # noqa: PTH110
            time.sleep(0.005)
        return os.getpid()

    def not_a_number(self) -> Any:
        return {"mean": float("nan")}

    def object(self) -> Any:
        return object()

    def large(self) -> Any:
        return "x" * self.inputs["size"]

    # How to fail.

    def no_retry(self) -> Any:
        raise NoRetry("never")

    def later(self) -> Any:
        raise RetryLater(7.5, "soon")

    def raises(self) -> Any:
        raise ValueError("no such thing \x1b[31m")

    def mute(self) -> Any:
        raise Mute

    def base(self) -> Any:
        raise Base("of all")

    def long_text(self) -> Any:
        raise ValueError("x" * 100_000_000)

    def deep(self) -> Any:
        return self.deep()

    def exit(self) -> Any:
        sys.exit(4)

    # How to die.

    def segfault(self) -> Any:
        ctypes.string_at(0)

    def exit_hard(self) -> Any:
        os._exit(self.inputs["status"])

    def kill(self) -> Any:
        os.kill(os.getpid(), self.inputs.get("signal", signal.SIGKILL))
        time.sleep(600)

    def close(self) -> Any:
        connection().shutdown(socket.SHUT_RDWR)
        say("up", str(os.getpid()))
        time.sleep(600)

    def garbage(self) -> Any:
        connection().sendall(struct.pack(">I", 5) + b"nonse")
        time.sleep(600)

    def boast(self) -> Any:
        connection().sendall(struct.pack(">I", 2**32 - 1) + b"x" * 100_000)
        time.sleep(600)

    def fork(self) -> Any:
        """Let a copy of the worker come back, and wait for its end."""
        how = self.inputs["how"]
        # One of C code runs no hooks of Python's.
        pid = ctypes.CDLL(None).fork() if how == "c" else os.fork()
        if pid:
            say("copy", str(pid))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            return {"status": status, "pid": os.getpid()}
        self.context.progress(0.5)
        if how == "exit":
            sys.exit(3)
        if how == "raise":
            raise ValueError("in the copy")
        if how == "ask":
            return dict(self.context.dependencies)
        print("said in the copy", end="")
        return "of the copy"

    async def fork_in_a_coroutine(self) -> Any:
        await asyncio.sleep(0)
        return self.fork()

    def copies(self) -> Any:
        """Work with processes of multiprocessing, which are made by fork."""
        fork = multiprocessing.get_context("fork")
        with fork.Pool(2) as pool:
            squares = pool.map(abs, [-1, -2, 3])
            pool.close()
            pool.join()
        return squares

    def stale(self) -> Any:
        """Say how another attempt ended."""
        frame = b'{"type":"ended","turn":%d,"result":"stale"}' % self.inputs["turn"]
        connection().sendall(struct.pack(">I", len(frame)) + frame)
        time.sleep(600)

    def set_off(self) -> Any:
        """Leave what goes off in 50 ms."""
        match self.inputs["what"]:
            case "prof":
                signal.setitimer(signal.ITIMER_PROF, 0.05)
            case "virtual":
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.05)
            case "alarm":
                signal.setitimer(signal.ITIMER_REAL, 0.05)
            case "dump":
                faulthandler.dump_traceback_later(0.05, exit=True)
            case "timer":
                libc = ctypes.CDLL(None)
                made, value = ctypes.c_void_p(), (ctypes.c_long * 4)(0, 0, 0, 50_000_000)
                assert libc.timer_create(1, None, ctypes.byref(made)) == 0
                assert libc.timer_settime(made, 0, value, None) == 0
            case "thread":
                _thread.start_new_thread(exit_soon, ())
            case "native":
                libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
                function = ctypes.cast(libc.sleep, ctypes.c_void_p)
                libc.pthread_create(ctypes.byref(thread), None, function, ctypes.c_void_p(600))
            case "profile":
                sys.setprofile(exit_at_work)
            case other:
                raise AssertionError(other)
        return os.getpid()

    def work(self) -> Any:
        """Take some time, and some of the processor's."""
        until = time.monotonic() + 0.15
        while time.monotonic() < until or time.process_time() < 0.15:
            pass
        begun = time.process_time()
        while time.process_time() < begun + 0.1:
            pass
        return os.getpid()

    def join_a_thread(self) -> Any:
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join()
        return os.getpid()

    # How not to end.

    def loop(self) -> Any:
        say("up", str(os.getpid()))
        while True:
            pass

    def loop_in_c(self) -> Any:
        say("up", str(os.getpid()))
        return bool(re.match(r"(a+)+$", "a" * 60 + "b"))

    def stubborn(self) -> Any:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        say("up", str(os.getpid()))
        time.sleep(600)

    def tidy(self) -> Any:
        say("up", str(os.getpid()))
        try:
            time.sleep(600)
        finally:
            say("tidied", str(self.context.cancelled))

    # What to leave behind.

    def leave(self) -> Any:
        what = self.inputs["what"]
        if what == "child":
            self._child()
        elif what == "grandchild":
            if (pid := os.fork()) == 0:
                os.setsid()
                if os.fork() == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    say("left", str(os.getpid()))
                    time.sleep(600)
                os._exit(0)
            os.waitpid(pid, 0)
        elif what == "copy":
            if os.fork() == 0:
                say("left", str(os.getpid()))
                time.sleep(0.2)
                return "of the copy"
        elif what == "command":
            subprocess.Popen(["sh", "-c", "echo $$ >left.new; mv left.new left; exec sleep 600"])
        elif what == "thread":
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            say("left", str(os.getpid()))
        while not os.path.exists("left"):  # noqa: PTH110
            time.sleep(0.002)
        if self.inputs.get("then") == "fail":
            raise ValueError("failed")
        if self.inputs.get("then") == "wait":
            time.sleep(600)
        if self.inputs.get("then") == "die":
            os._exit(3)
        return os.getpid()

    def _child(self) -> None:
        if os.fork() == 0:
            say("left", str(os.getpid()))
            time.sleep(600)
            os._exit(0)

    def eat(self) -> Any:
        return len(b"x" * self.inputs["size"])


class Sample:
    """See `Deeds`."""

    name = "sample"
    description = "Does what it is told."
    inputs_schema: Mapping[str, Any] | None = None
    isolation = "process"
    max_memory_bytes: int | None = None

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        return getattr(Deeds(inputs, context), inputs["do"])()


sample = Sample()
