"""Executors' own checks that raise, answer nonsense or hang: each costs its files, no more."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.array import Limits
from inboxd.array.check import CheckedArray, RejectedArray
from inboxd.array.problem import ProblemCode
from inboxd.config.settings import InboxSettings, Settings, StateSettings, StoreSettings
from inboxd.inbox.formats import Formats
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.hooks import Hooks, Implementation
from inboxd.plugins.live_executors import LiveExecutors
from inboxd.plugins.loaded import ExecutorOrigin, Plugins
from inboxd.plugins.protocol import InputProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE = b"tree.json"


def _settings() -> Settings:
    here = Path("/nowhere")
    return Settings(
        inbox=InboxSettings(path=here),
        store=StoreSettings(url="sqlite://"),
        state=StateSettings(path=here),
    )


class _Executor:
    """An executor whose own checks are given."""

    name = "odd"
    description = "Has checks of its own."
    isolation = "thread"
    inputs_schema = None

    def __init__(self, **checks: Callable[[Any], object]) -> None:
        for name, check in checks.items():
            setattr(self, name, check)

    def execute(self, inputs: dict[str, Any], context: object) -> None:
        """Do nothing."""


class Bed:
    """A check of files with the executor `odd` of the plugin `strange`, and what is reported."""

    def __init__(self, executor: _Executor, *, ask_seconds: float = 60.0) -> None:
        self.hooks = Hooks()
        origin = ExecutorOrigin(
            group="inboxd", name="strange", value="strange", distribution="inboxd-strange"
        )
        plugins = Plugins(executors={"odd": executor}, origins={"odd": origin}, hooks=self.hooks)
        self.catalog = ExecutorCatalog(LiveExecutors(plugins, _settings()), ask_seconds=ask_seconds)

    def check(self, *tasks: dict[str, Any]) -> CheckedArray | RejectedArray:
        array = [{"id": f"t{number}", "executor": "odd", **one} for number, one in enumerate(tasks)]
        data = json.dumps(array).encode()
        return Formats(self.hooks).check(FILE, data, limits=Limits(), catalog=self.catalog)

    def problem(self, *tasks: dict[str, Any]) -> Any:
        """Return the first problem of a file that is rejected."""
        checked = self.check(*tasks)
        assert isinstance(checked, RejectedArray)
        return checked.problems[0]


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hangs waits for this."""
    event = threading.Event()
    yield event
    event.set()


def _exits(_: object) -> object:
    raise SystemExit(9)


def _raises(_: object) -> object:
    raise ValueError("broken")


EXPRESSION: list[dict[str, Any]] = [
    {"inputs": {"a": 1}},
    {"inputs": {"b": "{{ tasks.t0.result }}"}, "dependencies": ["t0"]},
]


@pytest.mark.parametrize("method", ["input_problems", "params_problems", "code_places"])
@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (_exits, "SystemExit: 9"),
        (_raises, "ValueError: broken"),
        (lambda _: 5, "TypeError: 'int' object is not iterable"),
        (lambda _: [5], "TypeError: it gave a "),
        (lambda _: (1 / 0 for _ in "a"), "ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_check_does_wrong_rejects_the_file_with_its_name(
    method: str, check: Callable[[Any], object], reason: str
) -> None:
    bed = Bed(_Executor(**{method: check}))

    problem = bed.problem(*EXPRESSION)

    assert problem.code in (ProblemCode.INVALID_INPUTS, ProblemCode.INVALID_VALUE)
    assert 'executor "odd"' in problem.message
    assert f"{method} of executor" in problem.message
    assert "plugin strange (inboxd-strange) failed: " + reason in problem.message
    assert "plugin's fault" in problem.hint
    assert bed.hooks.failures[("strange", f'{method} of executor "odd"')] >= 1


def test_a_check_that_has_nothing_to_say_lets_the_file_pass() -> None:
    bed = Bed(_Executor(input_problems=lambda _: None, params_problems=lambda _: ()))

    assert isinstance(bed.check(*EXPRESSION), CheckedArray)
    assert bed.hooks.failures == {}


def test_what_a_check_finds_is_safe_to_show() -> None:
    found = InputProblem(path=("a",), message="\x1b[31m" + "x" * 5000, hint="\x07")
    bed = Bed(_Executor(input_problems=lambda _: [found]))

    problem = bed.problem({"inputs": {"a": 1}})

    assert problem.pointer == "/0/inputs/a"
    assert problem.message.startswith("\\x1b[31mxxx")
    assert len(problem.message) < 1_100
    assert problem.hint == "\\x07"


def test_a_path_of_a_check_that_is_none_is_its_fault() -> None:
    found = replace(InputProblem(message="no"), path="a.b")  # type: ignore[arg-type]
    bed = Bed(_Executor(input_problems=lambda _: [found]))

    assert "it gave a path that is a str, not a tuple" in bed.problem({}).message


@pytest.mark.parametrize("method", ["input_problems", "params_problems", "code_places"])
def test_a_check_that_hangs_is_off_and_its_files_are_rejected(
    method: str, release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[object] = []

    def wait_for_a_server_that_is_gone(given: object) -> list[InputProblem]:
        calls.append(given)
        release.wait(60)
        return []

    bed = Bed(_Executor(**{method: wait_for_a_server_that_is_gone}), ask_seconds=0.3)
    with caplog.at_level(logging.ERROR):
        problem = bed.problem(*EXPRESSION)

    assert "did not return within 0.3 s" in problem.message
    assert "plugin strange (inboxd-strange) is not called any more" in problem.message
    assert bed.hooks.off == {
        ("strange", f'{method} of executor "odd"'): "it did not return within 0.3 s"
    }
    # The traceback is where it hangs.
    assert "wait_for_a_server_that_is_gone" in caplog.text
    assert bed.problem(*EXPRESSION).message == problem.message
    assert len(calls) == 1


def test_a_thread_that_was_left_behind_goes_no_further(release: threading.Event) -> None:
    threads: list[threading.Thread] = []

    def hangs(_: object) -> list[InputProblem]:
        threads.append(threading.current_thread())
        release.wait(60)
        return []

    bed = Bed(_Executor(input_problems=hangs), ask_seconds=0.3)
    bed.problem({}, {}, {})
    release.set()
    threads[0].join(60)

    assert len(threads) == 1


class _Rows(list[Any]):
    """What a plugin read, which says where its values stand."""

    def __init__(self, position_of: Callable[..., Any]) -> None:
        super().__init__([{"id": "a", "executor": "none"}])
        self.position_of = position_of


@pytest.mark.parametrize(
    ("position_of", "place", "failures"),
    [
        (lambda path, *, at_key=False: (3, 4), (3, 4), 0),
        (lambda path, *, at_key=False: "here", (None, None), 0),
        (lambda path, *, at_key=False: _exits(path), (None, None), 1),
    ],
)
def test_a_plugin_that_cannot_say_where_a_value_stands_costs_the_place(
    position_of: Callable[..., Any], place: tuple[int | None, int | None], failures: int
) -> None:
    hooks = _reading(lambda: _Rows(position_of))

    problem = _rejected(Formats(hooks), hooks)

    assert (problem.code, problem.line, problem.column) == ("unknown_executor", *place)
    assert sum(hooks.failures.values()) == failures


def test_a_plugin_that_never_says_where_a_value_stands_costs_the_place(
    release: threading.Event,
) -> None:
    hooks = _reading(lambda: _Rows(lambda path, *, at_key=False: release.wait(60)))

    problem = _rejected(Formats(hooks, ask_seconds=0.2), hooks)

    assert (problem.code, problem.line) == ("unknown_executor", None)
    assert list(hooks.off) == [("rows", "position_of")]


def _reading(parse: Callable[[], object]) -> Hooks:
    one = Implementation(
        plugin="rows", distribution="inboxd-rows", hook="inboxd_parse_file", function=parse
    )
    return Hooks([one], suffixes={".rows": "rows"})


def _rejected(formats: Formats, hooks: Hooks) -> Any:
    catalog = ExecutorCatalog(LiveExecutors(Plugins(executors={}, hooks=hooks), _settings()))
    checked = formats.check(b"a.rows", b"x", limits=Limits(), catalog=catalog)
    assert isinstance(checked, RejectedArray)
    return checked.problems[0]
