"""The edge table of the contract, typed in again here, against the whole way through the store."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.readiness import EDGE_TABLE, Ending, Gravity, tree_status
from inboxd.scheduling import cascade
from inboxd.task import Completed, EdgeOn, Failed, Join, TaskError, TaskErrorCode, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.running.attempt import Attempt
    from inboxd.task import Outcome, TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))

#: (how the dependency ends, on) -> the code the dependant is skipped for, None when it runs.
CONTRACT = {
    ("completed", "success"): None,
    ("completed", "failure"): "condition",
    ("completed", "end"): None,
    ("failed", "success"): "dependency_failed",
    ("failed", "failure"): None,
    ("failed", "end"): None,
    ("skipped_failed", "success"): "dependency_failed",
    ("skipped_failed", "failure"): None,
    ("skipped_failed", "end"): None,
    ("skipped_condition", "success"): "condition",
    ("skipped_condition", "failure"): "condition",
    ("skipped_condition", "end"): None,
}

GRAVITY = ["condition", "dependency_cancelled", "dependency_failed"]

ENDINGS = ["completed", "failed", "skipped_failed", "skipped_condition"]


def build(
    spec: Callable[..., TaskSpec], endings: list[str], ons: list[str], join: Join
) -> tuple[list[TaskSpec], set[str]]:
    """Return an array whose last task has an edge to a task with each ending, and who must fail."""
    specs: list[TaskSpec] = []
    failing: set[str] = set()
    edges: dict[str, list[int]] = {}
    for ending, on in zip(endings, ons, strict=True):
        position = len(specs)
        specs.append(spec(position))
        if ending in ("failed", "skipped_failed"):
            failing.add(f"t{position}")
        if ending == "skipped_failed":
            specs.append(spec(position + 1, on_success=[position]))
        if ending == "skipped_condition":
            specs.append(spec(position + 1, on_failure=[position]))
        edges.setdefault(f"on_{on}", []).append(len(specs) - 1)
    specs.append(spec(len(specs), join=join, **edges))
    return specs, failing


def run(bed: Bed, specs: list[TaskSpec], failing: set[str]) -> tuple[str, str | None]:
    tree = bed.accept(specs)

    def outcome(attempt: Attempt) -> Outcome:
        return FAILED if attempt.task_id in failing else Completed()

    bed.run_to_end(outcome)
    last = specs[-1].id
    code = bed.value(
        "SELECT error ->> 'code' FROM tasks WHERE tree = ? AND local_id = ?", tree, last
    )
    return bed.statuses(tree)[last], code  # type: ignore[return-value]


@pytest.mark.parametrize("join", list(Join))
@pytest.mark.parametrize(("ending", "on"), list(CONTRACT))
def test_one_edge_is_decided_as_the_contract_says(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    ending: str,
    on: str,
    join: Join,
) -> None:
    specs, failing = build(make_spec, [ending], [on], join)
    expected_code = CONTRACT[ending, on]
    expected = ("completed" if expected_code is None else "skipped", expected_code)

    assert run(make_bed(async_places=10), specs, failing) == expected


@pytest.mark.parametrize("join", list(Join))
@pytest.mark.parametrize("places", [1, 10])
def test_two_edges_are_joined_as_the_contract_says(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    join: Join,
    places: int,
) -> None:
    bed = make_bed(async_places=places)
    wrong: list[object] = []
    cases = list(itertools.product(CONTRACT, repeat=2))
    for first, second in cases:
        specs, failing = build(make_spec, [first[0], second[0]], [first[1], second[1]], join)
        reasons = [CONTRACT[first], CONTRACT[second]]
        bad = [reason for reason in reasons if reason is not None]
        runs = not bad if join is Join.ALL else len(bad) < 2
        status, code = run(bed, specs, failing)
        if runs:
            if (status, code) != ("completed", None):
                wrong.append((first, second, status, code))
        elif (
            status != "skipped"
            or code not in bad
            or (join is Join.ANY and code != max(bad, key=GRAVITY.index))
        ):
            wrong.append((first, second, status, code))

    assert wrong == []


def test_of_two_edges_decided_in_one_turn_the_gravest_counts(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed(async_places=2)
    specs = [make_spec(0), make_spec(1), make_spec(2, on_failure=[0], on_success=[1])]

    assert run(bed, specs, {"t1"}) == ("skipped", "dependency_failed")


def test_an_error_names_the_task_where_it_began(
    make_bed: Callable[..., Bed], make_spec: Callable[..., TaskSpec]
) -> None:
    bed = make_bed()
    specs = [make_spec(0), make_spec(1, on_success=[0]), make_spec(2, on_success=[1])]
    run(bed, specs, {"t0"})

    assert bed.value("SELECT error ->> 'cause' FROM tasks WHERE local_id = 't2'") == "t0"


def test_the_table_in_code_is_the_contract_s() -> None:
    codes = {
        Gravity.HOLDS: None,
        Gravity.CONDITION: "condition",
        Gravity.CANCELLED: "dependency_cancelled",
        Gravity.FAILED: "dependency_failed",
    }
    names = {
        Ending.COMPLETED: "completed",
        Ending.FAILED: "failed",
        Ending.SKIPPED_FOR_FAILURE: "skipped_failed",
        Ending.SKIPPED_FOR_CONDITION: "skipped_condition",
        Ending.CANCELLED: "cancelled",
    }
    cancelled = {
        ("cancelled", "success"): "dependency_cancelled",
        ("cancelled", "failure"): "dependency_cancelled",
        ("cancelled", "end"): None,
    }
    actual = {
        (names[ending], on.value): codes[EDGE_TABLE[ending][on]]
        for ending in Ending
        for on in EdgeOn
    }

    assert actual == CONTRACT | cancelled


@pytest.mark.parametrize(
    ("open_tasks", "started", "failed", "cancelled", "status"),
    [
        (1, False, 0, 0, TaskStatus.PENDING),
        (1, True, 1, 1, TaskStatus.IN_PROGRESS),
        (0, True, 1, 1, TaskStatus.FAILED),
        (0, True, 0, 1, TaskStatus.CANCELLED),
        (0, True, 0, 0, TaskStatus.COMPLETED),
    ],
)
def test_the_tree_s_status_is_the_contract_s(
    open_tasks: int, started: bool, failed: int, cancelled: int, status: TaskStatus
) -> None:
    assert status == tree_status(
        open_tasks=open_tasks, started=started, failed=failed, cancelled=cancelled
    )


def test_no_mark_is_forgotten_though_a_turn_takes_up_only_some(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the marks that a turn takes up, one has no edge left: the turn seemed to be through."""
    monkeypatch.setattr(cascade, "EDGES_A_TURN", 5)
    bed = make_bed(async_places=2, small_tree=3)
    first: list[dict[str, Any]] = [
        {"priority": 0, "join": Join.ANY},
        {"priority": 1, "on_failure": [0], "on_end": [0]},
        {"priority": 1, "on_success": [0, 1], "on_failure": [0, 1]},
        {"priority": 0, "join": Join.ANY},
        {"priority": 1, "on_end": [1, 3], "join": Join.ANY},
        {"priority": 1, "on_success": [1], "on_failure": [2]},
        {"priority": 0, "join": Join.ANY},
    ]
    second: list[dict[str, Any]] = [
        {"priority": 0, "on_end": [5, 4], "on_success": [4], "join": Join.ANY},
        {"priority": 0, "on_end": [4]},
        {"priority": 0, "on_failure": [4], "on_end": [4], "join": Join.ANY},
        {"priority": 0, "on_failure": [4], "on_end": [4], "on_success": [5, 4], "join": Join.ANY},
        {"priority": 1, "on_success": [5]},
        {"priority": 0},
    ]
    trees = [
        bed.accept([make_spec(i, **one) for i, one in enumerate(each)], strict=each is second)
        for each in (first, second)
    ]
    bed.turn()
    bed.crash()
    bed.run_to_end()

    assert set(bed.listener.trees) == set(trees)
