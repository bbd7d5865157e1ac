"""Random task arrays for hypothesis, valid by construction."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["arrays"]

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
).filter(lambda value: "{{" not in str(value) and "$secret" not in str(value))
_OBJECTS = st.dictionaries(st.text(), _JSON, max_size=3)
_SECONDS = st.sampled_from([0.5, 1, 1.0, 7, "90s", "500ms", "2h"])
_RETRIES = st.integers(0, 3) | st.fixed_dictionaries(
    {},
    optional={
        "limit": st.integers(0, 3),
        "delay": st.sampled_from([0, 0.25, 1, "1s", "2s"]),
        "backoff": st.sampled_from([1, 1.5, 2.0, 3]),
        "max_delay": st.sampled_from([400, "5m", "10m"]),
        "jitter": st.sampled_from([0, 0.1, 0.5]),
    },
)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "description": st.text(),
    "metadata": _OBJECTS,
    "user_id": st.none() | st.text(),
    "priority": st.integers(0, 999),
    "join": st.sampled_from(["all", "any"]),
    "allow_failure": st.booleans(),
    "inputs": _OBJECTS,
    "params": _OBJECTS.filter(lambda params: "executor_id" not in params),
    "schemas": st.just({}) | st.just({"input_schema": {"type": "object"}}),
    "retry": _RETRIES,
    "timeout": st.none() | _SECONDS,
    "not_before": st.sampled_from(
        ["2020-01-01T00:00:00Z", "2021-06-01T12:00:00.25+02:00", "1999-12-31t23:59:59-05:00"]
    ),
    "delivery": st.sampled_from(["at_least_once", "at_most_once"]),
    "x-mine": _JSON,
}


@st.composite
def arrays(draw: st.DrawFn, *, runs: bool = False) -> list[dict[str, Any]]:
    """
    Draw an array whose tasks are `noop`s, refer to each other as they may, in any order.

    Args:
        draw: Hypothesis's.
        runs: its tree ends by itself: no task waits for a person.
    """
    fields = _FIELDS if runs else {**_FIELDS, "hold": st.booleans()}
    count = draw(st.integers(1, 7))
    tasks: list[dict[str, Any]] = []
    for number in range(count):
        task = draw(st.fixed_dictionaries({}, optional=fields))
        task["executor"] = "noop"
        has_name = draw(st.booleans())
        if has_name:
            task["name"] = f"Name {number}"
        task["id"] = f"t{number}"
        words = [f"t{before}" for before in range(number)]
        words += [each["name"] for each in tasks if "name" in each]
        if words:
            if draw(st.booleans()):
                task["parent_id"] = draw(st.sampled_from(words))
            task["dependencies"] = draw(st.lists(_edges(words), max_size=3))
        tasks.append(task)
    return draw(st.permutations(tasks))


def _edges(words: list[str]) -> st.SearchStrategy[Any]:
    """Return edges in all their forms."""
    word = st.sampled_from(words)
    return (
        word
        | st.builds(lambda name, on: {"id": name, "on": on}, word, st.sampled_from(_ONS))
        | st.builds(lambda name, holds: {"name": name, "required": holds}, word, st.booleans())
        | st.builds(lambda name: {"id": name}, word)
    )


_ONS = ["success", "failure", "end"]
