"""
The hooks' thread: calls the hooks that tell, in order, each plugin by itself.

What waits is bounded, so that a slow plugin holds nothing up: what does not fit is left out, and
counted. A plugin that does not return is left behind on its thread, and another thread goes on.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inboxd.names import escaped
from inboxd.plugins.limited import overrun_of
from inboxd.telling.hook_calls import HookCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from inboxd.clock import Clock
    from inboxd.plugins.hooks import Hooks, Implementation
    from inboxd.plugins.limited import Overrun
    from inboxd.telling.hook_calls import OwedCalls

__all__ = ["HookThread"]

logger = logging.getLogger(__name__)

#: What waits to be told of tasks, and of trees and files besides: some seconds for a plugin that
#: takes 100 µs, at the most that the scheduler does.
MOST_TASKS = 10_000
MOST_WAITING = 100_000
#: The results that wait with them.
MOST_BYTES = 64 * 1024 * 1024

#: A call that has not returned after this long does not count as one that will.
HANG_SECONDS = 60.0
_WATCH_SECONDS = 1.0
_QUIET_SECONDS = 60.0
#: After debts could not be read or written.
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Item:
    """Something to tell: the hook, and what makes its arguments."""

    hook: str
    make: Callable[[], Mapping[str, Any]]
    size: int = 0
    #: Not 0: stands for the calls that are owed, up to this debt.
    up_to: int = 0


#: Stands in the queue for a look at what is owed; its calls come behind what waits by then, which
#: may be about the same trees.
_LOOK = _Item("look", dict)
#: Stands for a word on the calls that were left out.
_SAY = _Item("say", dict)
_STOPPING = _Item("inboxd_daemon_stopping", dict)


@dataclass(slots=True)
class _State:
    """What is shared between the threads; guarded by one condition."""

    waiting: deque[_Item] = field(default_factory=deque["_Item"])
    #: Bytes of results in `waiting`.
    size: int = 0
    #: The calls of what was taken last.
    calls: Iterator[HookCall] | None = None
    call: HookCall | None = None
    #: Who makes it.
    thread: threading.Thread = field(default_factory=threading.current_thread)
    #: Monotonic seconds.
    called_at: float = 0.0
    #: Of the thread that may go on; the others were left behind.
    generation: int = 0
    #: Nothing more is taken in.
    is_closed: bool = False
    is_stopped: bool = False
    #: Calls that were left out, by plugin and hook.
    dropped: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    #: How many of these were said, and when; monotonic seconds.
    dropped_said: int = 0
    said_at: float = 0.0
    made: int = 0
    #: Debts could not be paid: when to look again.
    look_again_at: float | None = None


class HookThread:
    """Calls the hooks that tell; see the module."""

    def __init__(
        self,
        hooks: Hooks,
        *,
        owed: OwedCalls,
        clock: Clock,
        hang_seconds: float = HANG_SECONDS,
        most_tasks: int = MOST_TASKS,
    ) -> None:
        """
        Args:
            hooks: of the plugins that are loaded.
            owed: what the store says is owed.
            clock: for durations.
            hang_seconds: a call that takes longer is given up.
            most_tasks: so many calls may wait before those about tasks are left out.
        """
        self._hooks = hooks
        self._owed = owed
        self._clock = clock
        self._hang_seconds = hang_seconds
        self._most_tasks = most_tasks
        self._changed = threading.Condition()
        #: Something is called; what the watching thread waits for, so that it sleeps otherwise.
        self._is_busy = threading.Event()
        self._is_over = threading.Event()
        self._state = _State()
        self._is_started = False
        if hooks.has("inboxd_daemon_started"):
            self._state.waiting.append(_Item("inboxd_daemon_started", dict))

    def start(self) -> None:
        """Begin to call, with what is owed from earlier; may be called twice."""
        with self._changed:
            if self._is_started:
                return
            self._is_started = True
        self.look()
        self._start_worker()
        threading.Thread(target=self._watch, name="hooks-watch", daemon=True).start()

    def tell_task(self, hook: str, make: Callable[[], Mapping[str, Any]], *, size: int = 0) -> None:
        """
        Tell something about a task, unless too much waits; from any thread, at once.

        Args:
            hook: its name.
            make: gives its arguments, on the hooks' thread.
            size: bytes that *make* holds.
        """
        self._put(_Item(hook, make, size), self._most_tasks)

    def tell(self, hook: str, make: Callable[[], Mapping[str, Any]]) -> None:
        """Tell something about a tree or a file; see `tell_task`."""
        self._put(_Item(hook, make), MOST_WAITING)

    def look(self) -> None:
        """Look what the store says is owed, after all that is told already; from any thread."""
        with self._changed:
            waiting = self._state.waiting
            if self._state.is_closed or (waiting and waiting[-1] is _LOOK):
                return
            waiting.append(_LOOK)
            self._changed.notify_all()

    @property
    def is_idle(self) -> bool:
        """Whether everything is told that was to be told, and nothing is owed."""
        with self._changed:
            return self._is_idle()

    @property
    def made(self) -> int:
        """How many calls were made."""
        return self._state.made

    @property
    def dropped(self) -> int:
        """How many calls were left out, since too many waited."""
        with self._changed:
            return sum(self._state.dropped.values())

    @property
    def running(self) -> tuple[Implementation, float] | None:
        """Who is called now, and for how many seconds."""
        with self._changed:
            call, called_at = self._state.call, self._state.called_at
        return None if call is None else (call.implementation, self._clock.monotonic() - called_at)

    def finish(self, timeout_seconds: float) -> bool:
        """
        Tell what waits and, last, that the daemon stops; nothing is taken in any more.

        Returns:
            Whether all of it was told in time; what is owed stays owed, the rest is lost.
        """
        with self._changed:
            state = self._state
            if not self._is_started or state.is_closed:
                return True
            state.is_closed = True
            if self._hooks.has("inboxd_daemon_stopping"):
                state.waiting.append(_STOPPING)
            self._changed.notify_all()
            is_done = self._changed.wait_for(self._is_idle, timeout_seconds)
            left, call = len(state.waiting), state.call
        self._say_dropped()
        if not is_done:
            logger.warning(
                "the daemon stops before all plugins were told what happened: %d calls are left out"
                "%s; what they must hear they hear at the next start",
                left,
                ""
                if call is None
                else f", {call.implementation.hook} of plugin"
                f" {escaped(call.implementation.plugin)} does not return",
                extra={"event": "hooks_unfinished", "left": left},
            )
        return is_done

    def stop(self) -> None:
        """Call nothing more; may be called twice. A call that runs ends by itself or never."""
        with self._changed:
            self._state.is_closed = self._state.is_stopped = True
            self._changed.notify_all()
        self._is_over.set()
        self._is_busy.set()

    # -- the threads ----------------------------------------------------------------------------

    def _put(self, item: _Item, most: int) -> None:
        with self._changed:
            state = self._state
            if state.is_closed:
                return
            if len(state.waiting) >= most or state.size + item.size > MOST_BYTES:
                for one in self._hooks.implementations(item.hook):
                    key = one.plugin, one.hook
                    state.dropped[key] = state.dropped.get(key, 0) + 1
                say_at = self._say_at()
                is_due = say_at is not None and self._clock.monotonic() >= say_at
            else:
                state.waiting.append(item)
                state.size += item.size
                self._changed.notify_all()
                return
        if is_due:
            self._say_dropped()

    def _say_at(self) -> float | None:
        """Return when to say how many calls were left out; None: it was. The lock is held."""
        state = self._state
        if sum(state.dropped.values()) == state.dropped_said:
            return None
        return state.said_at + _QUIET_SECONDS if state.dropped_said else 0.0

    def _say_dropped(self) -> None:
        """Say how many calls were left out so far, unless it was said."""
        with self._changed:
            dropped = dict(self._state.dropped)
            total = sum(dropped.values())
            if total == self._state.dropped_said:
                return
            self._state.dropped_said = total
            self._state.said_at = self._clock.monotonic()
        details = ", ".join(
            f"{hook} of plugin {escaped(plugin)}: {count:,}"
            for (plugin, hook), count in sorted(dropped.items(), key=lambda item: -item[1])
        )
        logger.warning(
            "plugins are slower than what they are told: %s calls were left out so far (%s)",
            f"{total:,}",
            details,
            extra={"event": "hooks_dropped", "dropped": total},
        )

    def _is_idle(self) -> bool:
        state = self._state
        return (
            not state.waiting
            and state.calls is None
            and state.call is None
            and state.look_again_at is None
        )

    def _start_worker(self) -> None:
        with self._changed:
            self._state.generation += 1
            generation = self._state.generation
        threading.Thread(target=self._serve, args=(generation,), name="hooks", daemon=True).start()

    def _serve(self, generation: int) -> None:
        """Make calls until the end, or until this thread was left behind in one."""
        while (call := self._next_call(generation)) is not None:
            self._hooks.call(call.implementation, **call.arguments)
            with self._changed:
                if self._state.generation != generation:
                    return
                call.is_over = True
                self._state.call = None
                self._state.made += 1

    def _next_call(self, generation: int) -> HookCall | None:
        """Wait for a call and return it; None: nothing more is to be called."""
        state = self._state
        while True:
            with self._changed:
                if state.calls is None and not self._take():
                    return None
                calls = state.calls
            call = None if calls is None else self._advance(calls)
            with self._changed:
                if state.is_stopped or state.generation != generation:
                    return None
                if call is None:
                    state.calls = None
                    self._changed.notify_all()
                    continue
                state.call = call
                state.thread = threading.current_thread()
                state.called_at = self._clock.monotonic()
                self._is_busy.set()
                return call

    def _take(self) -> bool:
        """Wait for the next thing to tell, and take it; False at the end. The lock is held."""
        state = self._state
        while not state.is_stopped:
            if state.waiting:
                item = state.waiting.popleft()
                state.size -= item.size
                state.calls = self._calls(item)
                return True
            now = self._clock.monotonic()
            due = {_LOOK: state.look_again_at, _SAY: self._say_at()}
            pauses = {item: at - now for item, at in due.items() if at is not None}
            state.waiting.extend(item for item, pause in pauses.items() if pause <= 0)
            if not state.waiting:
                self._changed.wait(min(pauses.values(), default=None))
        return False

    def _calls(self, item: _Item) -> Iterator[HookCall]:
        if item is _LOOK:
            self._state.look_again_at = None
            self._put_owed(self._owed.newest())
            return
        if item is _SAY:
            self._say_dropped()
            return
        if item.up_to:
            yield from self._owed.calls(item.up_to)
            return
        arguments = item.make()
        for implementation in self._hooks.implementations(item.hook):
            yield HookCall(implementation, arguments)

    def _put_owed(self, up_to: int) -> None:
        if not up_to:
            return
        item = _Item("owed", dict, up_to=up_to)
        with self._changed:
            waiting = self._state.waiting
            is_last = bool(waiting) and waiting[-1] is _STOPPING
            waiting.insert(len(waiting) - is_last, item)

    def _advance(self, calls: Iterator[HookCall]) -> HookCall | None:
        """Return the next of *calls*; None when there is none, or it cannot be made."""
        try:
            return next(calls, None)
        except Exception as error:  # the thread's outer door: told, and what is owed tried again
            if self._state.is_stopped:
                return None  # the store was closed under it
            logger.error(  # noqa: TRY400 - with the traceback, but not as part of the message
                "plugins could not be told something; what is owed is tried again: %s",
                error,
                extra={"event": "hooks_degraded"},
                exc_info=error,
            )
            with self._changed:
                self._state.look_again_at = self._clock.monotonic() + _RETRY_SECONDS
            return None

    def _watch(self) -> None:
        """Give up calls that do not return."""
        state = self._state
        pause = min(_WATCH_SECONDS, self._hang_seconds)
        while self._is_busy.wait() and not self._is_over.wait(pause):
            with self._changed:
                call = state.call
                if call is None:
                    self._is_busy.clear()
                    continue
                if self._clock.monotonic() - state.called_at < self._hang_seconds:
                    continue
                error = overrun_of(state.thread, self._hang_seconds)
                state.call = None
                state.generation += 1  # whoever is in the call is left behind
            self._give_up(call.implementation, error)
            self._start_worker()

    def _give_up(self, implementation: Implementation, error: Overrun) -> None:
        self._hooks.switch_off(implementation, str(error))
        self._hooks.failed(implementation, error)
