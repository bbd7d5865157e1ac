"""
Find circles among tasks: of dependencies, and of parents. Nothing here recurses.

Each group of tasks that depend on each other is reported once, by one circle through it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["cycle_text", "edge_cycles", "parent_cycles"]

#: Of a long circle so many tasks are named at each end.
_MOST_NAMED = 5


def parent_cycles(parents: Sequence[int]) -> list[list[int]]:
    """
    Return every circle of parents, each from its first task on, in order of those.

    Args:
        parents: by position; below 0 for a task without one.

    Returns:
        Circles; in each, the parent of a task follows it, and that of the last is the first.
    """
    cycles: list[list[int]] = []
    walk_of = array("i", [0]) * len(parents)
    for walk, start in enumerate(range(len(parents)), 1):
        at = start
        while at >= 0 and walk_of[at] == 0:
            walk_of[at] = walk
            at = parents[at]
        if at >= 0 and walk_of[at] == walk:
            cycle = [at]
            while (at := parents[at]) != cycle[0]:
                cycle.append(at)
            cycles.append(_from_smallest(cycle))
    return sorted(cycles)


def edge_cycles(starts: Sequence[int], edges: Sequence[int]) -> list[list[int]]:
    """
    Return one circle of dependencies for each group of tasks that depend on each other.

    An edge of a task to itself is no circle here: it is reported where it stands.

    Args:
        starts: the edges of the task at p are those from `starts[p]` up to `starts[p + 1]`.
        edges: the position of the task that comes before.

    Returns:
        Circles, each from its first task on, in order of those; each task depends on the next,
        and the last on the first.
    """
    stuck = _never_ready(starts, edges)
    cycles: list[list[int]] = []
    for group in _groups(starts, edges, stuck):
        members = set(group)
        at = min(group)
        place: dict[int, int] = {}
        way: list[int] = []
        while at not in place:
            place[at] = len(way)
            way.append(at)
            at = next(
                before
                for before in edges[starts[at] : starts[at + 1]]
                if before in members and before != at
            )
        cycles.append(_from_smallest(way[place[at] :]))
    return sorted(cycles)


def _never_ready(starts: Sequence[int], edges: Sequence[int]) -> bytearray:
    """Return 1 for each task that is in a circle or behind one: what is left when all else ran."""
    count = len(starts) - 1
    missing = array("i", [0]) * count
    dependants_end = array("q", [0]) * (count + 1)
    for task in range(count):
        for before in edges[starts[task] : starts[task + 1]]:
            if before != task:
                missing[task] += 1
                dependants_end[before + 1] += 1
    for task in range(count):
        dependants_end[task + 1] += dependants_end[task]
    dependants = array("i", [0]) * dependants_end[count]
    fill = array("q", dependants_end[:count])
    for task in range(count):
        for before in edges[starts[task] : starts[task + 1]]:
            if before != task:
                dependants[fill[before]] = task
                fill[before] += 1
    ready = [task for task in range(count) if missing[task] == 0]
    stuck = bytearray(b"\1") * count
    while ready:
        task = ready.pop()
        stuck[task] = 0
        for dependant in dependants[dependants_end[task] : dependants_end[task + 1]]:
            missing[dependant] -= 1
            if missing[dependant] == 0:
                ready.append(dependant)
    return stuck


def _groups(starts: Sequence[int], edges: Sequence[int], stuck: bytearray) -> list[list[int]]:
    """Return the strongly connected groups of more than one among the stuck tasks (Tarjan 1972)."""
    groups: list[list[int]] = []
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    open_tasks: list[int] = []
    is_open = bytearray(len(stuck))
    for root in range(len(stuck)):
        if not stuck[root] or root in number:
            continue
        # (task, its next edge) in place of a call.
        calls = [(root, starts[root])]
        while calls:
            task, edge = calls.pop()
            if task not in number:
                number[task] = lowest[task] = len(number)
                open_tasks.append(task)
                is_open[task] = 1
            called = False
            while edge < starts[task + 1]:
                before = edges[edge]
                if stuck[before] and before not in number:
                    calls.append((task, edge))
                    calls.append((before, starts[before]))
                    called = True
                    break
                if stuck[before] and is_open[before]:
                    lowest[task] = min(lowest[task], lowest[before])
                edge += 1
            if called:
                continue
            if lowest[task] == number[task]:
                group: list[int] = []
                while True:
                    member = open_tasks.pop()
                    is_open[member] = 0
                    group.append(member)
                    if member == task:
                        break
                if len(group) > 1:
                    groups.append(group)
    return groups


def _from_smallest(cycle: list[int]) -> list[int]:
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]


def cycle_text(names: Sequence[str]) -> str:
    """Return `a -> b -> a`; the middle of a long circle is only counted."""
    named = [*names, names[0]]
    if len(named) > 2 * _MOST_NAMED + 1:
        left_out = len(named) - 2 * _MOST_NAMED
        named = [*named[:_MOST_NAMED], f"({left_out:,} more)", *named[-_MOST_NAMED:]]
    return " -> ".join(named)
