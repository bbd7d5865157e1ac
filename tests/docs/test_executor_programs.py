"""The programs of the how-to, as they stand there, under a real daemon."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.config.load import load_settings
from inboxd.plugins.manager import load_plugins

from ..acceptance.real_daemon import RealDaemon
from .pages import ROOT, page

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = page(ROOT / "docs" / "how-to" / "executor-in-any-language.md")
PROTOCOL = page(ROOT / "docs" / "reference" / "executor-protocol.md")

[BASH] = PAGE.blocks("bash")
[PYTHON] = PAGE.blocks("python")
[NODE] = PAGE.blocks("js")
DESCRIPTION, TASKS = PAGE.blocks("json")
[BY_HAND] = PAGE.blocks("sh")

NEEDS_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    directory = tmp_path / "executors"
    directory.mkdir(mode=0o755)
    texts = {"disk-free": BASH.text, "checksum.py": PYTHON.text, "slug.mjs": NODE.text}
    for name, text in texts.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    (directory / "disk-free.json").write_text(DESCRIPTION.text)
    (directory / "disk-free.json").chmod(0o644)
    return directory


@pytest.fixture
def daemon(tmp_path: Path, programs: Path) -> Iterator[RealDaemon]:
    daemon = RealDaemon(tmp_path, plugins__directory=programs)
    yield daemon
    daemon.end()


def ran(daemon: RealDaemon, tasks: object) -> dict[str, dict[str, Any]]:
    """Run tasks until nothing is left, and return each by its id."""
    daemon.drop("tasks.json", tasks)
    daemon.run_until_idle()
    result = daemon.result("tasks.json")
    assert result is not None, daemon.receipt("tasks.json")
    return {task["id"]: task for task in result["tasks"]}


def test_bash_and_python_do_what_the_page_says(daemon: RealDaemon) -> None:
    tasks = [task for task in json.loads(TASKS.text) if task["executor"] != "slug.mjs"]

    done = ran(daemon, tasks)

    assert done["free"]["result"]["free"] > 0
    assert done["sum"]["result"] == {
        "sha256": hashlib.sha256(b"hello").hexdigest(),
        "bytes": 5,
    }


@NEEDS_NODE
def test_node_does_what_the_page_says(daemon: RealDaemon) -> None:
    tasks = [task for task in json.loads(TASKS.text) if task["executor"] == "slug.mjs"]
    wrong = {"id": "wrong", "executor": "slug.mjs", "inputs": {"title": 1}, "retry": 3}

    done = ran(daemon, [*tasks, wrong])

    assert done["name"]["result"] == {"slug": "creme-brulee-twice"}
    assert (done["wrong"]["attempts"], done["wrong"]["error"]["message"]) == (
        1,
        "inputs.title must be text",
    )


def test_what_does_not_fit_the_schema_beside_the_program_is_refused(daemon: RealDaemon) -> None:
    daemon.drop("tasks.json", [{"id": "a", "executor": "disk-free", "inputs": {"path": 'x"'}}])

    assert daemon.run_until_idle() == 1

    errors = (daemon.receipt("tasks.json") or {})["errors"]
    assert [(one["code"], one["pointer"]) for one in errors] == [
        ("invalid_inputs", "/0/inputs/path")
    ]


def test_errors_of_the_programs_say_whether_to_try_again(daemon: RealDaemon) -> None:
    done = ran(
        daemon,
        [
            {"id": "a", "executor": "disk-free", "inputs": {"path": "/no/such"}, "retry": 3},
            {"id": "b", "executor": "checksum.py", "inputs": {"file": "none"}},
        ],
    )

    assert (done["a"]["attempts"], done["a"]["error"]["message"]) == (1, "df cannot look at it")
    assert done["b"]["error"]["message"] == "none is not there yet"


def test_a_program_is_tried_by_hand(programs: Path) -> None:
    said = subprocess.run(
        ["sh", "-ec", BY_HAND.text], cwd=programs, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert [next(iter(json.loads(line))) for line in said] == ["progress", "result"]


@pytest.mark.parametrize("text", [block.text for block in PAGE.blocks("toml")])
def test_the_settings_of_the_how_to_can_be_used(tmp_path: Path, text: str) -> None:
    config = tmp_path / "inboxd.toml"
    config.write_text(text)

    plugins = load_plugins(load_settings(config=config, environ={"HOME": str(tmp_path)}))

    assert (plugins.broken, plugins.problems) == ((), ())


@pytest.mark.parametrize("text", [block.text for block in PROTOCOL.blocks("toml")])
def test_the_settings_of_the_reference_can_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "resize.schema.json").write_text('{"type": "object"}')
    config = tmp_path / "inboxd.toml"
    config.write_text(text)

    plugins = load_plugins(load_settings(config=config, environ={"HOME": str(tmp_path)}))

    assert (plugins.broken, plugins.problems) == ((), ())
