"""The drawing of a tree: its order, its guides, and that nothing in it is recursive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inboxd.cli.render.drawing import ASCII, DEEPEST, Branch, draw_branches


def drawing(count: int, parents: list[tuple[int, int]]) -> list[str]:
    return [f"{branch.guides}{branch.position}" for branch in draw_branches(count, parents, ASCII)]


@st.composite
def forests(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """A count and parents without a cycle, where children may come before their parents."""
    count = draw(st.integers(0, 40))
    order = draw(st.permutations(range(count)))
    parents = [
        (position, order[draw(st.integers(0, index - 1))])
        for index, position in enumerate(order)
        if index and draw(st.booleans())
    ]
    return count, sorted(parents)


def test_children_stand_under_their_parents_in_the_order_of_the_file() -> None:
    assert drawing(7, [(0, 3), (2, 1), (4, 1), (5, 4)]) == [
        "|-- 1",
        "|   |-- 2",
        "|   `-- 4",
        "|       `-- 5",
        "|-- 3",
        "|   `-- 0",
        "`-- 6",
    ]


def test_a_tree_without_parents_is_flat() -> None:
    assert drawing(3, []) == ["|-- 0", "|-- 1", "`-- 2"]


def test_a_tree_of_no_tasks_has_no_lines() -> None:
    assert drawing(0, []) == []


@given(forests())
def test_every_task_is_drawn_once_below_its_parent(
    forest: tuple[int, list[tuple[int, int]]],
) -> None:
    count, parents = forest
    branches = list(draw_branches(count, parents))
    parent_of = dict(parents)
    lines = {branch.position: index for index, branch in enumerate(branches)}
    levels = {branch.position: branch.level for branch in branches}

    assert sorted(lines) == list(range(count))
    for branch in branches:
        parent = parent_of.get(branch.position)
        if parent is None:
            assert branch.level == 1
        else:
            assert branch.level == levels[parent] + 1
            between = branches[lines[parent] + 1 : lines[branch.position]]
            assert all(other.level > levels[parent] for other in between)


@given(forests())
def test_siblings_keep_the_order_of_the_file(forest: tuple[int, list[tuple[int, int]]]) -> None:
    count, parents = forest
    parent_of = dict(parents)
    seen: dict[int | None, int] = {}
    for branch in draw_branches(count, parents):
        parent = parent_of.get(branch.position)

        assert branch.position > seen.get(parent, -1)
        seen[parent] = branch.position


def test_a_chain_of_a_hundred_thousand_parents_is_drawn_within_bounds() -> None:
    count = 100_000
    widest, last = 0, Branch(position=0, guides="", level=0)
    for branch in draw_branches(count, ((n, n - 1) for n in range(1, count))):
        widest, last = max(widest, len(branch.guides)), branch

    assert (last.position, last.level, widest) == (count - 1, count, 4 * DEEPEST)
