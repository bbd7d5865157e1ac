"""Who gives tasks names, and no ids, is told of names; of two that are alike, the ids' ends too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from inboxd import (
    InvalidTaskArray,
    NoRetry,
    Task,
    TaskManager,
    TaskTreeNode,
    TaskTrees,
    executor,
)

if TYPE_CHECKING:
    from inboxd import Session


@executor("names-fail")
def fail(inputs: dict[str, Any], context: object) -> None:
    raise NoRetry("as asked")


def make(session: Session, name: str, **fields: Any) -> Task:
    repository = TaskManager(session).task_repository
    given: dict[str, Any] = {"executor": "noop", **fields}
    return asyncio.run(repository.create_task(name=name, **given))


def run(session: Session, *tasks: Task) -> TaskTrees:
    trees = TaskTrees(TaskTreeNode(task) for task in tasks)
    return asyncio.run(TaskManager(session).distribute_task_tree(trees))


def problems(session: Session, *tasks: Task) -> list[str]:
    with pytest.raises(InvalidTaskArray) as caught:
        run(session, *tasks)
    return [problem.message for problem in caught.value.errors]


def test_a_skipped_task_says_the_name_and_has_the_id_of_its_cause(session: Session) -> None:
    fetch = make(session, "fetch", executor="names-fail")
    report = make(session, "report", dependencies=[fetch])
    trees = run(session, fetch, report)

    assert report.error is not None
    assert report.error.message == 'skipped because "fetch" failed'
    assert report.error.cause == fetch.id
    assert repr(report) == "<Task report skipped>"
    assert repr(trees).splitlines() == [
        "fetch: failed (exception: as asked)",
        'report: skipped (dependency_failed: skipped because "fetch" failed)',
    ]


def test_a_retry_of_the_dependant_says_the_name_too(session: Session) -> None:
    fetch = make(session, "fetch", executor="names-fail")
    report = make(session, "report", dependencies=[fetch])
    run(session, fetch, report)
    asyncio.run(TaskManager(session).retry(report))

    assert report.error is not None
    assert report.error.message == 'skipped because "fetch" failed'


def test_names_that_two_have_are_followed_by_the_ends_of_their_ids(session: Session) -> None:
    first, second = make(session, "same"), make(session, "same")

    assert repr(TaskTrees([TaskTreeNode(first), TaskTreeNode(second)])).splitlines() == [
        f"same {first.id[-8:]}: pending",
        f"same {second.id[-8:]}: pending",
    ]


def test_a_circle_is_told_by_names(session: Session) -> None:
    first = make(session, "first")
    second = make(session, "second", dependencies=[first])
    repository = TaskManager(session).task_repository
    asyncio.run(repository.update_task(first, dependencies=[second]))

    (message,) = problems(session, first, second)

    assert message.startswith('task "first": these tasks wait for each other: ')
    assert set(message.rpartition(": ")[2].split(" -> ")) == {"first", "second"}


def test_a_problem_of_a_draft_begins_with_its_name(session: Session) -> None:
    other = make(session, "other", executor="nobody")
    part = make(session, "part", dependencies=[other])

    assert problems(session, part) == ['task "part": the draft "other" is not in this tree']
    (message,) = problems(session, other)
    assert message.startswith('task "other": ')
    assert '"nobody"' in message


def test_a_given_id_is_shown_with_the_name(session: Session) -> None:
    task = make(session, "A task", id="a")

    assert repr(task) == "<Task a 'A task' pending>"
    assert repr(TaskTreeNode(task)) == "a A task: pending"
