"""Every error of a task array has its line and column in the YAML file, as in a JSON file."""

from __future__ import annotations

import pytest

from inboxd.array import CheckedArray, RejectedArray
from inboxd.array.document import check_document
from inboxd.executors.command import Command
from inboxd.executors.noop import Noop
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd_yaml.document import read_document

CATALOG = ExecutorCatalog({"command": Command(), "noop": Noop()})


def check(text: str) -> CheckedArray | RejectedArray:
    """Check the text of a file as the daemon does."""
    document = read_document(text.encode())
    return check_document(document, size=len(text), catalog=CATALOG, positions=document.position_of)


def places(text: str) -> list[tuple[str, int | None, int | None]]:
    """Return (code, line, column) of each error."""
    result = check(text)
    if isinstance(result, CheckedArray):
        return []
    return [(one.code.value, one.line, one.column) for one in result.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- id: a\n  executor: noop\n  prority: 1\n", ("unknown_field", 3, 3)),
        ("- id: a\n  executor: noop\n  priority: high\n", ("wrong_type", 3, 13)),
        ("- id: a\n  executor: noop\n  join: some\n", ("invalid_value", 3, 9)),
        ("- id: a\n  executor: noop\n  retry: -1\n", ("out_of_range", 3, 10)),
        ("- id: ä b\n  executor: noop\n", ("invalid_id", 1, 7)),
        ("# note\n- executor: noop\n", ("missing_field", 2, 3)),
        ("- {id: a, executor: noop}\n- {id: a, executor: noop}\n", ("duplicate_id", 2, 8)),
        ("- id: a\n  executor: nop\n", ("unknown_executor", 2, 13)),
        ("- id: a\n  executor: noop\n  dependencies:\n  - b\n", ("unknown_reference", 4, 5)),
        ("- id: a\n  executor: noop\n  dependencies: [a]\n", ("self_dependency", 3, 18)),
        ("- id: a\n  executor: noop\n  dependencies: [{on: end}]\n", ("missing_field", 3, 18)),
        (
            "- id: a\n  executor: noop\n- id: b\n  executor: noop\n"
            "  dependencies: [{id: a, on: end, required: true}]\n",
            ("conflicting_fields", 5, 18),
        ),
        (
            "- id: a\n  executor: command\n  inputs:\n    argv: [ls]\n    cwd: 5\n",
            ("invalid_inputs", 5, 10),
        ),
        (
            "- id: a\n  executor: command\n  inputs:\n    argv: [ls]\n    cdw: /\n",
            ("invalid_inputs", 5, 5),
        ),
        ("tasks: []\n", ("empty_array", 1, 8)),
        ("tasks: x\n", ("not_an_array", 1, 8)),
        ("name: x\n", ("missing_field", 1, 1)),
        ("naem: x\ntasks:\n- {id: a, executor: noop}\n", ("unknown_field", 1, 1)),
        (f"- name: {'x' * 256}\n  executor: noop\n", ("name_too_long", 1, 9)),
        (
            "- id: a\n  executor: noop\n  inputs: &deep\n" + "    x: [" * 1 + "[" * 70 + "]" * 71,
            ("too_deep", 4, 69),
        ),
        (
            "defaults: &d {executor: command, inputs: {cwd: 5}}\n"
            "tasks:\n- id: a\n  inputs: {argv: [ls]}\n",
            ("invalid_inputs", 1, 48),
        ),
    ],
)  # fmt: skip
def test_an_error_stands_where_its_value_or_key_stands(
    text: str, expected: tuple[str, int, int]
) -> None:
    assert places(text) == [expected]


def test_a_circle_stands_at_its_first_task() -> None:
    text = """\
- id: a
  executor: noop
  dependencies: [b]
- id: b
  executor: noop
  dependencies: [a]
"""

    assert places(text) == [("dependency_cycle", 3, 17)]


def test_what_an_alias_holds_stands_where_it_is_written() -> None:
    text = """\
x-shared: &bad
  - nobody
tasks:
  - id: a
    executor: noop
    dependencies: *bad
"""

    assert places(text) == [("unknown_reference", 2, 5)]


def test_an_alias_that_is_wrong_itself_stands_where_it_is_used() -> None:
    assert places("- id: &a a b\n  executor: noop\n- id: c\n  executor: noop\n  join: *a\n") == [
        ("invalid_id", 1, 7),
        ("invalid_value", 5, 9),
    ]


def test_what_was_merged_stands_where_it_is_written() -> None:
    text = """\
x-command: &command
  executor: command
  retry: many
tasks:
  - <<: *command
    id: a
    inputs: {argv: [ls]}
    priority: 5000
"""

    assert places(text) == [("out_of_range", 8, 15), ("wrong_type", 3, 10)]


def test_the_place_of_the_key_is_known_for_a_conflict() -> None:
    result = check("name: x\nidempotency_key: k\ntasks: [{id: a, executor: noop}]\n")

    assert isinstance(result, CheckedArray)
    assert result.key_place == (2, 18)


def test_an_error_in_a_far_task_is_found() -> None:
    tasks = "".join(f"- {{id: t{number}, executor: noop}}\n" for number in range(30_000))

    assert places(tasks + "- {id: t, executor: nop}\n") == [("unknown_executor", 30_001, 21)]
