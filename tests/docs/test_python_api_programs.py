"""The six programs of the how-to do what the page says: what they print, in which order."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import TaskStatus, TaskTreeNode

from .pages import ROOT, page
from .python_programs import run_program

if TYPE_CHECKING:
    from inboxd import Task

HOW_TO = page(ROOT / "docs" / "how-to" / "task-trees-in-python.md")
PROGRAMS = HOW_TO.blocks("python")
SHOWN = HOW_TO.blocks("text")
SEQUENTIAL, PARALLEL, PRIORITY, COMPLEX, FALLBACK, ARRAY = range(6)


@cache
def ran(number: int) -> tuple[str, dict[str, Any]]:
    """Run a program once for all tests: what it printed, and the names that it left."""
    program = PROGRAMS[number]
    return run_program(program.text, name=HOW_TO.name, line=program.line)


def tasks_of(tree: TaskTreeNode) -> dict[str, Task]:
    return {task.name: task for task in tree.tasks()}


def tasks(number: int) -> dict[str, Task]:
    return tasks_of(ran(number)[1]["tree"])


def order(found: dict[str, Task]) -> list[str]:
    """The names of those that started, in the order of their starts."""
    started = {name: task.start_seq for name, task in found.items() if task.start_seq is not None}
    return sorted(started, key=lambda name: started[name])


def assert_ended_before(before: Task, after: Task) -> None:
    assert before.ended_at is not None
    assert after.started_at is not None
    assert before.ended_at <= after.started_at


def test_there_are_six() -> None:
    assert (len(PROGRAMS), len(SHOWN)) == (6, 6)


@pytest.mark.parametrize("number", range(6))
def test_each_prints_what_the_page_shows(number: int) -> None:
    assert ran(number)[0] == SHOWN[number].text


def test_a_pipeline_runs_one_task_after_the_other() -> None:
    found = tasks(SEQUENTIAL)

    assert order(found) == ["read", "price", "bill"]
    assert_ended_before(found["read"], found["price"])
    assert_ended_before(found["price"], found["bill"])


def test_what_is_asked_side_by_side_overlaps_and_the_choice_waits_for_both() -> None:
    found = tasks(PARALLEL)
    north, south, choice = found["north"], found["south"], found["choice"]
    starts = [task.started_at for task in (north, south) if task.started_at is not None]
    ends = [task.ended_at for task in (north, south) if task.ended_at is not None]

    assert len(starts) == len(ends) == 2
    assert max(starts) < min(ends)
    assert order(found) == ["north", "south", "choice"]
    assert_ended_before(north, choice)
    assert_ended_before(south, choice)


def test_pages_start_by_priority_though_they_were_drafted_the_other_way() -> None:
    found = tasks(PRIORITY)
    pages = {name: task for name, task in found.items() if name != "desk"}

    assert list(pages) == ["poster", "letter", "ticket", "alarm"]
    assert order(pages) == ["alarm", "ticket", "letter", "poster"]


def test_the_team_is_told_after_the_check_has_failed() -> None:
    found = tasks(COMPLEX)

    assert found["check"].status is TaskStatus.FAILED
    assert found["tell"].status is TaskStatus.COMPLETED
    for before, after in [
        *(("door", "total"), ("gate", "total"), ("total", "check"), ("total", "save")),
        *(("check", "tell"), ("save", "tell")),
    ]:
        assert_ended_before(found[before], found[after])
    assert order(found)[-1] == "tell"


@pytest.mark.parametrize(("number", "status"), [(0, TaskStatus.FAILED), (1, TaskStatus.COMPLETED)])
def test_a_fallback_saves_the_tree_only_where_its_primary_may_fail(
    number: int, status: TaskStatus
) -> None:
    tree = ran(FALLBACK)[1]["trees"][number]
    found = tasks_of(tree)

    assert tree.calculate_status() is status
    assert found["first"].allow_failure is (status is TaskStatus.COMPLETED)
    assert order(found) == ["first", "second"]
    assert_ended_before(found["first"], found["second"])


def test_the_array_ends_with_its_root_and_begins_with_what_is_urgent() -> None:
    found = tasks(ARRAY)

    assert order(found) == ["proverb", "haiku", "longest"]
    assert found["longest"].dependencies == [
        {"id": "haiku", "on": "success"},
        {"id": "proverb", "on": "success"},
    ]
