"""Where another process imports an executor of this one from."""

from __future__ import annotations

import importlib
import re
import sys
import types
from typing import TYPE_CHECKING, Any, cast

import pytest

from inboxd.errors import PluginError
from inboxd.plugins.decorator import executor
from inboxd.plugins.importable import importable_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inboxd.plugins.protocol import Executor

_MODULE = """
from inboxd import executor

@executor("importable.function", isolation="process")
def function(inputs, context):
    return 1

@executor("importable.class", isolation="process")
class Kind:
    def execute(self, inputs, context):
        return 1

class Holder:
    @executor("importable.inner", isolation="process")
    def inner(inputs, context):
        return 1

class Plain:
    name, description, inputs_schema, isolation = "plain", "Plain.", None, "process"
    def execute(self, inputs, context):
        return 1

plain = Plain()

alias = executor("importable.lambda", isolation="process")(lambda inputs, context: 1)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "importable_here.py").write_text(_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "importable_here", raising=False)
    return importlib.import_module("importable_here")


@pytest.mark.parametrize("name", ["function", "Kind", "Holder.inner", "plain", "alias"])
def test_it_is_named_as_it_stands_in_its_module(module: Any, name: str) -> None:
    found = module
    for part in name.split("."):
        found = getattr(found, part)

    assert importable_value(found) == f"importable_here:{name}"


def _refused(one: object, *, because: str) -> None:
    with pytest.raises(PluginError, match=re.escape(because)) as raised:
        importable_value(cast("Executor", one))

    assert "cannot run in a worker process" in str(raised.value)
    assert "a module of its own" in str(raised.value)
    assert 'isolation="thread"' in str(raised.value)


def test_what_is_in_a_function_is_refused() -> None:
    @executor("importable.local", isolation="process")
    def local(inputs: dict[str, Any], context: object) -> int:
        return 1

    _refused(local, because="it is defined inside a function, as ")


def test_what_has_another_name_by_now_is_refused(module: Any) -> None:
    one, module.function = module.function, module.plain

    _refused(one, because="function in importable_here is something else by now")


def test_what_is_gone_from_its_module_is_refused(module: Any) -> None:
    one = module.function
    del module.function

    _refused(one, because="importable_here has no function")


def test_a_module_that_is_no_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType("importable_made")
    monkeypatch.setitem(sys.modules, "importable_made", made)
    exec(_MODULE, made.__dict__)  # noqa: S102 - as a notebook does

    _refused(made.function, because="its module importable_made was not imported from a file")


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        ({"__file__": "/home/u/script.py"}, "it is defined in the script that was started"),
        ({}, "it is defined in an interactive session"),
    ],
)
def test_what_is_in_main_is_refused(
    monkeypatch: pytest.MonkeyPatch, facts: Mapping[str, str], because: str
) -> None:
    made = types.ModuleType("__main__")
    vars(made).update(facts)
    monkeypatch.setitem(sys.modules, "__main__", made)
    exec(_MODULE, made.__dict__)  # noqa: S102 - as an interpreter does

    _refused(vars(made)["function"], because=because)
