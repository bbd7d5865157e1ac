"""Who starts when: the turns against a model that sorts everything by hand."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxd.task import (
    Completed,
    Failed,
    Join,
    PlaceKind,
    RetryPolicy,
    TaskError,
    TaskErrorCode,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.running.attempt import Attempt
    from inboxd.task import Outcome, TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))

#: A task of a drawn tree: priority, and the edges (dependency, on).
DrawnTask = tuple[int, list[tuple[int, str]], bool]


@st.composite
def drawn_trees(draw: st.DrawFn) -> list[tuple[list[DrawnTask], bool]]:
    """Return trees of a few tasks, each with priority, edges and join, and whether it is strict."""
    trees: list[tuple[list[DrawnTask], bool]] = []
    for _ in range(draw(st.integers(1, 3))):
        tasks: list[DrawnTask] = []
        for position in range(draw(st.integers(1, 6))):
            edges: list[tuple[int, str]] = []
            if position:
                edges = draw(
                    st.lists(
                        st.tuples(
                            st.integers(0, position - 1),
                            st.sampled_from(["success", "failure", "end"]),
                        ),
                        max_size=3,
                        unique=True,
                    )
                )
            tasks.append((draw(st.integers(0, 3)), edges, draw(st.booleans())))
        trees.append((tasks, draw(st.booleans())))
    return trees


def specs_of(tasks: list[DrawnTask], make_spec: Callable[..., TaskSpec]) -> list[TaskSpec]:
    specs: list[TaskSpec] = []
    for position, (priority, edges, is_any) in enumerate(tasks):
        by_on: dict[str, list[int]] = {}
        for dependency, on in edges:
            by_on.setdefault(f"on_{on}", []).append(dependency)
        specs.append(
            make_spec(position, priority=priority, join=Join.ANY if is_any else Join.ALL, **by_on)
        )
    return specs


class Model:
    """The contract's rules over plain dictionaries; slow and without any index."""

    def __init__(self, trees: list[tuple[list[DrawnTask], bool]]) -> None:
        self.trees = trees
        self.status = {
            (tree, position): "pending"
            for tree, (tasks, _) in enumerate(trees)
            for position in range(len(tasks))
        }
        self.reason: dict[tuple[int, int], str] = {}

    def edge(self, key: tuple[int, int], on: str) -> str | None:
        """Return None while undecided, `holds`, or the reason why not."""
        status = self.status[key]
        if status in ("pending", "in_progress"):
            return None
        if on == "end":
            return "holds"
        if status == "completed":
            return "holds" if on == "success" else "condition"
        if status == "failed" or self.reason[key] == "failed":
            return "failed" if on == "success" else "holds"
        return "condition"

    def settle(self) -> None:
        """Skip what can no longer start, until nothing changes."""
        changed = True
        while changed:
            changed = False
            for tree, (tasks, _) in enumerate(self.trees):
                for position, (_, edges, is_any) in enumerate(tasks):
                    key = (tree, position)
                    if self.status[key] != "pending" or not edges:
                        continue
                    seen = [self.edge((tree, other), on) for other, on in edges]
                    bad = [reason for reason in seen if reason not in (None, "holds")]
                    skip = len(bad) == len(edges) if is_any else bool(bad)
                    if skip:
                        self.status[key] = "skipped"
                        self.reason[key] = "failed" if "failed" in bad else "condition"
                        changed = True

    def is_ready(self, key: tuple[int, int]) -> bool:
        tree, position = key
        _, edges, is_any = self.trees[tree][0][position]
        if self.status[key] != "pending":
            return False
        holds = [self.edge((tree, other), on) == "holds" for other, on in edges]
        return not edges or (any(holds) if is_any else all(holds))

    def next_starts(self, free: int) -> list[tuple[int, int]]:
        """Return who starts now, most urgent first."""
        starts: list[tuple[int, int]] = []
        for _ in range(free):
            ready = [key for key in self.status if self.is_ready(key) and not self.held(key)]
            if not ready:
                break
            first = min(ready, key=lambda key: (self.priority(key), *key))
            self.status[first] = "in_progress"
            starts.append(first)
        return starts

    def held(self, key: tuple[int, int]) -> bool:
        """Whether `strict_priority` holds a ready task back."""
        tree, _ = key
        if not self.trees[tree][1]:
            return False
        return any(
            other[0] == tree
            and self.priority(other) < self.priority(key)
            and (self.status[other] == "in_progress" or self.is_ready(other))
            for other in self.status
        )

    def priority(self, key: tuple[int, int]) -> int:
        return self.trees[key[0]][0][key[1]][0]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), trees=drawn_trees(), places=st.integers(1, 4), small_tree=st.integers(0, 6))
def test_tasks_start_in_the_contract_s_order_whatever_ends_when(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    data: st.DataObject,
    trees: list[tuple[list[DrawnTask], bool]],
    places: int,
    small_tree: int,
) -> None:
    bed = make_bed(async_places=places, small_tree=small_tree)
    model = Model(trees)
    numbers: list[int] = []
    for tasks, strict in trees:
        bed.clock.advance(0.001)
        numbers.append(bed.accept(specs_of(tasks, make_spec), strict=strict))
    started: list[tuple[int, int]] = []
    for _ in range(100):
        model.settle()
        free = places - sum(1 for status in model.status.values() if status == "in_progress")
        expected = model.next_starts(free)
        actual = [(numbers.index(one.tree), one.position) for one in bed.turn()]

        assert expected == actual
        started.extend(actual)
        running = list(bed.running.values())
        if not running:
            break
        ending = data.draw(st.lists(st.sampled_from(running), min_size=1, unique=True))
        for attempt in ending:
            fails = data.draw(st.booleans())
            bed.end(attempt, FAILED if fails else Completed())
            model.status[numbers.index(attempt.tree), attempt.position] = (
                "failed" if fails else "completed"
            )
    bed.turn()
    actual_statuses = {
        (tree, position): status
        for tree, number in enumerate(numbers)
        for position, status in enumerate(bed.statuses(number).values())
    }

    assert model.status == actual_statuses
    assert {number: "failed" if "failed" in _of(model, tree) else "completed"
            for tree, number in enumerate(numbers)} == bed.listener.trees  # fmt: skip
    assert [one.start_seq for one in bed.started] == sorted(one.start_seq for one in bed.started)


def _of(model: Model, tree: int) -> set[str]:
    return {status for key, status in model.status.items() if key[0] == tree}


def test_with_one_place_trees_mix_by_priority_then_acceptance_then_position(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    first = bed.accept([make_spec(i, priority=p) for i, p in enumerate([2, 0, 3, 2])])
    second = bed.accept([make_spec(i, priority=p) for i, p in enumerate([1, 2, 0])])
    bed.run_to_end()

    assert [(one.tree, one.position) for one in bed.started] == [
        (first, 1), (second, 2), (second, 0), (first, 0), (first, 3), (second, 1), (first, 2),
    ]  # fmt: skip


def test_a_free_place_goes_to_the_first_task_that_can_use_it(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(places=1, async_places=1)
    bed.accept(
        [
            make_spec(0, executor="command", kind=PlaceKind.PROCESS, priority=0),
            make_spec(1, executor="command", kind=PlaceKind.PROCESS, priority=0),
            make_spec(2, priority=9),
        ]
    )

    assert {one.position for one in bed.turn()} == {0, 2}


def test_an_urgent_tree_overtakes_a_tree_that_is_being_loaded_and_a_large_one(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(small_tree=3)
    large = bed.accept([make_spec(i, priority=2) for i in range(10)])
    bed.turn()
    urgent = bed.accept([make_spec(0, priority=0)])
    bed.run_to_end()

    assert [one.tree for one in bed.started[:3]] == [large, urgent, large]


@pytest.mark.parametrize("small_tree", [0, 100])
def test_not_before_is_waited_for_and_then_counts_as_due_time(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec], small_tree: int
) -> None:
    bed = make_bed(small_tree=small_tree)
    soon = bed.clock.now_micros() + 5_000_000
    bed.accept([make_spec(0, not_before_micros=soon), make_spec(1, priority=5)])
    before = [one.position for one in bed.turn()]
    due = bed.turns.next_run()
    bed.clock.advance(5)
    bed.end(next(iter(bed.running.values())))
    after = [one.position for one in bed.turn()]

    assert ([1], soon, [0]) == (before, due, after)


def test_a_retry_comes_when_its_delay_is_over_and_no_sooner(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    policy = RetryPolicy(limit=2, delay_seconds=10.0, jitter=0.0)
    tree = bed.accept([make_spec(0, retry=policy)])
    starts: list[int] = []
    for _ in range(3):
        (attempt,) = bed.turn()
        starts.append(bed.clock.now_micros())
        bed.end(attempt, FAILED)
        assert bed.turn() == []
        due = bed.turns.next_run()
        if due is not None:
            bed.clock.micros = due - 1
            assert bed.turn() == []
            bed.clock.micros = due

    assert [b - a for a, b in itertools.pairwise(starts)] == [10_000_000, 20_000_000]
    assert bed.statuses(tree) == {"t0": "failed"}
    assert bed.value("SELECT count(*) FROM attempts") == 3


def test_an_outcome_that_comes_late_changes_nothing(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    tree = bed.accept([make_spec(0)])
    (attempt,) = bed.turn()
    bed.crash()
    (again,) = bed.turn()
    bed.mailbox.add_outcomes([(attempt, FAILED, bed.clock.now_micros())])
    bed.turn()
    while_running = bed.statuses(tree)
    bed.end(again)
    bed.turn()

    assert (while_running, bed.statuses(tree)) == ({"t0": "in_progress"}, {"t0": "completed"})


def outcome_by_name(failing: set[str]) -> Callable[[Attempt], Outcome]:
    return lambda attempt: FAILED if attempt.task_id in failing else Completed()
