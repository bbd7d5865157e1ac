"""What plugins see of a tree, and where what they find wrong stands in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from inboxd.array.check import CheckedArray, RejectedArray, check_array
from inboxd.array.problem import Problem, ProblemCode
from inboxd.executors.command import Command
from inboxd.executors.noop import Noop
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.hooks import Hooks, Implementation
from inboxd.plugins.tree_check import checked_by_plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.plugins.candidate import CandidateTask, CandidateTree

FILE = b"""\
{
  "name": "nightly", "metadata": {"list": [1, {"0": 2}]},
  "defaults": {"priority": 7, "inputs": {"a": 1}},
  "tasks": [
    {"id": "one", "executor": "noop", "retry": 3, "timeout": "2m"},
    {"id": "two", "executor": "noop", "parent_id": "one", "inputs": {"b": ["x", {"c/d": null}]},
     "dependencies": ["one", {"id": "one", "on": "end"}], "user_id": "u", "metadata": {"m": 1}}
  ]
}
"""

CATALOG = ExecutorCatalog({"command": Command(), "noop": Noop()})


def _checked(data: bytes = FILE) -> CheckedArray:
    checked = check_array(data, catalog=CATALOG)
    assert isinstance(checked, CheckedArray), checked
    return checked


def _with(function: Callable[..., Any], data: bytes = FILE) -> CheckedArray | RejectedArray:
    one = Implementation(
        plugin="policy",
        distribution="d",
        hook="inboxd_validate_tree",
        function=function,
        arguments=("tree",),
    )
    return checked_by_plugins(_checked(data), Hooks([one]), file="a.json", owner=7)


def _problems(*problems: Problem, data: bytes = FILE) -> list[Problem]:
    rejected = _with(lambda tree: problems, data)
    assert isinstance(rejected, RejectedArray)
    return rejected.problems


def test_a_plugin_sees_the_tree_with_its_defaults_merged_in() -> None:
    seen: list[CandidateTree] = []
    tasks: list[CandidateTask] = []

    def look(tree: CandidateTree) -> None:
        seen.append(tree)
        tasks.extend(tree.tasks())

    checked = _with(look)

    assert isinstance(checked, CheckedArray)
    tree, one, two = seen[0], *tasks
    assert (tree.name, tree.file, tree.owner, tree.task_count) == ("nightly", "a.json", 7, 2)
    assert tree.metadata == {"list": [1, {"0": 2}]}
    assert (one.pointer, one.retry_limit, one.timeout_seconds) == ("/tasks/0", 3, 120.0)
    assert (two.pointer, two.parent_id, two.dependencies) == ("/tasks/1", "one", ("one",))
    assert (two.priority, two.user_id, two.metadata) == (7, "u", {"m": 1})
    assert two.inputs == {"a": 1, "b": ["x", {"c/d": None}]}


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("", (1, 1)),
        ("no pointer", (1, 1)),
        ("/name", (2, 11)),
        ("/metadata/list/0", (2, 44)),
        ("/metadata/list/1/0", (2, 53)),
        ("/nothing/there", (1, 1)),
        ("/tasks", (4, 12)),
        ("/tasks/0", (5, 5)),
        ("/tasks/9", (4, 12)),
        ("/tasks/x", (4, 12)),
        ("/tasks/0/retry", (5, 48)),
        ("/tasks/0/retry/limit/9", (5, 48)),
        ("/tasks/1/inputs/b/1/c~1d", (6, 89)),
        ("/tasks/1/inputs/b/7", (6, 75)),
        ("/tasks/" + "1" * 500, (4, 12)),
    ],
)
def test_a_problem_stands_where_its_pointer_leads_or_at_the_nearest_parent(
    pointer: str, place: tuple[int, int]
) -> None:
    (problem,) = _problems(Problem(pointer=pointer, message="no"))

    assert (problem.line, problem.column) == place
    assert problem.pointer == (pointer if pointer.startswith("/") else "")


def test_a_tree_is_looked_at_only_while_the_hook_runs() -> None:
    seen: list[CandidateTree] = []
    _with(lambda tree: seen.append(tree))

    with pytest.raises(TimeoutError):
        next(seen[0].tasks())


def test_a_bare_array_has_no_tasks_in_its_pointers() -> None:
    data = b'[{"id": "a", "executor": "noop"},\n {"id": "b", "executor": "noop"}]'

    (problem,) = _problems(Problem(pointer="/1/id", message="no"), data=data)

    assert (problem.line, problem.column, problem.pointer) == (2, 9, "/1/id")


def test_what_a_plugin_says_is_made_safe_and_bounded() -> None:
    (problem,) = _problems(
        Problem(
            code=cast("ProblemCode", "made_up"),
            pointer="/tasks/0",
            line=99,
            message="\x1b[31m" + "x" * 5_000,
            hint=None,
        )
    )

    assert problem.code is ProblemCode.INVALID_VALUE
    assert problem.line == 5
    assert problem.message.startswith("\\x1b[31mx")
    assert len(problem.message) < 1_100
    assert problem.hint == "this is a rule of plugin policy"


def test_problems_come_in_the_order_of_the_file_and_at_most_a_hundred() -> None:
    many = [Problem(pointer="/tasks/1", message=str(number)) for number in range(100)]
    many.append(Problem(pointer="/tasks/0", message="first"))

    rejected = _with(lambda tree: many)

    assert isinstance(rejected, RejectedArray)
    assert rejected.problems[0].message == "first"
    assert (len(rejected.problems), rejected.has_more) == (100, True)


def test_a_plugin_that_raises_rejects_nothing() -> None:
    assert isinstance(_with(lambda tree: 1 / 0), CheckedArray)


def test_where_no_plugin_looks_nothing_is_made() -> None:
    checked = _checked()

    assert checked_by_plugins(checked, Hooks(), file=None, owner=None) is checked
