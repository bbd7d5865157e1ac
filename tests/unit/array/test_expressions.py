"""What a text of `inputs` is in parts: plain text, expressions, mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.array.expressions import (
    LONGEST_QUERY,
    Expression,
    Field,
    Mistake,
    has_opening,
    near_miss,
    parse_text,
    strings_in,
)

NAMES = {"fetch", "a", "a.b", "a.b.result", "x y", "n}} m", "{{ tasks.a", "-.:x"}


def parts(text: str, names: set[str] = NAMES) -> list[object]:
    """Return the parts, an expression as (reference, field, query), a mistake as its source."""
    found: list[object] = []
    for part in parse_text(text, names.__contains__).parts:
        match part:
            case Expression():
                found.append((part.reference, str(part.field), part.query))
            case Mistake():
                found.append(part)
            case _:
                found.append(part)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", ["plain"]),
        ("", []),
        ("{{ x }} {{ task.a }}", ["{{ x }} {{ task.a }}"]),
        ("{{ tasks.fetch.result }}", [("fetch", "result", "")]),
        ("{{tasks.fetch.status}}", [("fetch", "status", "")]),
        ("{{ \t tasks.fetch.error.message }}", [("fetch", "error", ".message")]),
        ("<{{ tasks.fetch.result[0] }}>", ["<", ("fetch", "result", "[0]"), ">"]),
        (
            "{{ tasks.a.result }}{{ tasks.fetch.result }}",
            [("a", "result", ""), ("fetch", "result", "")],
        ),
        # The longest that names a task wins.
        ("{{ tasks.a.b.result }}", [("a.b", "result", "")]),
        ("{{ tasks.a.b.result.result }}", [("a.b.result", "result", "")]),
        ("{{ tasks.a.result.b.result }}", [("a", "result", ".b.result")]),
        # A name may hold anything.
        ("{{ tasks.x y.result }}", [("x y", "result", "")]),
        ("{{ tasks.n}} m.result }}", [("n}} m", "result", "")]),
        ("{{ tasks.{{ tasks.a.result }}", [("{{ tasks.a", "result", "")]),
        ("{{ tasks.-.:x.status }}", [("-.:x", "status", "")]),
        # The end is the first }} outside of quotes and brackets.
        ("{{ tasks.a.result.{x: y}}}", [("a", "result", ".{x: y}")]),
        ("{{ tasks.a.result.{x: {y: z}}}} }}", [("a", "result", ".{x: {y: z}}"), " }}"]),
        ("{{ tasks.a.result | '}}' }}", [("a", "result", " | '}}'")]),
        (r"{{ tasks.a.result | 'it\'s }}' }}", [("a", "result", r" | 'it\'s }}'")]),
        ('{{ tasks.a.result."}}" }}', [("a", "result", '."}}"')]),
        ('{{ tasks.a.result | `{"a": "}}"}` }}', [("a", "result", ' | `{"a": "}}"}`')]),
        ("{{ tasks.a.result | length(@) }}", [("a", "result", " | length(@)")]),
        # Two braces more write the opening itself.
        ("{{{{ tasks.a.result }}", ["{{ tasks.a.result }}"]),
        ("{{{ tasks.a.result }}}", ["{", ("a", "result", ""), "}"]),
        ("{{{{{{ tasks.", ["{{{{ tasks."]),
        ("{{{{ tasks.{{ tasks.fetch.result }}", ["{{ tasks.", ("fetch", "result", "")]),
    ],
)
def test_a_text_has_these_parts(text: str, expected: list[object]) -> None:
    assert parts(text) == expected


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("{{ tasks.nope.result }}", "nope"),
        ("{{ tasks.fetch .result }}", "fetch "),
        ("{{ tasks. fetch.result }}", " fetch"),
        ("{{ tasks..result }}", ""),
    ],
)
def test_what_names_no_task_says_what_it_names(text: str, unknown: str) -> None:
    (part,) = parse_text(text, NAMES.__contains__).parts

    assert isinstance(part, Mistake)
    assert part.unknown == unknown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ tasks.fetch }}", "it does not say what it reads of the task"),
        ("{{ tasks.fetch.results }}", "it does not say what it reads of the task"),
        ("{{ tasks.", "it does not say what it reads of the task"),
        ("{{ tasks.fetch.result", "its end, }}, is missing"),
        ("{{ tasks.fetch.result }", "its end, }}, is missing"),
        ("{{ tasks.fetch.result[ }}", "a quote or bracket in it is not closed"),
        ("{{ tasks.fetch.result | 'x }}", "a quote or bracket in it is not closed"),
        (
            "{{ tasks.fetch.result" + " " * (LONGEST_QUERY + 5) + "}}",
            "its end, }}, does not come within 2,000 characters",
        ),
    ],
)
def test_what_is_no_expression_says_why(text: str, message: str) -> None:
    (part,) = parse_text(text, NAMES.__contains__).parts

    assert isinstance(part, Mistake)
    assert part.message == message


def test_what_follows_a_mistake_is_read_on() -> None:
    text = "{{ tasks.nope.result }} and {{ tasks.fetch.result }}"
    mistake, between, expression = parse_text(text, NAMES.__contains__).parts

    assert isinstance(mistake, Mistake)
    assert between == " and "
    assert isinstance(expression, Expression)


@pytest.mark.parametrize("text", ["{{ tasks.a.result }} ", " {{ tasks.a.result }}", "x", ""])
def test_a_text_with_anything_beside_the_expression_is_a_text(text: str) -> None:
    assert parse_text(text, NAMES.__contains__).single is None


def test_a_text_that_is_one_expression_is_its_value() -> None:
    single = parse_text("{{ tasks.a.result }}", NAMES.__contains__).single

    assert single is not None
    assert single.field is Field.RESULT


@pytest.mark.parametrize(
    "text",
    [
        "${{ tasks.a.result }}",
        "{{ task.a.result }}",
        "{{ steps.a.outputs.x }}",
        "{{ needs.a.outputs.x }}",
        "{{tasks[0]}}",
        "{{ Tasks.a.result }}",
        "{{ tasks .a.result }}",
        "{{\n tasks.a.result }}",
        "${tasks.a.result}",
        "{tasks.a.result}",
    ],
)
def test_what_looks_like_a_reference_is_a_near_miss(text: str) -> None:
    assert near_miss(text) is not None


@pytest.mark.parametrize(
    "text", ["{{ tasks.a.result }}", "{{ x }}", "{{ mytasks.x }}", "tasks.a.result", "{ tasks }"]
)
def test_what_is_a_reference_or_something_else_is_none(text: str) -> None:
    assert near_miss(text) is None


#: No opening can come about, also not with what stands beside it.
_PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{"), max_size=20)
_REFERENCES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(st.text(max_size=200))
def test_no_text_raises_and_none_is_lost(text: str) -> None:
    found = parse_text(text, NAMES.__contains__).parts
    written = sum(len(part if isinstance(part, str) else part.source) for part in found)

    # Each escaped opening is two braces shorter.
    assert written <= len(text)
    assert (written == len(text)) == (
        text == "".join(part if isinstance(part, str) else part.source for part in found)
    )


@given(st.text(max_size=200).filter(lambda text: not has_opening(text)))
def test_a_text_without_an_opening_is_itself(text: str) -> None:
    assert parts(text) == ([text] if text else [])


@given(_PLAIN, _PLAIN)
def test_an_escaped_opening_is_written_as_one(before: str, after: str) -> None:
    expected = before + "{{ tasks." + after

    assert "".join(map(str, parts(before + "{{{{ tasks." + after))) == expected


@given(_PLAIN, _REFERENCES, st.sampled_from(list(Field)), st.sampled_from(["", ".a[0]"]), _PLAIN)
def test_any_name_is_found_as_it_is_written(
    before: str, reference: str, field: Field, query: str, after: str
) -> None:
    text = f"{before}{{{{ tasks.{reference}.{field}{query} }}}}{after}"
    found = [one for one in parts(text, {reference}) if isinstance(one, tuple)]

    assert found[0] == (reference, str(field), query)


def test_strings_are_found_in_the_order_of_the_document_without_keys() -> None:
    value = {"b": ["x", {"k": "y"}, 1, None], "a": "z", "e": {}}

    assert list(strings_in(value, ("inputs",))) == [
        (("inputs", "b", 0), "x"),
        (("inputs", "b", 1, "k"), "y"),
        (("inputs", "a"), "z"),
    ]


def test_openings_without_end_take_no_longer_than_the_text() -> None:
    # With a search for each end through the whole text this takes minutes.
    text = "{{ tasks.a.result ( }} " * 100_000

    assert len(parse_text(text, NAMES.__contains__).parts) > 100_000
