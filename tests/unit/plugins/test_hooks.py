"""Calling hooks: the first answer, what is no answer, time limits, and how failures are said."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.array.problem import Problem
from inboxd.plugins.candidate import CandidateTree
from inboxd.plugins.failures import Failures
from inboxd.plugins.hooks import HookFailed, Hooks, Implementation, Parsed, Unparsed
from inboxd.plugins.protocol import ParseProblem

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path("a.x")

TREE = CandidateTree(
    name=None, file=None, user_id=None, owner=None, metadata={}, strict_priority=False,
    task_count=1, tasks=lambda: iter(()),
)  # fmt: skip


def _hooks(hook: str, *functions: Callable[[], object]) -> Hooks:
    return Hooks(
        Implementation(plugin=f"p{number}", distribution="d", hook=hook, function=function)
        for number, function in enumerate(functions)
    )


def _raising(error: BaseException) -> Callable[[], object]:
    def function() -> object:
        raise error

    return function


def test_the_first_plugin_that_reads_a_file_is_taken() -> None:
    hooks = _hooks("inboxd_parse_file", lambda: None, lambda: [1], lambda: [2])

    assert hooks.parse_file(FILE, b"") == Parsed(plugin="p1", distribution="d", document=[1])


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_a_plugin_that_raises_leaves_the_file_to_the_next(error: BaseException) -> None:
    hooks = _hooks("inboxd_parse_file", _raising(error), lambda: {"tasks": []})

    assert isinstance(hooks.parse_file(FILE, b""), Parsed)
    assert hooks.failures == {("p0", "inboxd_parse_file"): 1}


def test_a_plugin_that_says_what_is_wrong_has_read_the_file() -> None:
    problem = ParseProblem("no", line=2)
    hooks = _hooks("inboxd_parse_file", _raising(problem), lambda: [2])

    assert hooks.parse_file(FILE, b"") == Unparsed(plugin="p0", problem=problem)
    assert hooks.failures == {}


@pytest.mark.parametrize("answer", ["text", 5, (1, 2)])
def test_what_is_no_document_is_the_plugins_failure(answer: object) -> None:
    found = _hooks("inboxd_parse_file", lambda: answer).parse_file(FILE, b"")

    assert isinstance(found, HookFailed)
    assert found.reason.startswith(f"TypeError: it gave a {type(answer).__name__}")


def test_a_file_that_nobody_reads_is_nobodys() -> None:
    assert _hooks("inboxd_parse_file", lambda: None).parse_file(FILE, b"") is None


def test_what_is_found_wrong_is_collected_from_all() -> None:
    one, two = Problem(message="one"), Problem(message="two")
    hooks = _hooks(
        "inboxd_validate_tree",
        lambda: [one],
        _raising(ValueError()),
        lambda: ["no problem"],
        lambda: iter([two]),
        lambda: None,
    )

    assert hooks.validate_tree(TREE) == [("p0", one), ("p3", two)]
    assert hooks.failures == {("p1", "inboxd_validate_tree"): 1, ("p2", "inboxd_validate_tree"): 1}


def test_a_plugin_that_finds_no_end_of_problems_is_cut_short() -> None:
    hooks = _hooks("inboxd_validate_tree", lambda: iter(lambda: Problem(message="again"), None))

    assert len(hooks.validate_tree(TREE)) == 101


def test_a_plugin_that_does_not_return_is_asked_no_more() -> None:
    release = threading.Event()
    hooks = _hooks("inboxd_validate_tree", lambda: release.wait(20), lambda: [])

    first = hooks.validate_tree(TREE, seconds=0.05)
    again = hooks.validate_tree(TREE, seconds=0.05)
    release.set()

    assert (first, again) == ([], [])
    assert hooks.off == {("p0", "inboxd_validate_tree"): "it did not return within 0.05 s"}
    assert hooks.failures == {("p0", "inboxd_validate_tree"): 1}
    assert hooks.has("inboxd_validate_tree")


class _Unsayable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def test_an_error_without_a_text_is_said_all_the_same() -> None:
    found = _hooks("inboxd_parse_file", _raising(_Unsayable())).parse_file(FILE, b"")

    assert isinstance(found, HookFailed)
    assert found.reason == "_Unsayable: (its text cannot be had)"


def test_the_same_failure_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    failures = Failures(lambda: now)
    with caplog.at_level(logging.ERROR):
        for _ in range(1_000):
            failures.add("p", "d", "h", ValueError("again"))
        failures.add("p", "d", "h", KeyError("another"))
        now = 61.0
        failures.add("p", "d", "h", ValueError("again"))

    said: list[Any] = [record.__dict__["failures"] for record in caplog.records]
    assert said == [1, 1_001, 1_002]
    assert failures.counts == {("p", "h"): 1_002}
    assert all(record.exc_info for record in caplog.records)
