"""`inboxd install` and `uninstall` in a real environment, with wheels that lie in a directory."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..docs.pages import ROOT, page
from .real_daemon import wait_until
from .wheels import executor_module, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..docs.pages import Block
    from .conftest import MakeDaemon

PAGE = page(ROOT / "docs" / "how-to" / "install-plugins.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment with inboxd in it, and a directory that pip finds wheels in."""

    prefix: Path
    #: Where its own packages are.
    site: Path
    wheels: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.prefix / "bin" / "python"

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command line of its inboxd, on an instance of its own."""
        own = {name: text for name, text in os.environ.items() if not name.startswith("INBOXD_")}
        return subprocess.run(
            [str(self.python), "-P", "-m", "inboxd", *arguments],
            cwd=self.home,
            env={
                **own,
                "HOME": str(self.home),
                "XDG_RUNTIME_DIR": str(self.home),
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(self.wheels),
                **variables,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """
    An environment in which pip, inboxd and what it stands on are those of the tests.

    They come by a path file: pip sees them, and cannot change them. Where the tests have no pip
    (uv makes such environments), it is installed, which takes seconds.
    """
    directory = tmp_path_factory.mktemp("environment")
    prefix, wheels, home = (directory / name for name in ("venv", "wheels", "home"))
    wheels.mkdir()
    home.mkdir()
    venv.create(prefix, with_pip=importlib.util.find_spec("pip") is None, symlinks=True)
    site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    paths = [sysconfig.get_path("purelib"), str(ROOT / "daemon")]
    (prefix / site / "of-the-tests.pth").write_text("\n".join(paths) + "\n")
    return Environment(prefix=prefix, site=prefix / site, wheels=wheels, home=home)


@pytest.fixture
def environment(bare: Environment) -> Environment:
    """The environment without what an earlier test put there."""
    for wheel in bare.wheels.glob("*.whl"):
        wheel.unlink()
    left = [path.name.partition("-")[0] for path in bare.site.glob("*.dist-info")]
    if names := [name for name in left if name not in {"pip", "setuptools"}]:
        command = [str(bare.python), "-I", "-m", "pip", "uninstall", "--yes", "--quiet", *names]
        subprocess.run(command, check=True, capture_output=True)
    return bare


def test_a_plugin_installed_while_the_daemon_runs_is_found_after_a_restart(
    environment: Environment, make_daemon: MakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(
        environment.wheels, "greeter", "1.0",
        {"greeter.py": executor_module("greet", "hello")}, plugin="greeter",
    )  # fmt: skip
    monkeypatch.setattr(sys, "executable", str(environment.python))
    daemon = make_daemon()
    daemon.start_and_wait()
    assert daemon.process is not None
    pid = daemon.process.pid

    done = environment.run("install", "greeter", XDG_RUNTIME_DIR=str(daemon.directory))
    daemon.drop("before.json", [{"id": "a", "executor": "greet"}])
    wait_until(lambda: daemon.receipt("before.json"), "the first file is answered")
    is_same = daemon.process.poll() is None
    daemon.stop()
    daemon.start_and_wait()
    daemon.drop("after.json", [{"id": "a", "executor": "greet"}])
    wait_until(lambda: daemon.result("after.json"), "the second tree ends")

    assert done.returncode == 0, done.stderr
    assert "installed  greeter 1.0\n" in done.stdout
    assert "new        executor greet\n" in done.stdout
    assert f"(pid {pid}) sees this after a restart" in done.stderr
    assert is_same
    assert (daemon.receipt("before.json") or {})["errors"][0]["code"] == "unknown_executor"
    assert (daemon.result("after.json") or {})["tasks"][0]["result"] == "hello"


def test_what_is_run_is_shown_and_only_data_is_on_stdout(environment: Environment) -> None:
    make_wheel(environment.wheels, "greeter", "1.0", {"greeter.py": ""})

    done = environment.run("install", "--json", "greeter")
    report = json.loads(done.stdout)

    assert f"+ {environment.python} -P -m pip --no-input install --constraint" in done.stderr
    assert "Successfully installed greeter-1.0" in done.stderr
    assert report["distributions"] == [{"name": "greeter", "before": None, "after": "1.0"}]
    assert (report["works"], report["exit_code"], done.returncode) == (True, 0, 0)


def test_an_upgrade_a_dry_run_and_a_removal_say_what_changed(environment: Environment) -> None:
    source = {"greeter.py": executor_module("greet", "hello")}
    make_wheel(environment.wheels, "greeter", "1.0", source, plugin="greeter")
    environment.run("install", "greeter==1.0")
    make_wheel(environment.wheels, "greeter", "1.1", source, plugin="greeter")

    same = environment.run("install", "greeter")
    dry = environment.run("install", "--upgrade", "--dry-run", "greeter")
    upgraded = environment.run("install", "--upgrade", "greeter")
    dry_removal = environment.run("uninstall", "--dry-run", "Greeter")
    removed = environment.run("uninstall", "Greeter")
    again = environment.run("uninstall", "greeter")

    assert same.stdout == "nothing changed\n"
    assert "Would install greeter-1.1" in dry.stderr
    assert upgraded.stdout == "changed    greeter 1.0 -> 1.1\n"
    assert dry_removal.stdout == "would remove greeter\n"
    assert removed.stdout == "removed    greeter 1.1\ngone       plugin greeter\n" + (
        "gone       executor greet\n"
    )
    assert (again.returncode, 'no package "greeter" is installed here' in again.stderr) == (3, True)


def test_a_plugin_that_is_broken_is_told_and_ends_with_one(environment: Environment) -> None:
    make_wheel(environment.wheels, "breaker", "1", {"breaker.py": "import nothing_of_that_name"},
               plugin="breaker")  # fmt: skip

    done = environment.run("install", "breaker")

    assert done.returncode == 1
    assert "broken     plugin breaker: " in done.stdout
    assert "nothing_of_that_name" in done.stdout


def test_what_would_change_what_inboxd_stands_on_beyond_its_bounds_is_refused_whole(
    environment: Environment,
) -> None:
    make_wheel(environment.wheels, "pluggy", "0.1", {"pluggy/__init__.py": ""})
    make_wheel(environment.wheels, "breaker", "1", {"breaker.py": ""}, requires=["pluggy<1"])

    done = environment.run("install", "breaker")

    assert done.returncode == 1
    assert done.stdout == "nothing changed\n"
    assert "pip ended with 1" in done.stderr


def test_when_inboxd_itself_broke_the_way_back_is_told_and_works(environment: Environment) -> None:
    # Within the bounds that Mako sets, yet of no use to it.
    make_wheel(environment.wheels, "MarkupSafe", "2.9", {"markupsafe/__init__.py": "broken = True"})
    make_wheel(environment.wheels, "breaker", "1", {"breaker.py": ""}, requires=["MarkupSafe==2.9"])

    done = environment.run("install", "breaker")
    back = [line.strip() for line in done.stderr.splitlines() if line.startswith("  /")]
    removal = next(line for line in back if " uninstall " in line)
    subprocess.run(removal.split(), check=True, capture_output=True)
    subprocess.run(
        [str(environment.python), "-I", "-m", "pip", "uninstall", "-y", "MarkupSafe"], check=True
    )
    after = environment.run("plugins")

    assert done.returncode == 1
    assert "inboxd itself no longer works: " in done.stderr
    assert "changed    MarkupSafe" in done.stdout
    assert removal.endswith("pip --no-input uninstall --yes -- breaker")
    assert any("install -- MarkupSafe==" in line for line in back)
    assert after.returncode == 0


def test_what_pip_cannot_find_ends_with_one(environment: Environment) -> None:
    done = environment.run("install", "no-such-package-anywhere")

    assert (done.returncode, done.stdout) == (1, "nothing changed\n")
    assert "No matching distribution found" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("install", "--", "--editable=x"), 2, "is an option of no package"),
        (("uninstall", "--", "-r"), 2, "is an option of no package"),
        (("install", "--no-such-option", "x"), 2, "No such option"),
        (("install",), 2, "Missing argument 'PKG...'"),
        (("install", " "), 2, "a package has a name"),
        (("uninstall", "a/b"), 2, "is no name of a package"),
        (("uninstall", "inboxd"), 5, "inboxd does not uninstall itself"),
        (("uninstall", "SQLAlchemy"), 5, "inboxd needs sqlalchemy"),
        (("uninstall", "markupsafe"), 5, "inboxd needs alembic needs Mako needs MarkupSafe"),
        (("uninstall", "pip"), 5, "it is what `inboxd install` runs"),
        (("uninstall", "inboxd-nothing"), 3, 'no package "inboxd-nothing" is installed here'),
    ],
)
def test_what_may_not_be_is_refused_before_anything_is_run(
    bare: Environment, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = bare.run(*arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert not any(line.startswith("+ ") for line in done.stderr.splitlines())


def test_a_pip_where_the_person_happens_to_be_is_not_run(environment: Environment) -> None:
    trap = environment.home / "pip.py"
    trap.write_text("raise SystemExit('trapped')")
    done = environment.run("install", "no-such-package-anywhere")
    trap.unlink()

    assert "trapped" not in done.stderr


def test_the_page_on_installing_is_followed_word_by_word(environment: Environment) -> None:
    source = {"inboxd_greeter.py": executor_module("greet", "hello")}
    blocks = iter(PAGE.blocks("sh", "text"))
    wanted: list[tuple[str, str]] = []
    printed: list[tuple[str, str]] = []
    for version, block in zip(("1.0", "1.0", "1.1", "1.1"), _commands(blocks), strict=True):
        if not any(version in wheel.name for wheel in environment.wheels.iterdir()):
            make_wheel(
                environment.wheels, "inboxd_greeter", version, source,
                plugin="greeter = inboxd_greeter", title="inboxd-greeter",
            )  # fmt: skip
        command, said = block
        done = environment.run(*command.split()[1:])
        assert done.returncode == 0, done.stderr
        if said:
            wanted.append(block)
            printed.append((command, done.stdout))

    assert printed == wanted
    assert len(wanted) == 3


def _commands(blocks: Iterator[Block]) -> Iterator[tuple[str, str]]:
    """Yield each command of the page with what it prints, "" where the page does not say."""
    command = None
    for block in blocks:
        if block.language == "sh":
            if command is not None:
                yield command, ""
            command = block.text.strip()
        elif command is not None:
            yield command, block.text
            command = None
    if command is not None:
        yield command, ""
