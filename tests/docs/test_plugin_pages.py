"""The pages on `command` and on hooks say what the code says."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.config.variables import RESERVED_VARIABLES
from inboxd.executors.command import INPUTS_SCHEMA
from inboxd.plugins import hookspecs
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.executor_check import executor_problem
from inboxd.plugins.protocol import Isolation, TaskContext

from ..unit.running.runner_bed import RunnerBed, attempt, completed
from .pages import ROOT, Page, page

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = page(ROOT / "docs/reference/command.md")
HOOKS = page(ROOT / "docs/reference/hooks.md")


def _rows(on: Page, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    below = on.text.partition(f"\n{heading}\n")[2]
    lines = re.findall(r"^\|(.*)\|$", below.partition("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines[2:]]


def test_every_input_of_command_is_on_its_page_as_the_schema_says_it() -> None:
    rows = {row[0].strip("`"): row[2] for row in _rows(COMMAND, "## Inputs")}

    assert rows == {
        name: schema["description"] for name, schema in INPUTS_SCHEMA["properties"].items()
    }


def test_every_variable_of_a_command_is_on_its_page() -> None:
    names = [row[0].strip("`") for row in _rows(COMMAND, "## Environment")]

    assert tuple(names) == RESERVED_VARIABLES


def _hooks() -> list[str]:
    return [name for name in vars(hookspecs) if name.startswith("inboxd_")]


@pytest.mark.parametrize("name", _hooks())
def test_every_hook_is_on_the_page_with_its_signature_and_when_it_is_called(name: str) -> None:
    hook = getattr(hookspecs, name)
    signature = f"{name}{inspect.signature(hook)}".replace("'", "")
    words = inspect.cleandoc(hook.__doc__)

    section = HOOKS.text.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
    assert f"```text\n{signature}\n```" in section
    assert words in section
    assert "\nUser: " in section


def test_the_page_names_no_hook_that_is_not_there() -> None:
    assert re.findall(r"^### `(\w+)`$", HOOKS.text, re.MULTILINE) == _hooks()


def test_every_isolation_is_on_the_page() -> None:
    tables = [row[0].strip("`") for row in _rows(HOOKS, "## Executors")]

    assert set(Isolation) <= set(tables)


def test_all_that_the_context_has_is_on_the_page() -> None:
    names = [name for name in vars(TaskContext) if not name.startswith("_")]
    sentence = HOOKS.text.partition("`context` has ")[2].partition("\n\n")[0]

    assert set(re.findall(r"`(\w+)`", sentence)) == set(names)


def test_the_plugin_on_the_page_works(tmp_path: Path) -> None:
    block = HOOKS.blocks("python")[0]
    names: dict[str, Any] = {}
    exec(compile(block.text, "hooks.md", "exec"), names)  # noqa: S102 - the page's own code
    (executor,) = names["inboxd_executors"]()
    catalog = ExecutorCatalog({"greet": executor})

    with RunnerBed(tmp_path, executors=[executor]) as bed:
        outcome = bed.run(attempt("greet", {"whom": "Ada"}))[0]

    assert executor_problem(executor) is None
    assert len(catalog.input_problems("greet", {"who": "Ada"})) == 2
    assert completed(outcome) == {"greeting": "Hello, Ada!", "attempt": 1}
