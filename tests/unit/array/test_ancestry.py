"""Whether one task comes before another, compared with a plain search."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array.ancestry import Ancestry


def ancestry(
    dependencies: list[list[int]], *, point_back: bool, most_looked_at: int = 10_000
) -> Ancestry:
    """Return the ancestry of tasks with these dependencies."""
    starts, edges = array("q", [0]), array("i")
    for each in dependencies:
        edges.extend(each)
        starts.append(len(edges))
    return Ancestry(starts, edges, edges_point_back=point_back, most_looked_at=most_looked_at)


def before(dependencies: list[list[int]], task: int) -> set[int]:
    """Return all that a task depends on."""
    found: set[int] = set()
    rest = [task]
    while rest:
        new = set(dependencies[rest.pop()]) - found
        found |= new
        rest.extend(new)
    return found


@st.composite
def graphs(draw: st.DrawFn, *, shuffled: bool) -> list[list[int]]:
    """Draw tasks without circles; by position of what they depend on."""
    count = draw(st.integers(1, 12))
    order = draw(st.permutations(range(count))) if shuffled else range(count)
    dependencies: list[list[int]] = [[] for _ in range(count)]
    for place in range(1, count):
        # The same task may stand there twice, by edges on different ends.
        chosen = draw(st.lists(st.integers(0, place - 1), max_size=4))
        dependencies[order[place]] = [order[each] for each in chosen]
    return dependencies


@given(graphs(shuffled=False))
def test_it_says_what_a_search_finds(dependencies: list[list[int]]) -> None:
    known = ancestry(dependencies, point_back=True)
    for task in range(len(dependencies)):
        answers = {
            other for other in range(len(dependencies))
            if other != task and known.depends_on(task, other)
        }  # fmt: skip
        assert answers == before(dependencies, task)


@given(graphs(shuffled=True))
def test_it_does_in_any_order_of_the_file(dependencies: list[list[int]]) -> None:
    known = ancestry(dependencies, point_back=False)
    for task in range(len(dependencies)):
        answers = {
            other for other in range(len(dependencies))
            if other != task and known.depends_on(task, other)
        }  # fmt: skip
        assert answers == before(dependencies, task)


def test_what_many_are_gathered_in_is_asked_about_each_of_them() -> None:
    count = 20_000
    many = list(range(count))
    # All of them directly, and by way of another one.
    dependencies: list[list[int]] = [[] for _ in many] + [many, [], [count + 1, count]]
    known = ancestry(dependencies, point_back=True, most_looked_at=5 * count)

    assert all(known.depends_on(count, other) for other in many)
    assert all(known.depends_on(count + 2, other) for other in many)
    assert known.depends_on(count, count) is False


@pytest.mark.parametrize("point_back", [True, False])
def test_a_long_chain_needs_no_search(point_back: bool) -> None:
    count = 100_000
    chain: list[list[int]] = [[], *([n] for n in range(count - 1))]
    known = ancestry(chain, point_back=point_back, most_looked_at=0)

    assert all(known.depends_on(n, n // 2) for n in range(2, count))


def test_a_search_that_takes_too_long_is_given_up() -> None:
    # Two ranks of tasks, each depending on all of the rank before: the branch leads elsewhere.
    dependencies: list[list[int]] = [[], *([0] for _ in range(50))]
    dependencies += [list(range(1, 51)) for _ in range(50)]

    assert ancestry(dependencies, point_back=True, most_looked_at=10).depends_on(100, 60) is None
    assert ancestry(dependencies, point_back=True).depends_on(100, 60) is False
