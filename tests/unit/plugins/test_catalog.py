"""What the check of a file learns about executors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inboxd.array.catalog import Catalog
from inboxd.errors import PluginError
from inboxd.executors.command import Command
from inboxd.executors.noop import Noop
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.task import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.plugins.protocol import TaskContext


class _Checked:
    description = "Takes a number."
    isolation = "thread"
    name = "checked"

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self.inputs_schema = schema

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> None:
        """Do nothing."""


CATALOG: Catalog = ExecutorCatalog(
    {
        "command": Command(),
        "noop": Noop(),
        "checked": _Checked({"properties": {"n": {"type": "integer"}}}),
    }
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("noop", PlaceKind.ASYNC),
        ("command", PlaceKind.PROCESS),
        ("checked", PlaceKind.PROCESS),
        ("none", None),
    ],
)
def test_the_isolation_says_which_kind_of_place(name: str, kind: PlaceKind | None) -> None:
    assert CATALOG.kind_of(name) == kind


def test_all_names_are_there_for_hints() -> None:
    assert sorted(CATALOG.names()) == ["checked", "command", "noop"]


@pytest.mark.parametrize(("name", "wants"), [("noop", False), ("command", True), ("checked", True)])
def test_inputs_that_may_be_anything_need_no_check(name: str, wants: bool) -> None:
    assert CATALOG.wants_input_check(name) == wants


def test_noop_takes_anything() -> None:
    assert list(CATALOG.input_problems("noop", {"any": ["thing"]})) == []


def test_the_schema_is_checked() -> None:
    problems = CATALOG.input_problems("checked", {"n": "x"})

    assert [problem.path for problem in problems] == [("n",)]


@pytest.mark.parametrize(
    ("inputs", "open_at", "found"),
    [
        ({"argv": ["a"], "script": "b"}, [("script",)], [("script",)]),
        ({"argv": ["a"], "env": {"INBOXD_ATTEMPT": "1"}}, [("env",)], []),
        (
            {"argv": ["a"], "env": {"INBOXD_ATTEMPT": "1"}},
            [("env", "INBOXD_ATTEMPT")],
            [("env", "INBOXD_ATTEMPT")],
        ),
        ({"argv": ["a"], "cwd": "a\0"}, [("cwd",)], []),
    ],
)
def test_a_key_is_wrong_whatever_its_own_value_becomes(
    inputs: dict[str, Any], open_at: list[tuple[str | int, ...]], found: list[tuple[str | int, ...]]
) -> None:
    problems = CATALOG.input_problems("command", inputs, open_at=open_at)

    assert [problem.path for problem in problems] == found


def test_a_schema_that_cannot_be_compiled_names_its_executor() -> None:
    with pytest.raises(PluginError, match='inputs_schema of executor "checked"'):
        ExecutorCatalog({"checked": _Checked({"type": "strin"})})


def test_a_schema_that_was_changed_is_compiled_anew_and_an_equal_one_is_not() -> None:
    """A session makes a catalog for each tree: 1.5 ms of compiling for six executors."""
    schema: dict[str, Any] = {"properties": {"n": {"type": "integer"}}}
    executors = {"checked": _Checked(schema)}
    before, equal = ExecutorCatalog(executors), ExecutorCatalog(executors)
    schema["properties"]["n"]["type"] = "string"
    after = ExecutorCatalog(executors)

    assert _schema_of(equal) is _schema_of(before)
    assert [len(catalog.input_problems("checked", {"n": 1})) for catalog in (before, after)] == [
        0,
        1,
    ]


def _schema_of(catalog: ExecutorCatalog) -> object:
    return catalog._schemas["checked"]
