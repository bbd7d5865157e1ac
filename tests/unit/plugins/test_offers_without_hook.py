"""An entry point may name an executor, or a module in which functions are decorated."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.config.settings import InboxSettings, Settings, StateSettings, StoreSettings
from inboxd.plugins.catalog import ExecutorCatalog
from inboxd.plugins.manager import load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = """
from dataclasses import dataclass
from inboxd import executor, hookimpl

@dataclass
class Inputs:
    whom: str

@executor("greet")
def greet(inputs: Inputs, context):
    return f"Hello, {inputs.whom}!"

@executor("part")
async def part(inputs, context): ...

class Typed:
    name = "typed"
    description = "Its inputs are a type."
    inputs_schema = Inputs
    isolation = "async"
    async def execute(self, inputs, context): ...

typed = Typed()
"""
HOOK = """
@hookimpl
def inboxd_executors():
    return [part]
"""


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the module `offering` lies."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path / "offering.py"
    sys.modules.pop("offering", None)


def _offered(value: str) -> set[str]:
    here = Path("/nowhere")
    settings = Settings(
        inbox=InboxSettings(path=here),
        store=StoreSettings(url="sqlite://"),
        state=StateSettings(path=here),
    )
    point = EntryPoint(name="offering", value=value, group="inboxd")
    plugins = load_plugins(settings, installed=[point])

    assert plugins.broken == ()
    return set(plugins.executors)


def test_decorated_functions_of_a_module_are_its_executors(write_module: Path) -> None:
    write_module.write_text(SOURCE)

    assert _offered("offering") == {"greet", "part"}


def test_with_the_hook_only_what_it_gives_is_offered(write_module: Path) -> None:
    write_module.write_text(SOURCE + HOOK)

    assert _offered("offering") == {"part"}


@pytest.mark.parametrize(("attribute", "name"), [("greet", "greet"), ("typed", "typed")])
def test_an_entry_point_may_name_the_executor_itself(
    write_module: Path, attribute: str, name: str
) -> None:
    write_module.write_text(SOURCE)

    assert _offered(f"offering:{attribute}") == {name}


def test_a_type_stands_for_its_schema_when_a_file_is_checked(write_module: Path) -> None:
    write_module.write_text(SOURCE)
    settings = Settings(
        inbox=InboxSettings(path=write_module),
        store=StoreSettings(url="sqlite://"),
        state=StateSettings(path=write_module),
    )
    point = EntryPoint(name="offering", value="offering:typed", group="inboxd")
    catalog = ExecutorCatalog(load_plugins(settings, installed=[point]).executors)

    (problem,) = catalog.input_problems("typed", {"whom": "Ada", "who": 1})
    assert (problem.path, problem.hint) == (("who",), 'did you mean "whom"?')
