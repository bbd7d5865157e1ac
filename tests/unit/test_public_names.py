"""`from inboxd import …`: every public name is there, and nothing is loaded before it is asked."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import inboxd


def test_every_public_name_is_there_and_listed() -> None:
    missing = [name for name in inboxd.__all__ if not hasattr(inboxd, name)]

    assert missing == []
    assert set(inboxd.__all__) <= set(dir(inboxd))
    assert sorted(inboxd.__all__) == sorted(set(inboxd.__all__))


def test_type_checkers_see_what_python_finds() -> None:
    tree = ast.parse(Path(inboxd.__file__).read_text())
    imports = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("inboxd.")
        for alias in node.names
    }
    imports.pop("__version__")

    assert imports == inboxd._MODULES


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'inboxd' has no attribute 'exekutor'"):
        getattr(inboxd, "exekutor")  # noqa: B009 - the checkers know that it is not there


def test_the_import_alone_loads_nothing_of_ours_and_no_library() -> None:
    program = "import inboxd, sys; print(*sorted(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = ended.stdout.split()
    libraries = {"msgspec", "jsonschema_rs", "pluggy", "click", "sqlalchemy", "asyncio"}

    assert [name for name in loaded if name.split(".")[0] == "inboxd"] == ["inboxd"]
    assert libraries & set(loaded) == set()
