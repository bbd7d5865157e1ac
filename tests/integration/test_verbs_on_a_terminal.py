"""The verbs that look, on a real terminal: as wide as it is, in colour unless NO_COLOR says so."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from inboxd.running.logs import attempt_log_paths
from inboxd.store.tables import TaskState

from ..unit.store.build_store import NOON, StoreBuilder, TaskRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    OnTerminal = Callable[..., str]

COLUMNS = 60
STYLE = re.compile(r"\x1b\[[0-9;]*m")
COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-7]|9[0-7])m")


@pytest.fixture
def on_terminal(tmp_path: Path) -> OnTerminal:
    """Give a function that runs a verb on a terminal of 60 columns and returns what it shows."""
    builder = StoreBuilder(tmp_path)
    tree = builder.add_tree(
        [
            TaskRow(id="first"),
            TaskRow(
                id="second",
                parent=0,
                state=TaskState.FAILED,
                columns={"error": '{"code":"exception","message":"' + "a long story " * 20 + '"}'},
            ),
        ],
        name="evil \x1b[2J\u202e",
        file_name=b"x" * 200,
        started_at=NOON,
    )
    builder.close()
    out, _ = attempt_log_paths(tmp_path, tree, 0, 1)
    out.parent.mkdir(parents=True)
    out.write_bytes(b"\x1b]52;c;aGk=\x07 said\n")

    def run(*arguments: str, **environ: str) -> str:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, COLUMNS))
        given = {
            name: value
            for name, value in os.environ.items()
            if name not in {"NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE"}
        }
        places = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, "-m", "inboxd", *arguments, "--state", str(tmp_path)],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={**given, **places, "TERM": "xterm-256color", **environ},
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:  # EIO: the other end is closed
            pass
        finally:
            os.close(ours)
        assert process.wait(timeout=60) == 0
        return shown.decode()

    return run


@pytest.mark.parametrize("verb", [["list"], ["tree", "@"], ["show", "@"], ["show", "@/second"]])
def test_no_line_is_wider_than_the_terminal(on_terminal: OnTerminal, verb: list[str]) -> None:
    shown = on_terminal(*verb)
    lines = STYLE.sub("", shown).splitlines()

    assert max(map(len, lines)) <= COLUMNS
    assert COLOUR.search(shown)
    assert not {"\x1b", "\u202e"} & set("".join(lines))


def test_no_color_takes_the_colours_away(on_terminal: OnTerminal) -> None:
    assert COLOUR.search(on_terminal("tree", "@", NO_COLOR="1")) is None


def test_a_log_is_shown_not_sent(on_terminal: OnTerminal) -> None:
    assert on_terminal("logs", "@/first") == "\\x1b]52;c;aGk=\\x07 said\r\n"


def test_json_is_shown_without_what_acts_on_the_terminal(on_terminal: OnTerminal) -> None:
    shown = on_terminal("list", "--json")

    assert not {"\x1b", "\u202e"} & set(shown)
    assert "\\u202e" in shown
