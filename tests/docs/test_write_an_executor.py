"""The tutorial on executors is followed word by word in a fresh environment."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .pages import ROOT, page
from .test_tutorial import commands, matches

if TYPE_CHECKING:
    from collections.abc import Iterator

TUTORIAL = page(ROOT / "docs" / "tutorial" / "write-an-executor.md")

#: What the tests have installed of this checkout, which must not stand in for what is built here.
_OURS = re.compile(r"_*inboxd|.*\.pth$|__pycache__$")


class Shell:
    """One bash whose commands are given line by line, as to a terminal."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> str:
        """Run a line and return what it wrote; fail when it failed."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{{ {command} ; }} </dev/null; printf '\\n<%d>\\n' $?\n")
        self._bash.stdin.flush()
        lines: list[str] = []
        while (end := re.fullmatch(r"<(\d+)>\n", line := self._bash.stdout.readline())) is None:
            assert line, f"$ {command}: the shell ended\n{''.join(lines)}"
            lines.append(line)
        output = "".join(lines)[:-1]
        expected = {"inboxd validate typo.json": "4"}.get(command, "0")

        assert end[1] == expected, f"$ {command}\n{output}"
        return output

    def end(self) -> None:
        self._bash.communicate(timeout=30)


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    """What inboxd depends on, from the environment of the tests, and nothing of this checkout."""
    directory = tmp_path / "libraries"
    directory.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not _OURS.match(entry.name):
            (directory / entry.name).symlink_to(entry)
    return directory


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in an empty directory; packages come from the wheel of this checkout alone."""
    wheels, home = tmp_path / "wheels", tmp_path / "home"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    home.mkdir(mode=0o700)
    shell = Shell(
        home,
        {
            "PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_INDEX": "1",
            # The backend is among the libraries; nothing is fetched.
            "PIP_NO_BUILD_ISOLATION": "0",
        },
    )
    yield shell
    shell.end()


def _steps() -> Iterator[tuple[str, str, str]]:
    """Yield ("file", name, text) and ("command", line, output) in the order of the page."""
    for block in TUTORIAL.blocks("toml", "python", "json", "console"):
        if block.language == "console":
            yield from (("command", command, output) for command, output in commands(block))
        else:
            before = "\n".join(TUTORIAL.text.splitlines()[: block.line - 1])
            yield "file", re.findall(r"`([a-z_/]+\.(?:toml|py|json))`", before)[-1], block.text


@pytest.mark.timeout(300)
def test_the_tutorial_can_be_followed(shell: Shell, libraries: Path, tmp_path: Path) -> None:
    project = tmp_path / "home" / "words"
    for kind, name, text in _steps():
        if kind == "file":
            (project / name).write_text(text)
            continue
        actual = shell.run(name)

        assert matches(actual, text), f"$ {name}\n{actual}\n--- the page shows\n{text}"
        if name.startswith("python3 -m venv"):
            (site,) = (project / ".venv" / "lib").glob("python3*/site-packages")
            (site / "of-the-tests.pth").write_text(f"{libraries}\n")


def test_it_is_as_short_as_it_says() -> None:
    steps = list(_steps())
    files = [name for kind, name, _ in steps if kind == "file" and not name.endswith(".json")]
    typed = [name for kind, name, _ in steps if kind == "command"]

    assert (len(files), len(typed)) == (4, 15)
    assert "a project of four files, fifteen\ncommands" in TUTORIAL.text
