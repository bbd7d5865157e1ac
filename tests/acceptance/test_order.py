"""The order of starts in the real daemon, proved by what it recorded."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

from .real_daemon import wait_until

if TYPE_CHECKING:
    from .conftest import MakeDaemon
    from .real_daemon import RealDaemon


def starts(daemon: RealDaemon) -> list[dict[str, Any]]:
    """Return every start so far in the order of `start_seq`, with what the contract sorts by."""
    rows = daemon.rows(
        "SELECT t.start_seq, t.started_at, t.priority, r.accepted_at, r.acceptance, t.id,"
        " t.ended_at FROM tasks AS t JOIN trees AS r ON r.id = t.tree WHERE t.start_seq IS NOT NULL"
        " ORDER BY t.start_seq"
    )
    names = ("start_seq", "started_at", "priority", "due_at", "acceptance", "id", "ended_at")
    return [dict(zip(names, row, strict=True)) for row in rows]


def overtaken(found: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return pairs (start_seq) of which the second was accepted before the first started, and is
    more urgent, yet started later."""
    wrong: list[tuple[int, int]] = []
    most_urgent_left: tuple[Any, ...] | None = None
    # From the last start to the first: the most urgent of all later starts is what must not have
    # been there yet.
    later: list[dict[str, Any]] = []
    for one in reversed(found):
        key = _key(one)
        if most_urgent_left is not None and most_urgent_left < key:
            wrong.extend(
                (one["start_seq"], other["start_seq"])
                for other in later
                if _key(other) < key and other["due_at"] < one["started_at"]
            )
        later.append(one)
        if most_urgent_left is None or key < most_urgent_left:
            most_urgent_left = key
    return wrong


def _key(one: dict[str, Any]) -> tuple[int, int, int, int]:
    return one["priority"], one["due_at"], one["acceptance"], one["id"]


def test_with_one_place_mixed_trees_start_in_order_while_a_large_tree_is_accepted(
    make_daemon: MakeDaemon,
) -> None:
    chance = random.Random(7)  # noqa: S311 - draws priorities
    daemon = make_daemon(run__async_places=1)
    daemon.start_and_wait()
    daemon.drop("large.json", {"defaults": {"executor": "noop", "priority": 9},
                               "tasks": [{"id": f"t{i}"} for i in range(100_000)]})  # fmt: skip
    names = [f"small-{i}.json" for i in range(40)]
    for name in names:
        tasks = [
            {"id": f"t{i}", "executor": "noop", "priority": chance.randrange(5)} for i in range(25)
        ]
        daemon.drop(name, tasks)
    wait_until(lambda: all(daemon.result(name) for name in names), "the small trees ended")
    wait_until(lambda: daemon.receipt("large.json"), "the large tree was accepted")
    daemon.kill()
    found = starts(daemon)

    assert overtaken(found) == []
    assert len(found) >= 40 * 25


def test_a_check_of_the_order_finds_an_overtaking() -> None:
    first = {"start_seq": 1, "started_at": 20, "priority": 2, "due_at": 5, "acceptance": 1, "id": 1}
    second = {**first, "start_seq": 2, "priority": 0, "due_at": 10, "acceptance": 2, "id": 2}

    assert overtaken([first, second]) == [(1, 2)]
    assert overtaken([first, {**second, "due_at": 30}]) == []


def test_strict_priority_holds_with_many_places(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(run__places=8)
    command = {"executor": "command", "inputs": {"argv": ["sleep", "0.05"]}}
    tasks = [{"id": f"t{i}", "priority": i % 4, **command} for i in range(24)]
    daemon.drop("strict.json", {"strict_priority": True, "tasks": tasks})
    daemon.drop("free.json", tasks)
    code = daemon.run_until_idle()
    rows = daemon.rows(
        "SELECT t.priority, min(t.started_at), max(t.ended_at) FROM tasks AS t"
        " JOIN trees AS r ON r.id = t.tree WHERE r.strict_priority = ? GROUP BY t.priority"
        " ORDER BY t.priority",
        1,
    )
    free = daemon.rows(
        "SELECT t.priority, min(t.started_at), max(t.ended_at) FROM tasks AS t"
        " JOIN trees AS r ON r.id = t.tree WHERE r.strict_priority = 0 GROUP BY t.priority"
        " ORDER BY t.priority"
    )

    assert code == 0
    assert all(before[2] <= after[1] for before, after in itertools.pairwise(rows))
    # Without it the levels overlap, so the line above can fail.
    assert not all(before[2] <= after[1] for before, after in itertools.pairwise(free))
