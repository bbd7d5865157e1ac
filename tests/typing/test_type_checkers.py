"""mypy and pyright, both strict, in a project of its own that uses the installed inboxd."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import inboxd

from ..docs.pages import ROOT, page

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SAMPLES = ("sample_plugin.py", "sample_api.py")

#: Programs with mistakes: a checker sees one in each line with a comment, and nowhere else.
WRONG = {
    "wrong_plugin.py": """
from typing import Any
from inboxd import Executor, TaskContext, executor

@executor("copy")
def copy(inputs: dict[str, Any], context: TaskContext) -> int:
    return context.atempt  # no such attribute

copy("a")  # not its arguments

@executor(copy)  # a name is wanted
def other(inputs: dict[str, Any], context: TaskContext) -> None: ...

class NoExecutor:
    name = "none"

offered: list[Executor] = [NoExecutor()]  # not what an executor has
""",
    "wrong_api.py": """
from inboxd import Session, Task, TaskCreator, TaskManager, TaskTreeNode, create_session, run_array

session = create_session(places="many")  # a number is wanted
create_session(place=4)  # no such setting
TaskManager()  # of which session?
run_array({"id": "a"})  # a list is wanted

def look(task: Task, tree: TaskTreeNode) -> None:
    task.priority = 1  # a handle only shows
    print(task.stauts)  # no such attribute
    tree.add_child(task)  # a node is wanted
    print(task.error.code)  # there may be none
    tree.tasks().append(task)  # an iterator

async def run(session: Session, tree: TaskTreeNode) -> None:
    manager = TaskManager(session)
    await manager.distribute_task_tree([tree])  # TaskTrees([tree])
    await manager.retry(tree, on_event=print_nothing)  # called with an event
    found: TaskTreeNode = await TaskCreator(session).create_task_trees_from_array([])  # several
    create = manager.task_repository.create_task
    await create(name="a", priority="high")  # a number is wanted
    await create(name="a", timout=3)  # no such field
    await manager.task_repository.list_tasks("failed")  # by keyword
    for event in manager.events(tree):  # async for
        print(found)

def print_nothing() -> None: ...
""",
}

#: Pages whose programs a reader takes over; without annotations, so they are read as such.
PAGES = (
    "tutorial/python-api.md",
    "how-to/task-trees-in-python.md",
    "how-to/keep-trees-in-a-file.md",
)
LENIENT = """
[mypy]
[mypy-{modules}]
check_untyped_defs = True
disallow_untyped_defs = False
disallow_incomplete_defs = False
disallow_untyped_calls = False
disallow_untyped_decorators = False
strict_optional = False
"""


def _programs_of_the_docs() -> Iterator[tuple[str, str]]:
    """Yield (name of a file, its text); `shop.py` under its own, which others import."""
    for name in PAGES:
        stem = re.sub(r"\W", "_", name)
        for block in page(ROOT / "docs" / name).blocks("python"):
            is_shop = "PRICES = {" in block.text
            yield ("shop.py" if is_shop else f"docs_{stem}_{block.line}.py"), block.text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory that is nobody's checkout."""
    for name in SAMPLES:
        shutil.copy(HERE / name, tmp_path / name)
    for name, text in WRONG.items():
        (tmp_path / name).write_text(text)
    modules: list[str] = []
    for name, text in _programs_of_the_docs():
        (tmp_path / name).write_text(text)
        modules.append(name.removesuffix(".py"))
    (tmp_path / "mypy.ini").write_text(LENIENT.format(modules=",".join(modules)))
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    return tmp_path


def _mypy(project: Path) -> tuple[set[tuple[str, int]], str]:
    """Return the files and lines with errors, and all that was said."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
            *(*SAMPLES, *WRONG, *(name for name, _ in _programs_of_the_docs())),
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line.split(":") for line in ended.stdout.splitlines() if ": error:" in line]
    return {(name, int(line)) for name, line, *_ in found}, ended.stdout + ended.stderr


def _pyright(project: Path) -> tuple[set[tuple[str, int]], str]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    ended = subprocess.run(
        [*command, *SAMPLES, *WRONG], cwd=project, capture_output=True, text=True, check=False
    )
    found = [
        (Path(one["file"]).name, int(one["range"]["start"]["line"]) + 1)
        for one in json.loads(ended.stdout)["generalDiagnostics"]
        if one["severity"] == "error"
    ]
    return set(found), ended.stdout + ended.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", [_mypy, _pyright])
def test_what_users_write_passes_and_their_mistakes_are_seen(
    check: object, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(check)
    # As the Makefile has it: the Node.js that comes with pyright, which fetches nothing.
    monkeypatch.setenv("PYRIGHT_PYTHON_GLOBAL_NODE", "0")
    monkeypatch.setenv("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")
    actual, said = check(project)

    expected = {
        (name, number)
        for name, text in WRONG.items()
        for number, line in enumerate(text.splitlines(), 1)
        if "  # " in line
    }
    assert actual == expected, said


def test_every_public_name_stands_in_a_sample() -> None:
    """What is pinned nowhere could change its type unseen."""
    texts = "".join((HERE / name).read_text() for name in SAMPLES)
    missing = [name for name in inboxd.__all__ if not re.search(rf"\b{name}\b", texts)]

    assert missing == []
