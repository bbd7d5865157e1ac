"""The hooks' thread: order, bounds, and plugins that raise or do not return."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.clock import SystemClock
from inboxd.plugins.hooks import Hooks, Implementation
from inboxd.telling.hook_calls import HookCall
from inboxd.telling.hook_thread import HookThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT_SECONDS = 60.0
HOOK = "inboxd_task_ended"
ENDED = "inboxd_tree_ended"


def _hook(
    plugin: str,
    function: Callable[..., object],
    *arguments: str,
    hook: str = HOOK,
) -> Implementation:
    return Implementation(
        plugin=plugin, distribution=plugin, hook=hook, function=function, arguments=arguments
    )


class Nothing:
    """Owes nothing."""

    def newest(self) -> int:
        return 0

    def calls(self, up_to: int) -> Iterator[HookCall]:
        raise AssertionError(up_to)


class Debts:
    """Owes numbers to plugins, and keeps what was not paid."""

    def __init__(self, hooks: Hooks, count: int) -> None:
        self._hooks = hooks
        self.left = {plugin: list(range(count)) for plugin in hooks.plugins_with(ENDED)}
        self.fails = 0

    def newest(self) -> int:
        return max((number + 1 for left in self.left.values() for number in left), default=0)

    def calls(self, up_to: int) -> Iterator[HookCall]:
        if self.fails:
            self.fails -= 1
            raise OSError("the store cannot be read")
        for one in self._hooks.implementations(ENDED):
            for number in [one for one in self.left[one.plugin] if one < up_to]:
                call = HookCall(one, {"tree": number})
                yield call
                if not call.is_over:
                    break
                self.left[one.plugin].remove(number)


class Bed:
    """Starts hook threads, and stops them at the end of a test."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.release = threading.Event()
        self.threads: list[HookThread] = []

    def start(self, hooks: Hooks, *, owed: Any = None, **options: Any) -> HookThread:
        thread = HookThread(hooks, owed=owed or Nothing(), clock=SystemClock(), **options)
        self.threads.append(thread)
        thread.start()
        return thread

    def sleep(self, **_: object) -> None:
        self.seen.append("sleeps")
        self.release.wait(LIMIT_SECONDS)


@pytest.fixture
def bed() -> Iterator[Bed]:
    made = Bed()
    yield made
    made.release.set()
    for thread in made.threads:
        thread.stop()


def test_all_is_told_in_order_between_the_start_and_the_stop(bed: Bed) -> None:
    hooks = Hooks(
        [
            _hook("a", lambda: bed.seen.append("started"), hook="inboxd_daemon_started"),
            _hook("a", bed.seen.append, "task"),
            _hook("b", lambda task: bed.seen.append(-task), "task"),
            _hook("a", lambda: bed.seen.append("stopping"), hook="inboxd_daemon_stopping"),
        ]
    )
    thread = bed.start(hooks)
    # `append` takes no keywords.
    hooks.implementations(HOOK)
    for number in (1, 2, 3):
        thread.tell_task(HOOK, lambda number=number: {"task": number})  # type: ignore[misc]

    assert thread.finish(LIMIT_SECONDS)
    assert bed.seen == ["started", -1, -2, -3, "stopping"]
    assert hooks.failures == {("a", HOOK): 3}


def test_nothing_is_taken_in_after_the_stop_was_told(bed: Bed) -> None:
    hooks = Hooks([_hook("a", lambda task: bed.seen.append(task), "task")])
    thread = bed.start(hooks)
    assert thread.finish(LIMIT_SECONDS)

    thread.tell_task(HOOK, lambda: {"task": 1})

    assert thread.is_idle
    assert bed.seen == []


def test_a_plugin_that_does_not_return_is_left_behind(
    bed: Bed, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = Hooks(
        [_hook("asleep", bed.sleep), _hook("b", lambda task: bed.seen.append(task), "task")]
    )
    thread = bed.start(hooks, hang_seconds=0.1)

    for number in (1, 2):
        thread.tell_task(HOOK, lambda number=number: {"task": number})  # type: ignore[misc]

    assert thread.finish(LIMIT_SECONDS)
    assert bed.seen == ["sleeps", 1, 2]
    assert hooks.off == {("asleep", HOOK): "it did not return within 0.1 s"}
    assert "self.release.wait(LIMIT_SECONDS)" in caplog.text  # where it hangs
    assert hooks.failures == {("asleep", HOOK): 1}


def test_what_a_left_behind_call_gives_later_is_not_counted(bed: Bed) -> None:
    hooks = Hooks([_hook("asleep", bed.sleep, hook=ENDED)])
    debts = Debts(hooks, 3)
    thread = bed.start(hooks, owed=debts, hang_seconds=0.1)

    assert thread.finish(LIMIT_SECONDS)
    bed.release.set()

    assert debts.left == {"asleep": [0, 1, 2]}
    assert thread.made == 0


def test_each_plugin_is_paid_by_itself(bed: Bed) -> None:
    hooks = Hooks(
        [
            _hook("asleep", bed.sleep, hook=ENDED),
            _hook("angry", lambda: 1 / 0, hook=ENDED),
            _hook("good", lambda tree: bed.seen.append(tree), "tree", hook=ENDED),
        ]
    )
    debts = Debts(hooks, 2)
    thread = bed.start(hooks, owed=debts, hang_seconds=0.1)

    assert thread.finish(LIMIT_SECONDS)
    assert debts.left == {"asleep": [0, 1], "angry": [], "good": []}
    assert bed.seen == ["sleeps", 0, 1]


def test_a_look_at_what_is_owed_that_fails_is_repeated(bed: Bed) -> None:
    hooks = Hooks([_hook("good", lambda tree: bed.seen.append(tree), "tree", hook=ENDED)])
    debts = Debts(hooks, 2)
    debts.fails = 1
    thread = bed.start(hooks, owed=debts)

    assert thread.finish(LIMIT_SECONDS)
    assert bed.seen == [0, 1]


def test_what_a_slow_plugin_cannot_hear_is_left_out_and_counted(bed: Bed) -> None:
    hooks = Hooks([_hook("slow", bed.sleep), _hook("b", lambda: bed.seen.append("b"), hook=ENDED)])
    thread = bed.start(hooks, most_tasks=10)

    for _ in range(100):
        thread.tell_task(HOOK, dict)
    thread.tell(ENDED, dict)
    bed.release.set()

    assert thread.finish(LIMIT_SECONDS)
    assert thread.dropped + bed.seen.count("sleeps") == 100
    assert bed.seen.count("sleeps") <= 12
    assert bed.seen[-1] == "b"


def test_how_many_were_left_out_is_said_at_once_and_at_the_stop(
    bed: Bed, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = Hooks([_hook("slow", bed.sleep), _hook("deaf", bed.sleep)])
    thread = bed.start(hooks, most_tasks=10)

    for _ in range(100):
        thread.tell_task(HOOK, dict)
    bed.release.set()
    assert thread.finish(LIMIT_SECONDS)

    half = thread.dropped // 2
    said = [one.getMessage() for one in caplog.records if "were left out so far" in one.message]
    assert said == [
        "plugins are slower than what they are told: 2 calls were left out so far"
        f" ({HOOK} of plugin slow: 1, {HOOK} of plugin deaf: 1)",
        f"plugins are slower than what they are told: {2 * half} calls were left out so far"
        f" ({HOOK} of plugin slow: {half}, {HOOK} of plugin deaf: {half})",
    ]


def test_what_is_owed_is_told_after_what_waits(bed: Bed) -> None:
    hooks = Hooks(
        [
            _hook("a", lambda task: bed.seen.append(task), "task"),
            _hook("a", lambda tree: bed.seen.append(-tree - 1), "tree", hook=ENDED),
            _hook("a", bed.sleep, hook="inboxd_daemon_started"),
            _hook("a", lambda: bed.seen.append("stops"), hook="inboxd_daemon_stopping"),
        ]
    )
    thread = bed.start(hooks, owed=Debts(hooks, 3))
    for number in (1, 2):
        thread.tell_task(HOOK, lambda number=number: {"task": number})  # type: ignore[misc]
    bed.release.set()

    assert thread.finish(LIMIT_SECONDS)
    assert bed.seen == ["sleeps", 1, 2, -1, -2, -3, "stops"]


def test_results_that_wait_are_bounded_by_their_size(bed: Bed) -> None:
    hooks = Hooks([_hook("slow", bed.sleep)])
    thread = bed.start(hooks)

    for _ in range(100):
        thread.tell_task(HOOK, dict, size=1024 * 1024)

    assert 30 <= thread.dropped <= 40
    bed.release.set()
    assert thread.finish(LIMIT_SECONDS)


def test_a_stop_does_not_wait_for_ever(bed: Bed) -> None:
    hooks = Hooks([_hook("asleep", bed.sleep)])
    thread = bed.start(hooks)
    thread.tell_task(HOOK, dict)

    assert not thread.finish(0.1)
    assert not thread.is_idle
