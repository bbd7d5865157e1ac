"""The tutorial is followed to the letter: its files are written, its commands run and compared."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from .pages import ROOT, Block, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TUTORIAL = page(ROOT / "docs" / "tutorial" / "first-tree.md")

#: What differs from run to run, and what stands for it on both sides of the comparison.
VARYING = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<tree id>"),
    (r"\b[0-9a-f]{8}\b", "<short id>"),
    (r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?Z?", "<time>"),
    (r"\b\d{2}:\d{2}:\d{2}\b", "<time>"),
    (r"\b\d+(?:\.\d+)? ?m?s\b", "<duration>"),
    # Columns are as wide as what stands in them.
    (r" {2,}", "  "),
    (r" +$", ""),
    (r"─+", "─"),
)

#: Commands that only look, and so are run again until they show what the page shows.
LOOKING = re.compile(r"(?:ls|cat|python -m json\.tool|inboxd (?:list|show|tree|logs))\b")
LONGEST_WAIT_SECONDS = 60.0


def comparable(text: str) -> str:
    """Return output without what differs from run to run."""
    for pattern, stands_for in VARYING:
        text = re.sub(pattern, stands_for, text, flags=re.MULTILINE)
    return text.strip("\n")


def matches(actual: str, expected: str) -> bool:
    """Whether output is as the page shows it; there `…` stands for anything."""
    parts = (re.escape(part) for part in comparable(expected).split("…"))
    return re.fullmatch(".*".join(parts), comparable(actual), re.DOTALL) is not None


def commands(block: Block) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output that the page shows."""
    pieces = re.split(r"^\$ (.+)\n", block.text, flags=re.MULTILINE)

    assert pieces[0] == "", "a console block begins with a command"
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


def steps() -> Iterator[tuple[str, str, str]]:
    """Yield ("file", name, text) and ("command", line, output) in the order of the page."""
    for block in TUTORIAL.blocks("json", "console"):
        if block.language == "json":
            before = "\n".join(TUTORIAL.text.splitlines()[: block.line - 1])
            name = re.findall(r"`([a-z-]+\.json)`", before)[-1]
            yield "file", name, block.text
        else:
            yield from (("command", command, output) for command, output in commands(block))


class Terminal:
    """A shell in a directory that looks like the checkout."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "inbox").mkdir(mode=0o755)
        (directory / "config").mkdir()
        (directory / "runtime").mkdir(mode=0o700)
        shutil.copy(ROOT / "config" / "dev.toml", directory / "config")
        activate = directory / ".venv" / "bin" / "activate"
        activate.parent.mkdir(parents=True)
        activate.write_text(f'PATH="{os.path.dirname(sys.executable)}:$PATH"\n')  # noqa: PTH120 - not resolved
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "XDG_RUNTIME_DIR": str(directory / "runtime"),
        }

    def start_daemon(self) -> subprocess.Popen[bytes]:
        """Start what `make run` starts."""
        with (self.directory / "daemon.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "inboxd", "run", "--config", "config/dev.toml"],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def run(self, command: str) -> str:
        """Run one line of the page; return stdout and stderr as they come to a terminal."""
        ended = subprocess.run(
            ["bash", "-c", f". .venv/bin/activate; {command}"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.stdout

    def shows(self, command: str, expected: str) -> str:
        """Run a line, one that only looks again and again, until it shows what is expected."""
        limit = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            actual = self.run(command)
            if matches(actual, expected) or not LOOKING.match(command) or time.monotonic() >= limit:
                return actual


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal beside one in which `make run` runs, which is ended by Ctrl-C at last."""
    terminal = Terminal(tmp_path)
    daemon = terminal.start_daemon()
    yield terminal
    daemon.send_signal(signal.SIGINT)
    try:
        status = daemon.wait(timeout=30)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
        raise

    assert status == 0, (tmp_path / "daemon.log").read_text()


def test_the_tutorial_can_be_followed(terminal: Terminal) -> None:
    for kind, name, text in steps():
        if kind == "file":
            (terminal.directory / name).write_text(text)
            continue
        actual = terminal.shows(name, text)

        assert matches(actual, text), f"$ {name}\n{actual}\n--- the page shows\n{text}"


def test_output_that_differs_is_told() -> None:
    page_shows = "coffee  completed  0.3 s\n"

    assert matches("coffee   completed   1.25 s\n", page_shows)
    assert not matches("coffee  failed  0.3 s\n", page_shows)
