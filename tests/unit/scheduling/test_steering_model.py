"""
Whatever persons ask for, in whatever order, with crashes: the store agrees with itself.

The laws: a tree's counts are those of its tasks; what a task's edges have come to is what
`readiness` says of them from scratch; and when nobody holds anything back, every tree ends.
What has `hold` starts only when it was released.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxd.errors import Conflict
from inboxd.readiness import SKIP_CODES, Gravity, decide_edge, join_edges
from inboxd.scheduling import cascade
from inboxd.scheduling.cascade import ending_of
from inboxd.scheduling.pausing import (
    pause,
    pause_tree,
    resume,
    resume_tree,
    set_task_priority,
    set_tree_priority_to,
)
from inboxd.scheduling.releasing import release_task
from inboxd.store.acceptance import EDGE_ONS
from inboxd.store.tables import TaskFlag, TaskState
from inboxd.task import Completed, Failed, Join, RetryPolicy, TaskError, TaskErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.task import TaskSpec
    from tests.unit.scheduling.conftest import Bed

FAILED = Failed(error=TaskError(code=TaskErrorCode.EXIT_STATUS, message="exit 1"))

OPEN = {state.value for state in TaskState if state < TaskState.COMPLETED}

STEPS = [
    "turn", "turn", "end", "end", "fail", "fail", "cancel", "cancel task", "retry", "retry",
    "retry task", "retry task", "pause", "resume", "pause tree", "resume tree", "priority",
    "task priority", "crash", "leave over", "release", "release",
]  # fmt: skip


@st.composite
def drawn_specs(draw: st.DrawFn) -> list[dict[str, object]]:
    """Return the fields of the tasks of a tree, whose edges lead up, or down, the positions."""
    count = draw(st.integers(1, 7))
    is_upwards = draw(st.booleans())
    drawn: list[dict[str, object]] = []
    for i in range(count):
        fields: dict[str, object] = {
            "join": draw(st.sampled_from(list(Join))),
            "priority": draw(st.integers(0, 2)),
            "allow_failure": draw(st.integers(0, 4)) == 0,
            "retry": draw(st.sampled_from([None, RetryPolicy(limit=1)])),
            "hold": draw(st.integers(0, 3)) == 0,
        }
        if i:
            names = draw(
                st.lists(
                    st.tuples(
                        st.integers(0, i - 1), st.sampled_from(["success", "failure", "end"])
                    ),
                    max_size=4,
                    unique=True,
                )
            )
            for dependency, on in names:
                place = dependency if is_upwards else count - 1 - dependency
                fields[f"on_{on}"] = [*fields.get(f"on_{on}", []), place]  # type: ignore[misc]
        drawn.append(fields)
    return drawn if is_upwards else drawn[::-1]


def check(bed: Bed) -> None:
    """Compare the store with itself."""
    run = bed.connection.exec_driver_sql
    trees = run(
        "SELECT id, open, completed, failed, tolerated, cancelled, skipped, status, marks,"
        " ended_at FROM trees"
    ).all()
    tasks = run(
        "SELECT id, tree, state, flags, unmet, undecided, gravity, gravest, cascade,"
        " error ->> 'code', ended_at, due_at FROM tasks"
    ).all()
    edges = run("SELECT dependency, dependant, holds_on FROM edges").all()
    busy = {row[0] for row in run("SELECT tree FROM sweeps")}
    bed.connection.rollback()
    by_id = {task[0]: task for task in tasks}
    into: dict[int, list[tuple[int, int]]] = {task[0]: [] for task in tasks}
    for dependency, dependant, on in edges:
        into[dependant].append((dependency, on))
    cascading = {task[1] for task in tasks if task[8] is not None}
    for tree in trees:
        mine = [task for task in tasks if task[1] == tree[0]]
        states = Counter(task[2] for task in mine)
        tolerated = sum(
            1 for task in mine if task[2] == TaskState.FAILED and task[3] & TaskFlag.ALLOW_FAILURE
        )
        failed = states[TaskState.FAILED] - tolerated
        found = (
            sum(states[state] for state in OPEN), states[TaskState.COMPLETED], failed, tolerated,
            states[TaskState.CANCELLED], states[TaskState.SKIPPED],
        )  # fmt: skip
        assert tuple(tree[1:7]) == found, "the counts are not those of the tasks"
        if tree[0] in busy:
            continue
        assert (tree[9] is None) is (found[0] > 0), "a tree ends when all its tasks have"
        if tree[9] is not None:
            status = "failed" if failed else "cancelled" if found[4] else "completed"
            assert (tree[7], tree[8]) == (status, 0)
        assert all((task[10] is None) is (task[2] in OPEN) for task in mine)
        assert not any(task[3] & TaskFlag.TO_RESET for task in mine)
        started = {TaskState.IN_PROGRESS, TaskState.COMPLETED, TaskState.FAILED}
        assert all(
            task[3] & TaskFlag.RELEASED
            for task in mine
            if task[2] in started and task[3] & TaskFlag.HOLD
        ), "what is held does not start"
        if tree[0] not in cascading and not tree[8] & 4:
            for task in mine:
                check_edges(task, [(by_id[one], on) for one, on in into[task[0]]])


def check_edges(task: tuple[object, ...], edges: list[tuple[tuple[object, ...], int]]) -> None:
    """Compare one task with what `readiness` says of its edges from scratch."""
    state, flags, unmet, undecided, gravity = task[2:7]
    assert isinstance(state, int)
    assert isinstance(flags, int)
    if state == TaskState.CANCELLED:
        return
    gravities: list[Gravity] = []
    holds = left = 0
    for dependency, on in edges:
        if dependency[2] in OPEN:
            left += 1
            continue
        ending, _ = ending_of(dependency[2], Gravity(dependency[6]), None, 0)  # type: ignore[arg-type]
        found = decide_edge(ending, EDGE_ONS[on])
        if found is Gravity.HOLDS:
            holds += 1
        else:
            gravities.append(found)
    is_any = bool(flags & TaskFlag.JOIN_ANY)
    expected = join_edges(
        is_any=is_any, edges=len(edges), holds=holds, undecided=left,
        gravity=max(gravities, default=Gravity.HOLDS),
    )  # fmt: skip
    if state == TaskState.SKIPPED:
        codes = {SKIP_CODES[one].value for one in gravities}
        assert expected not in (None, Gravity.HOLDS)
        # With `join: all` the first that was decided counts, else the gravest.
        assert task[9] in codes
        assert not is_any or gravity == expected
    elif state == TaskState.BLOCKED:
        assert expected is None
        assert unmet == (1 if is_any else left)
        if is_any:
            assert (undecided, gravity) == (left, max(gravities, default=Gravity.HOLDS))
    else:
        assert expected is Gravity.HOLDS
        if state < TaskState.IN_PROGRESS:
            is_held = flags & (TaskFlag.HOLD | TaskFlag.RELEASED) == TaskFlag.HOLD
            assert (state == TaskState.HELD) is is_held


def steer(bed: Bed, data: st.DataObject, step: str, trees: list[int]) -> None:
    """Have one thing happen."""
    tree = data.draw(st.sampled_from(trees))
    count = bed.value("SELECT task_count FROM trees WHERE id = ?", tree)
    assert isinstance(count, int)
    position = data.draw(st.integers(0, count - 1))
    number = bed.number(tree, position)
    priority = data.draw(st.integers(0, 3))
    match step:
        case "end" | "fail" if bed.running:
            attempt = data.draw(st.sampled_from(list(bed.running.values())))
            bed.end(attempt, FAILED if step == "fail" else Completed())
            bed.turn()
        case "cancel":
            bed.cancel(tree)
        case "cancel task":
            bed.cancel_task(tree, position)
        case "retry" | "retry task":
            # It may start, and end, in the very turn that answers.
            ended = bed.listener.trees.pop(tree, None)
            try:
                if step == "retry":
                    bed.retry(tree)
                else:
                    bed.retry_task(tree, position)
            except Conflict:
                if ended is not None:
                    bed.listener.trees[tree] = ended
                raise
        case "pause":
            bed.ask(pause)
        case "resume":
            bed.ask(resume)
        case "pause tree":
            bed.ask(lambda grip: pause_tree(grip, tree))
        case "resume tree":
            bed.ask(lambda grip: resume_tree(grip, tree))
        case "priority":
            bed.ask(lambda grip: set_tree_priority_to(grip, tree, priority))
        case "task priority":
            bed.ask(lambda grip: set_task_priority(grip, number, priority))
        case "release":
            bed.ask(lambda grip: release_task(grip, number))
        case "crash" | "leave over":
            bed.crash(run_left_over=step == "crash")
            bed.turn()
        case _:
            bed.turn()


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    data=st.data(),
    small_tree=st.sampled_from([0, 3, 100]),
    rows_a_turn=st.sampled_from([1, 3, 1_000]),
    places=st.integers(1, 3),
    edges_a_turn=st.sampled_from([5, 10_000]),
)
def test_whatever_persons_ask_for_the_store_agrees_with_itself_and_every_tree_ends(
    make_bed: Callable[..., Bed],
    make_spec: Callable[..., TaskSpec],
    data: st.DataObject,
    small_tree: int,
    rows_a_turn: int,
    places: int,
    edges_a_turn: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cascade, "EDGES_A_TURN", edges_a_turn)
        bed = make_bed(
            async_places=places, small_tree=small_tree, rows_a_turn=rows_a_turn,
            max_interruptions=1_000,
        )  # fmt: skip
        follow(bed, make_spec, data)


def follow(bed: Bed, make_spec: Callable[..., TaskSpec], data: st.DataObject) -> None:
    """Let things happen, then have nobody hold anything back, and look after each step."""
    trees = [
        bed.accept(
            [make_spec(i, **fields) for i, fields in enumerate(data.draw(drawn_specs()))],
            strict=data.draw(st.booleans()),
        )
        for _ in range(data.draw(st.integers(1, 2)))
    ]
    bed.turn()
    for step in data.draw(st.lists(st.sampled_from(STEPS), max_size=25)):
        try:
            steer(bed, data, step, trees)
        except Conflict:
            bed.turn()
        assert not bed.turns.failing_since_turns
        check(bed)
    # Nobody holds anything back any more.
    bed.ask(resume)
    bed.crash()
    for tree in trees:
        try:
            bed.ask(partial(resume_tree, number=tree))
        except Conflict:
            bed.turn()
    bed.run_to_end()
    check(bed)
    held = (
        f"SELECT min(id) FROM tasks WHERE state < 20 AND flags & {TaskFlag.HOLD}"  # noqa: S608 - constants
        f" AND NOT flags & {TaskFlag.RELEASED}"
    )
    while (number := bed.value(held)) is not None:
        assert isinstance(number, int)
        bed.ask(partial(release_task, number=number))
        bed.run_to_end()
        check(bed)

    assert set(bed.listener.trees) == set(trees)
    assert bed.value("SELECT count(*) FROM sweeps") == 0
    assert bed.value("SELECT count(*) FROM tasks WHERE ended_at IS NULL") == 0
