"""What follows a reference: parsed with reasons for people, and evaluated within a bound."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array.queries import MOST_STEPS, Allowance, QueryError, parse_query

VALUE = {
    "items": [{"url": "u", "n": 1}, {"url": "w", "n": 2}],
    "a b": 3,
    "name": "x",
    "on": True,
}


def found(query: str, value: Any = VALUE) -> Any:
    """Return what a query finds."""
    return parse_query(query).evaluate(value, Allowance())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", VALUE),
        (".items[0].url", "u"),
        (".items[-1].n", 2),
        (".items[*].n", [1, 2]),
        (".items[?n > `1`].url", ["w"]),
        (".items | length(@)", 2),
        (" | length(items)", 2),
        ('."a b"', 3),
        (".{first: items[0].n, name: name}", {"first": 1, "name": "x"}),
        (".nothing.at.all", None),
        ("[0]", None),
        (" || 'default'", VALUE),
        (".nothing || 'default'", "default"),
        (" | sort_by(items, &n)[-1].url", "w"),
        (" | items[?url == 'u'] | [0].n", 1),
        (" | join(', ', items[*].url)", "u, w"),
        (" | to_string(items[0])", '{"url":"u","n":1}'),
        (" | contains(items[*].n, `2`)", True),
        (" | name == 'x' && on", True),
        ("[::2]", None),
    ],
)
def test_a_query_finds_what_jmespath_says(query: str, expected: object) -> None:
    assert found(query) == expected


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (".items[", "it ends too early"),
        (".a..b", "at character 4, .: "),
        (" y", "at character 2, y: "),
        (" ~ 3", "at character 2: Unknown token ~"),
        (" == `foo`", "at character 5: `foo` is no JSON (a text is written 'foo')"),
        ("[::0]", "the step of a slice is not 0"),
        (" | &foo", "& stands only before an argument of a function"),
        (" | [&l]", "& stands only before an argument of a function"),
        (".{a: &l}", "& stands only before an argument of a function"),
        (" | not_null(&l)", "& stands only before an argument of a function"),
        (" | to_array(&l)", "& stands only before an argument of a function"),
        (" | map(&[&l], @)", "& stands only before an argument of a function"),
        (" | lenght(@)", "there is no function lenght(); did you mean length()?"),
        (" | length(@, @)", "length() takes 1 arguments, not 2"),
        (" | merge()", "merge() takes at least 1 arguments, not 0"),
        (" | " + "!" * 60 + "@", "it is nested too deep"),
        (" | " + "(" * 900, "it is nested too deep"),
        ("." + "a" * 2_000, "it has 2,001 characters; at most 2,000 are taken"),
    ],
)
def test_what_does_not_parse_says_why(query: str, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query(query)

    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (".name | abs(@)", "abs() takes number, not string"),
        (" | name < `1`", "'<' not supported"),
        (" | sum(items)", "sum() takes array-number, not dict"),
        (" | sort_by(items, &@)", "sort_by() takes string or number, not object"),
    ],
)
def test_what_cannot_be_evaluated_says_why_without_the_value(query: str, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        found(query)

    assert str(caught.value).startswith(reason)
    assert "url" not in str(caught.value)


def test_a_value_is_not_changed() -> None:
    value = {"b": [3, 1, 2], "c": {"d": 1}}
    found(" | [sort(b), reverse(b), merge(c, {e: b})]", value)

    assert value == {"b": [3, 1, 2], "c": {"d": 1}}


#: Short expressions that would take all memory or all time: doubled values and texts.
HOSTILE = [
    (" | [@,@]" * 45, [1]),
    (" | [@,@][]" * 20, [1]),
    (" | [@,@][]" * 20 + " | to_string(@)", list(range(1_000))),
    (" | [@,@]" * 22 + " | to_string(@)", [1]),
    (" | [@,@]" * 17 + " | {a: @, b: @} | a == b", [1]),
    (" | [@,@]" * 17 + " | contains([@], @)", [1]),
    (" | join('" + "x" * 900 + "', map(&'y', @))", list(range(400_000))),
    (" | to_string(@) | join('', [@,@,@,@]) | join('', [@,@,@,@])" * 6, ["x" * 4_000]),
    ("[*].[@,@,@,@,@,@,@,@]" + " | [*].[@,@,@,@]" * 8, list(range(2_000))),
    ("[*].[`[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]`][]", list(range(100_000))),
    (" | map(&map(&[@,@,@,@,@,@,@,@], @), [@,@,@,@,@,@,@,@,@,@])", list(range(20_000))),
]


@pytest.mark.parametrize(("query", "value"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_expression_ends_after_so_many_steps(query: str, value: object) -> None:
    allowance = Allowance()
    with pytest.raises(QueryError, match="may take 100,000 steps"):
        parse_query(query).evaluate(value, allowance)

    # What was counted last was not made yet, or is at most a few times of what was there.
    assert allowance.left > -50 * MOST_STEPS


def test_expressions_of_one_task_share_their_steps() -> None:
    once = Allowance()
    parse_query("[*].b").evaluate([{}], once)
    allowance = Allowance(2 * (MOST_STEPS - once.left))
    parse_query("[*].b").evaluate([{}], allowance)
    parse_query("[*].b").evaluate([{}], allowance)
    with pytest.raises(QueryError):
        parse_query("[*].b").evaluate([{}], allowance)


@pytest.mark.parametrize("query", ["", ".a.b[0].c", ".a | b || 'x' && !c", '."a b"[-1]'])
def test_plain_paths_take_no_steps(query: str) -> None:
    allowance = Allowance(0)
    parse_query(query).evaluate({"a": {"b": 1}}, allowance)

    assert allowance.left == 0


@given(st.text(max_size=40), st.sampled_from([VALUE, [1, [2, None]], "text", 3.5, None, {}]))
def test_no_text_raises_anything_else(query: str, value: object) -> None:
    with contextlib.suppress(QueryError):
        parse_query(query).evaluate(value, Allowance())


_PIECES = st.lists(
    st.sampled_from(
        [".items", "[0]", "[*]", "[]", "[?n > `1`]", ".n", ".*", " | ", "length(@)", "sort(@)", "@",
         "!", " == ", "`1`", "'x'", ".{a: @}", "[1:]", "&n", "sum(", ")", " || ", "to_number(@)"]
    ),
    max_size=8,
)  # fmt: skip


@given(_PIECES, st.sampled_from([VALUE, [1, 2, "x"], [[3], [1]], "12", {"n": {"n": 1}}]))
def test_no_mixture_of_pieces_raises_anything_else(pieces: list[str], value: object) -> None:
    with contextlib.suppress(QueryError):
        parse_query("".join(pieces)).evaluate(value, Allowance())
