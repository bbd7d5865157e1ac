"""Completion: the scripts of the shells, and what a shell is offered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inboxd.cli.completion import FILES, script
from inboxd.cli.main import run_command_line

from ..store.build_store import StoreBuilder, TaskRow

_CHECKOUT = Path(__file__).parents[3]
_SCRIPTS = _CHECKOUT / "config" / "completion"


@pytest.mark.parametrize("shell", FILES)
def test_the_script_that_is_shipped_is_the_one_that_the_code_gives(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command_line(["completion", shell])

    assert (code, (_SCRIPTS / FILES[shell]).read_text()) == (0, capsys.readouterr().out)
    assert script(shell).startswith(("_inboxd", "#compdef inboxd", "function _inboxd"))


def test_bash_completes_with_the_script_that_is_shipped(
    store: StoreBuilder, state: Path, tmp_path: Path
) -> None:
    store.add_tree([TaskRow(id="fetch"), TaskRow(id="load")], name="nightly")
    bash = shutil.which("bash")
    assert bash is not None
    program = tmp_path / "inboxd"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m inboxd "$@"\n')
    program.chmod(0o755)
    lines = (
        f". {_SCRIPTS / FILES['bash']}\n"
        'ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=();'
        ' _inboxd_completion inboxd 2>/dev/null; echo "${COMPREPLY[*]}"; }\n'
        "ask inboxd pri\n"
        f"ask inboxd cancel --state {state} nightly/f\n"
    )

    done = subprocess.run(
        [bash, "--norc", "-c", lines],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert [done.stdout.splitlines()[0], done.stdout.splitlines()[-1]] == [
        "priority",
        "nightly/fetch",
    ]


@pytest.mark.parametrize(
    ("verb", "word", "expected"),
    [
        ("wait", "", ["@odd name", "nightly"]),
        ("cancel", "nightly/", ["nightly/fetch", "nightly/load"]),
        ("explain", "nig", ["nightly/"]),
        ("pause", "none", []),
        ("logs", "none/", []),
    ],
)
def test_trees_and_tasks_are_offered(
    verb: str, word: str, expected: list[str], store: StoreBuilder, state: Path
) -> None:
    from click.shell_completion import BashComplete

    from inboxd.cli.main import COMPLETE_VARIABLE, cli

    store.add_tree([TaskRow(id="fetch"), TaskRow(id="load")], name="nightly")
    odd = store.add_tree([TaskRow(id="a")], name="odd name; rm")

    completer = BashComplete(cli, {}, "inboxd", COMPLETE_VARIABLE)
    found = completer.get_completions([verb, "--state", str(state)], word)

    assert [item.value for item in found] == [
        odd[-8:] if name == "@odd name" else name for name in expected
    ]


def test_without_a_store_nothing_is_offered_and_nothing_said(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from click.shell_completion import BashComplete

    from inboxd.cli.main import COMPLETE_VARIABLE, cli

    completer = BashComplete(cli, {}, "inboxd", COMPLETE_VARIABLE)

    assert completer.get_completions(["show", "--state", str(state)], "n") == []
    assert capsys.readouterr() == ("", "")
