"""Ids, names, and what refers to them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from inboxd.task import EdgeOn, EdgeSpec

from .checking import accepted, codes, only_problem, rejected, specs


def _tasks(*tasks: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"executor": "noop", **task} for task in tasks]


@pytest.mark.parametrize(
    ("tasks", "ids"),
    [
        ([{"id": "a"}, {"id": "b", "name": "a"}], ["a", "b"]),
        ([{"name": "a"}, {"name": "b"}], ["a", "b"]),
        ([{"name": "a"}, {"name": "a"}], ["task-1", "task-2"]),
        ([{"name": "a b"}, {"name": "é"}, {"name": "c"}], ["task-1", "task-2", "c"]),
        ([{"name": "n" * 129}], ["task-1"]),
        ([{"id": "a"}, {"name": "a"}], ["a", "task-2"]),
        ([{"id": "x", "name": "a"}, {"name": "a"}], ["x", "task-2"]),
        ([{"name": "a"}, {"id": "a", "name": "a"}], ["task-1", "a"]),
    ],
)
def test_the_default_id_is_the_name_if_unique_else_the_place(
    tasks: list[dict[str, Any]], ids: list[str]
) -> None:
    assert list(accepted(_tasks(*tasks)).ids) == ids


@pytest.mark.parametrize(
    ("tasks", "code_and_pointer"),
    [
        ([{"id": "a"}, {"id": "b"}, {"id": "a"}], ("duplicate_id", "/2/id")),
        ([{"name": "a"}, {"name": "a"}, {"id": "task-1"}], ("duplicate_id", "/0")),
        ([{"name": "task-2"}, {"name": "a b"}], ("duplicate_id", "/1")),
        ([{"id": "a", "name": "b"}, {"name": "a"}], ("duplicate_id", "/1")),
    ],
)
def test_two_tasks_cannot_have_one_id(
    tasks: list[dict[str, Any]], code_and_pointer: tuple[str, str]
) -> None:
    assert codes(_tasks(*tasks)) == [code_and_pointer]


def test_two_files_may_have_the_same_ids_and_two_tasks_the_same_name() -> None:
    tasks = _tasks({"id": "a", "name": "same"}, {"id": "b", "name": "same"})

    assert [spec.name for spec in specs(tasks)] == ["same", "same"]


@pytest.mark.parametrize("key", ["parent_id", "dependencies"])
@pytest.mark.parametrize(
    ("reference", "position"),
    [("a", 0), ("Second task", 1), ("task-3", 2), ("b", 1), ("third", 3), ("shared", 4)],
)
def test_a_reference_names_an_id_else_a_unique_name(
    key: str, reference: str, position: int
) -> None:
    value = reference if key == "parent_id" else [reference]
    named = specs(
        _tasks(
            {"id": "a"},
            {"id": "b", "name": "Second task"},
            {"name": "odd name"},
            {"name": "third"},
            {"id": "shared", "name": "own"},
            {"id": "f", "name": "shared"},
            {"id": "last", key: value},
        )
    )[-1]

    assert (named.parent if key == "parent_id" else named.edges[0].dependency) == position


@pytest.mark.parametrize("key", ["parent_id", "dependencies"])
def test_a_name_that_several_tasks_have_is_ambiguous(key: str) -> None:
    tasks = _tasks(
        {"id": "a", "name": "same"},
        {"id": "b", "name": "same"},
        {"id": "c", key: "same" if key == "parent_id" else ["same"]},
    )
    problem = only_problem(tasks)

    assert problem.code == "ambiguous_reference"
    assert problem.pointer == ("/2/parent_id" if key == "parent_id" else "/2/dependencies/0")
    assert "/0, /1" in problem.message


@pytest.mark.parametrize(
    ("edge", "pointer"),
    [
        ("nope", "/0/dependencies/0"),
        ({"id": "nope"}, "/0/dependencies/0/id"),
        ({"name": "nope"}, "/0/dependencies/0/name"),
        ("", "/0/dependencies/0"),
    ],
)
def test_an_unknown_reference_is_reported_where_it_stands(edge: Any, pointer: str) -> None:
    assert codes(_tasks({"id": "a", "dependencies": [edge]})) == [("unknown_reference", pointer)]


def test_an_unknown_parent_is_an_unknown_reference() -> None:
    assert codes(_tasks({"id": "a", "parent_id": "b"})) == [("unknown_reference", "/0/parent_id")]


def test_the_hint_for_an_unknown_reference_is_the_nearest_id_or_name() -> None:
    tasks = _tasks({"id": "fetch_data"}, {"id": "b", "name": "Count lines"})

    assert (
        only_problem([*tasks, *_tasks({"id": "c", "dependencies": ["fetchdata"]})]).hint
        == 'did you mean "fetch_data"?'
    )
    assert (
        only_problem([*tasks, *_tasks({"id": "c", "dependencies": ["Count line"]})]).hint
        == 'did you mean "Count lines"?'
    )


@pytest.mark.parametrize(
    ("edge", "on"),
    [
        ("a", EdgeOn.SUCCESS),
        ({"id": "a"}, EdgeOn.SUCCESS),
        ({"name": "a"}, EdgeOn.SUCCESS),
        ({"id": "a", "on": "success"}, EdgeOn.SUCCESS),
        ({"id": "a", "on": "failure"}, EdgeOn.FAILURE),
        ({"id": "a", "on": "end"}, EdgeOn.END),
        ({"id": "a", "required": True}, EdgeOn.SUCCESS),
        ({"id": "a", "required": False}, EdgeOn.END),
    ],
)
def test_an_edge_says_on_which_end_it_holds(edge: Any, on: EdgeOn) -> None:
    first, second = specs(_tasks({"id": "a"}, {"id": "b", "dependencies": [edge]}))

    assert second.edges == (EdgeSpec(0, on),)
    assert (first.has_dependants, second.has_dependants) == (True, False)


@pytest.mark.parametrize(
    ("edge", "code", "pointer"),
    [
        ({}, "missing_field", "/1/dependencies/0"),
        ({"on": "end"}, "missing_field", "/1/dependencies/0"),
        ({"id": "a", "on": "end", "required": False}, "conflicting_fields", "/1/dependencies/0"),
        ({"id": "a", "on": "success", "required": True}, "conflicting_fields", "/1/dependencies/0"),
        ({"id": "a", "name": "a"}, "conflicting_fields", "/1/dependencies/0"),
        ({"id": "a", "on": "finish"}, "invalid_value", "/1/dependencies/0/on"),
        ({"id": "a", "required": "yes"}, "wrong_type", "/1/dependencies/0/required"),
        ({"id": 1}, "wrong_type", "/1/dependencies/0/id"),
        ({"id": "a", "when": "end"}, "unknown_field", "/1/dependencies/0/when"),
        ({"id": "a", "x-own": 1}, "unknown_field", "/1/dependencies/0/x-own"),
        ("b", "self_dependency", "/1/dependencies/0"),
        ({"id": "b", "on": "end"}, "self_dependency", "/1/dependencies/0"),
    ],
)
def test_an_edge_that_cannot_be_is_an_error(edge: Any, code: str, pointer: str) -> None:
    tasks = _tasks({"id": "a"}, {"id": "b", "dependencies": [edge]})

    assert codes(tasks) == [(code, pointer)]


def test_one_bad_edge_does_not_hide_another() -> None:
    tasks = _tasks({"id": "a", "dependencies": [1, "x", {"on": "later", "id": "a"}, {"id": "y"}]})

    assert codes(tasks) == [
        ("wrong_type", "/0/dependencies/0"),
        ("unknown_reference", "/0/dependencies/1"),
        ("invalid_value", "/0/dependencies/2/on"),
        ("unknown_reference", "/0/dependencies/3/id"),
    ]


def test_a_bad_task_does_not_make_references_to_it_unknown() -> None:
    tasks = _tasks(
        {"id": "a b", "priority": "x"},
        {"id": "c", "dependencies": ["a b", "d"], "parent_id": "d"},
        {"id": "d", "prio": 1},
    )

    assert codes(tasks) == [
        ("invalid_id", "/0/id"),
        ("wrong_type", "/0/priority"),
        ("unknown_field", "/2/prio"),
    ]


def test_the_same_edge_twice_counts_once_and_order_is_kept() -> None:
    tasks = _tasks(
        {"id": "a", "name": "first"},
        {"id": "b"},
        {
            "id": "c",
            "dependencies": ["b", "a", {"name": "first"}, {"id": "a", "on": "end"}, "b"],
        },
    )

    assert specs(tasks)[2].edges == (
        EdgeSpec(1, EdgeOn.SUCCESS),
        EdgeSpec(0, EdgeOn.SUCCESS),
        EdgeSpec(0, EdgeOn.END),
    )


def test_tasks_may_refer_to_later_ones() -> None:
    tasks = _tasks({"id": "a", "dependencies": ["b"], "parent_id": "b"}, {"id": "b"})

    assert specs(tasks)[0].edges == (EdgeSpec(1, EdgeOn.SUCCESS),)
    assert specs(tasks)[0].parent == 1


def test_several_roots_are_fine() -> None:
    assert accepted(_tasks({"id": "a"}, {"id": "b"}, {"id": "c", "parent_id": "a"})).task_count == 3


def test_a_cycle_of_dependencies_shows_its_path() -> None:
    tasks = _tasks(
        {"id": "a", "dependencies": ["c"]},
        {"id": "b", "dependencies": ["a"]},
        {"id": "c", "dependencies": ["b"]},
        {"id": "d", "dependencies": ["a"]},
    )
    problem = only_problem(tasks)

    assert (problem.code.value, problem.pointer) == ("dependency_cycle", "/0/dependencies")
    assert "a -> c -> b -> a" in problem.message


def test_each_group_of_tasks_in_a_circle_is_reported_once() -> None:
    tasks = _tasks(
        {"id": "a", "dependencies": ["b"]},
        {"id": "b", "dependencies": ["a", "c"]},
        {"id": "c", "dependencies": ["d"]},
        {"id": "d", "dependencies": [{"id": "c", "on": "failure"}]},
    )

    assert [problem.message.split(": ")[1] for problem in rejected(tasks)] == [
        "a -> b -> a",
        "c -> d -> c",
    ]


def test_a_cycle_of_parents_shows_its_path() -> None:
    tasks = _tasks(
        {"id": "a", "parent_id": "b"}, {"id": "b", "parent_id": "a"}, {"id": "c", "parent_id": "a"}
    )
    problem = only_problem(tasks)

    assert (problem.code.value, problem.pointer) == ("parent_cycle", "/0/parent_id")
    assert "a -> b -> a" in problem.message


def test_a_task_is_not_its_own_parent() -> None:
    problem = only_problem(_tasks({"id": "a", "parent_id": "a"}))

    assert problem.code == "parent_cycle"
    assert "a -> a" in problem.message


def test_parents_and_dependencies_may_run_against_each_other() -> None:
    tasks = _tasks({"id": "a", "parent_id": "b"}, {"id": "b", "dependencies": ["a"]})

    assert codes(tasks) == []


def test_the_message_about_a_long_cycle_is_short() -> None:
    count = 100_000
    tasks = _tasks(
        *({"id": f"t{n}", "dependencies": [f"t{(n + 1) % count}"]} for n in range(count))
    )
    problem = only_problem(tasks)

    assert "t0 -> t1 -> t2 -> t3 -> t4 -> (99,991 more) -> " in problem.message
    assert len(problem.message) < 300


def test_a_chain_of_100_000_in_any_order_is_accepted() -> None:
    count = 100_000
    tasks = _tasks(
        {"id": "t0"}, *({"id": f"t{n}", "dependencies": [f"t{n - 1}"]} for n in range(1, count))
    )
    random.Random(7).shuffle(tasks)  # noqa: S311 - an order, no secret

    assert accepted(tasks).task_count == count


def test_a_chain_of_100_000_parents_in_any_order_is_accepted() -> None:
    count = 100_000
    tasks = _tasks(
        {"id": "t0"}, *({"id": f"t{n}", "parent_id": f"t{n - 1}"} for n in range(1, count))
    )
    random.Random(7).shuffle(tasks)  # noqa: S311 - an order, no secret

    assert accepted(tasks).task_count == count


def test_a_fan_in_of_100_000_is_accepted() -> None:
    count = 100_000
    names = [f"t{n}" for n in range(count)]
    tasks = _tasks(*({"id": name} for name in names), {"id": "last", "dependencies": names})
    array = accepted(tasks)
    *_, last = array.specs()

    assert [edge.dependency for edge in last.edges] == list(range(count))


def test_an_error_in_the_last_of_many_tasks_is_located() -> None:
    count = 50_000
    lines = [f'{{"id":"t{n}","executor":"noop"}}' for n in range(count)]
    lines[-1] = '{"id":"last","executor":"noop","dependencies":["t0","nope"]}'
    problem = only_problem("[\n" + ",\n".join(lines) + "\n]\n")

    assert (problem.pointer, problem.line) == (f"/{count - 1}/dependencies/1", count + 1)
    assert problem.column == lines[-1].index('"nope"') + 1
