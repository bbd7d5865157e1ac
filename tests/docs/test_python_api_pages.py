"""The pages on the Python API beside its programs: reference, README, what a session starts."""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import inboxd
from inboxd import TaskContext, TaskCreator, TaskManager, create_session, executor, run_array
from inboxd.api.described import attributes, methods
from inboxd.api.reference import public_members, render, rendered_names
from inboxd.cli.main import cli

from .pages import ROOT, page
from .python_programs import run_program

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = page(ROOT / "docs" / "reference" / "python-api.md")
EXPLANATION = page(ROOT / "docs" / "explanation" / "python-api.md")
README = page(ROOT / "README.md")


def _names() -> list[tuple[str, Any]]:
    """Return what the reference describes, by name; what stands for several kinds is left out."""
    found = [(name, getattr(inboxd, name)) for name in rendered_names()]
    return [(name, what) for name, what in found if not isinstance(what, UnionType)]


def test_the_reference_is_current() -> None:
    assert REFERENCE.text == render(), "not current: run make docs"


def test_every_name_of_the_reference_says_what_it_is() -> None:
    silent = [name for name, what in _names() if not what.__doc__]
    for name, what in _names():
        if isinstance(what, type):
            chosen = public_members(name)
            silent += [
                f"{name}.{method}"
                for method, function in methods(what)
                if not function.__doc__ and (chosen is None or method in chosen)
            ]

    assert silent == []


def test_every_argument_is_described_where_others_are() -> None:
    """A docstring with `Args:` names all of them, or says so of the others, and nothing else."""
    wrong: list[str] = []
    for name, what in _names():
        functions = dict(methods(what)) if isinstance(what, type) else {"": what}
        for method, function in functions.items():
            text = re.search(
                r"^Args:\n(.*?)(?=^\S|\Z)", inspect.getdoc(function) or "", re.M | re.S
            )
            if text is None:
                continue
            said = set(re.findall(r"^ {4}\*{0,2}(\w+): ", text[1], re.MULTILINE))
            taken = set(inspect.signature(function).parameters) - {"self"}
            if not said <= taken or (said < taken and "this and the others" not in text[1]):
                wrong.append(f"{name}.{method}: {sorted(said ^ taken)}")

    assert wrong == []


def test_every_attribute_of_the_reference_says_what_it_is() -> None:
    kinds = {name: what for name, what in _names() if isinstance(what, type)}
    silent = [
        f"{name}.{each.name}"
        for name, kind in kinds.items()
        if not issubclass(kind, Enum)
        for each in attributes(kind)
        if not each.meaning and each.name != "exit_code"
    ]
    task = {each.name for each in attributes(inboxd.Task)}

    assert silent == []
    assert task >= {"status", "result", "error", "attempts", "start_seq"}


def test_the_program_of_the_readme_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = README.blocks("python")
    printed, _ = run_program(block.text, name=README.name, line=block.line)

    assert printed == "completed 8\n"
    assert f"It prints `{printed.strip()}`." in README.text


def test_the_verbs_read_a_kept_store_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (variable, url, command) = re.findall(
        r"`(INBOXD_STORE__URL)=(sqlite:\S+) inboxd ([^`]+)`", EXPLANATION.text
    )[0]
    monkeypatch.chdir(tmp_path)
    run_array([{"id": "a", "executor": "noop"}], name="kept", url="sqlite:///x.db")
    kept = {each.name for each in tmp_path.iterdir()}
    monkeypatch.setenv(variable, url.replace("/full/path", str(tmp_path)))
    listed = CliRunner().invoke(cli, command.split(), catch_exceptions=False)

    assert kept == {"x.db", "x.db.lock", "x.db.state"}
    assert listed.exit_code == 0
    assert re.search(r"completed +1/1 .* kept", listed.output)


def test_the_page_lists_the_threads_of_a_session() -> None:
    section = EXPLANATION.text.partition("\n## What a session starts\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    before = set(threading.enumerate())

    @executor("look-around")
    def look_around(inputs: dict[str, Any], context: TaskContext) -> None:
        found.update(
            re.sub(r"-\d+$", "-…", thread.name)
            for thread in threading.enumerate()
            # Those of the test's own event loop have nothing to do with it.
            if thread not in before and not thread.name.startswith("asyncio")
        )

    async def run() -> None:
        with create_session() as session:
            tree = await TaskCreator(session).create_task_trees_from_array(
                [
                    {"id": "first", "executor": "noop"},
                    {
                        "id": "second",
                        "executor": "look-around",
                        "inputs": {"said": "{{ tasks.first.result }}"},
                        "dependencies": ["first"],
                    },
                ]
            )
            await TaskManager(session).distribute_task_tree(tree)

    found: set[str] = set()
    asyncio.run(run())

    # One of worker processes there is only when an executor wants one.
    assert found == listed - {"worker"}
