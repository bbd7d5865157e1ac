"""Arrays as a whole: what is accepted holds together, what is rejected says why."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inboxd.array import CheckedArray, Limits, RejectedArray, check_array
from inboxd.array.cycles import edge_cycles, parent_cycles
from inboxd.array.survey import is_id

from .checking import CATALOG, accepted, check, specs
from .slow_json import mutated

_ids = st.sampled_from(["a", "b", "c", "d", "e"])
_edges = st.one_of(
    _ids,
    st.fixed_dictionaries({"id": _ids}, optional={"on": st.sampled_from(["failure", "end"])}),
    st.fixed_dictionaries({"name": _ids, "required": st.booleans()}),
)
_tasks = st.fixed_dictionaries(
    {"executor": st.just("noop")},
    optional={
        "id": _ids,
        "name": _ids | st.just("a name"),
        "parent_id": _ids | st.none(),
        "dependencies": st.lists(_edges, max_size=3),
        "priority": st.integers(0, 5),
        "inputs": st.dictionaries(_ids, st.integers(), max_size=2),
        "x-own": st.text(max_size=2),
    },
)
_arrays = st.lists(_tasks, min_size=1, max_size=7)
_documents = _arrays | st.fixed_dictionaries(
    {"tasks": _arrays},
    optional={
        "name": st.text(min_size=1, max_size=3),
        "defaults": st.fixed_dictionaries(
            {}, optional={"priority": st.integers(0, 9), "retry": st.integers(0, 2)}
        ),
    },
)


@st.composite
def _good_arrays(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Give an array without errors: each task refers to ones that come before in some order."""
    ids = draw(st.lists(st.text("abcXYZ09", min_size=1, max_size=3), min_size=1, unique=True))
    tasks: list[dict[str, Any]] = []
    for position, task_id in enumerate(ids):
        task: dict[str, Any] = {"executor": "noop", "id": task_id, **draw(_more_fields)}
        before = ids[:position]
        if before:
            edge = st.sampled_from(before)
            on = st.sampled_from(["success", "failure", "end"])
            edges = edge | st.builds(lambda name, on: {"id": name, "on": on}, edge, on)
            task["dependencies"] = draw(st.lists(edges, max_size=4))
            task["parent_id"] = draw(st.none() | edge)
        tasks.append(task)
    return draw(st.permutations(tasks))


_more_fields = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.dictionaries(_ids, st.integers(), max_size=2),
        "x-own": st.text(max_size=2),
        "timeout": st.sampled_from([None, 1.5, "10m"]),
        "retry": st.integers(0, 2),
    },
)


def _tasks_of(document: Any) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = document if isinstance(document, list) else document["tasks"]
    return tasks


@given(_documents)
def test_an_array_is_accepted_or_rejected_whole(document: Any) -> None:
    result = check(document)
    tasks = _tasks_of(document)
    if isinstance(result, RejectedArray):
        assert result.problems
        return
    made = list(result.specs())

    assert [spec.position for spec in made] == list(range(len(tasks)))
    assert [spec.id for spec in made] == list(result.ids)
    assert len(set(result.ids)) == len(tasks)
    assert all(is_id(task_id) for task_id in result.ids)
    for spec, task in zip(made, tasks, strict=True):
        assert spec.id == task.get("id", spec.id)
        assert spec.name == task.get("name", spec.id)
        assert json.loads(spec.inputs or b"{}") == task.get("inputs", {})
        assert len(set(spec.edges)) == len(spec.edges) <= len(task.get("dependencies", []))
        for edge in spec.edges:
            assert made[edge.dependency].has_dependants
            assert edge.dependency != spec.position


@given(_documents)
def test_every_accepted_array_can_be_run_in_some_order(document: Any) -> None:
    result = check(document)
    if isinstance(result, RejectedArray):
        return
    waiting = {spec.position: {edge.dependency for edge in spec.edges} for spec in result.specs()}
    done: set[int] = set()
    while ready := [task for task, before in waiting.items() if before <= done]:
        done.update(ready)
        for task in ready:
            del waiting[task]

    assert not waiting


@given(_good_arrays(), st.sampled_from([None, 1]))
def test_an_array_without_errors_is_accepted_as_it_is(
    tasks: list[dict[str, Any]], indent: int | None
) -> None:
    made = specs(json.dumps(tasks, indent=indent))

    for spec, task in zip(made, tasks, strict=True):
        edges = [
            (edge, "success") if isinstance(edge, str) else (edge["id"], edge["on"])
            for edge in task.get("dependencies", [])
        ]
        assert [(made[edge.dependency].id, edge.on.value) for edge in spec.edges] == list(
            dict.fromkeys(edges)
        )
        parent = None if spec.parent is None else made[spec.parent].id
        assert (spec.id, parent) == (task["id"], task.get("parent_id"))


@given(_good_arrays(), st.integers(1, 9))
def test_batches_are_the_specs_in_order(tasks: list[dict[str, Any]], size: int) -> None:
    array = accepted(tasks)
    batches = list(array.batches(size))

    assert [spec for batch in batches for spec in batch] == list(array.specs())
    assert all(len(batch) == size for batch in batches[:-1])
    assert 0 < len(batches[-1]) <= size


def _lead(document: Any, pointer: str) -> Any:
    """Return what a pointer leads to in a decoded document."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


@given(
    mutated(
        mutated(st.builds(lambda document: json.dumps(document, indent=1).encode(), _documents))
    )
)
def test_each_problem_points_into_the_document(data: bytes) -> None:
    result = check(data)
    if isinstance(result, CheckedArray):
        return
    lines = data.split(b"\n")
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    for problem in result.problems:
        assert problem.line is not None
        assert problem.column is not None
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.message
        assert json.loads(json.dumps(problem.to_dict()))["code"] == problem.code.value
        if document is not None:
            _lead(document, problem.pointer)


@given(_documents, st.sampled_from([None, 1]))
def test_the_way_it_is_written_changes_nothing(document: Any, indent: int | None) -> None:
    plain = check(document)
    other = check(json.dumps(document, indent=indent, separators=(" ,", "  : ")))

    if isinstance(plain, RejectedArray):
        assert isinstance(other, RejectedArray)
        assert [(one.code, one.pointer, one.message) for one in other.problems] == [
            (one.code, one.pointer, one.message) for one in plain.problems
        ]
    else:
        assert isinstance(other, CheckedArray)
        assert [spec.id for spec in other.specs()] == [spec.id for spec in plain.specs()]
        assert [spec.edges for spec in other.specs()] == [spec.edges for spec in plain.specs()]


_graphs = st.integers(1, 7).flatmap(
    lambda count: st.lists(
        st.lists(st.integers(0, count - 1), max_size=4), min_size=count, max_size=count
    )
)


def _reach(graph: list[list[int]], start: int) -> set[int]:
    seen: set[int] = set()
    rest = [before for before in graph[start] if before != start]
    while rest:
        task = rest.pop()
        if task not in seen:
            seen.add(task)
            rest.extend(before for before in graph[task] if before != task)
    return seen


@given(_graphs)
def test_each_group_of_tasks_in_circles_has_one_real_circle(graph: list[list[int]]) -> None:
    starts = [0]
    for edges in graph:
        starts.append(starts[-1] + len(edges))
    cycles = edge_cycles(starts, [before for edges in graph for before in edges])
    groups = {
        frozenset(other for other in _reach(graph, task) if task in _reach(graph, other))
        for task in range(len(graph))
        if task in _reach(graph, task)
    }

    assert len(cycles) == len(groups)
    for cycle in cycles:
        assert len(set(cycle)) == len(cycle) > 1
        assert cycle[0] == min(cycle)
        assert any(set(cycle) <= group for group in groups)
        for task, before in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert before in graph[task]


@given(st.lists(st.integers(-1, 6), min_size=7, max_size=7))
def test_every_circle_of_parents_is_found_once(parents: list[int]) -> None:
    cycles = parent_cycles(parents)
    in_circles: set[int] = set()
    for task in range(len(parents)):
        at = parents[task]
        for _ in parents:
            if at in (-1, task):
                break
            at = parents[at]
        if at == task:
            in_circles.add(task)

    assert Counter(task for cycle in cycles for task in cycle) == Counter(in_circles)
    for cycle in cycles:
        for task, parent in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert parents[task] == parent


def test_a_large_array_is_the_same_however_it_is_cut() -> None:
    tasks = [
        {
            "id": f"t{number}",
            "name": f"Task {number % 7000}",
            "executor": "noop",
            "dependencies": [f"t{number // 2}", {"id": f"t{number - 1}", "on": "end"}]
            if number > 1
            else [],
            **({"x-own": number} if number % 3_000 == 0 else {}),
            "inputs": {"n": number, "near": "{{ x }}" if number % 5_000 == 0 else ":"},
        }
        for number in range(20_000)
    ]
    made = specs(tasks)

    assert [spec.id for spec in made] == [task["id"] for task in tasks]
    assert [json.loads(spec.inputs or b"") for spec in made] == [task["inputs"] for task in tasks]
    assert [len(spec.edges) for spec in made] == [
        0 if number < 2 else 2 for number in range(20_000)
    ]
    assert [spec.position for spec in made if spec.other] == list(range(0, 20_000, 3_000))


def test_problems_in_many_chunks_come_in_the_order_of_the_file() -> None:
    lines = [f'{{"id":"t{number}","executor":"noop"}}' for number in range(30_000)]
    for number in range(500, 30_000, 1_000):
        lines[number] = f'{{"id":"t{number}","executor":"noop","dependencies":["x"],"prio":1}}'
        lines[number + 1] = f'{{"id":"t{number}","executor":"noop","params":{{"a":1,"a":2}}}}'
    result = check_array(("[" + ",\n".join(lines) + "]").encode(), limits=Limits(), catalog=CATALOG)

    assert isinstance(result, RejectedArray)
    assert result.has_more
    assert [(one.line, one.code.value) for one in result.problems] == [
        (line, code)
        for number in range(500, 25_500, 1_000)
        for line, code in [
            (number + 1, "unknown_reference"),
            (number + 1, "unknown_field"),
            (number + 2, "duplicate_id"),
            (number + 2, "duplicate_key"),
        ]
    ]


def test_specs_can_be_asked_for_again() -> None:
    array = accepted([{"id": "a", "executor": "noop"}])

    assert list(array.specs()) == list(array.specs())
