"""What is built holds what it must and nothing else, and works where it is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributions:
    """The files that one build made."""

    sdist: Path
    wheel: Path

    def sdist_names(self) -> set[str]:
        """Return the names in the sdist, below its one directory."""
        with tarfile.open(self.sdist) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}

    def wheel_names(self) -> set[str]:
        """Return the names in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The sdist of the checkout, and the wheel that is built from that sdist; offline."""
    directory = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, cwd=directory)
    (sdist,) = directory.glob("*.tar.gz")
    (wheel,) = directory.glob("*.whl")
    return Distributions(sdist=sdist, wheel=wheel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An environment of its own with the wheel in it, and nothing else of ours."""

    prefix: Path
    home: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in an empty directory."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        return subprocess.run(
            [str(self.prefix / "bin" / arguments[0]), *arguments[1:]],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(built: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """
    The wheel in a fresh environment.

    Nothing is fetched: what inboxd depends on, and pip where it is there, is taken from the
    environment of the tests, by a path file. Its own (editable) inboxd comes after the wheel's on
    the path and is not seen.
    """
    directory = tmp_path_factory.mktemp("installed")
    prefix, home = directory / "venv", directory / "home"
    home.mkdir()
    venv.create(prefix, with_pip=importlib.util.find_spec("pip") is None, symlinks=True)
    site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (prefix / site / "of-the-tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [str(prefix / "bin" / "python"), "-I", "-m", "pip", "--isolated", "install", "--quiet"]
    # The editable one counts as installed, but not as this one.
    options = ["--no-index", "--no-deps", "--disable-pip-version-check", "--ignore-installed"]
    subprocess.run(
        [*pip, *options, str(built.wheel)],
        check=True,
        env={"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull},
    )
    return Installed(prefix=prefix, home=home)


def test_the_wheel_has_every_module_of_the_package(built: Distributions) -> None:
    source = ROOT / "daemon" / "inboxd"
    modules = {
        str(path.relative_to(ROOT / "daemon"))
        for path in source.rglob("*.py")
        if "__pycache__" not in path.parts
    }

    assert modules - built.wheel_names() == set()
    assert "inboxd/py.typed" in built.wheel_names()


def test_the_wheel_has_nothing_of_ours_at_the_top_but_the_package(built: Distributions) -> None:
    tops = {name.partition("/")[0] for name in built.wheel_names()}

    assert tops == {"inboxd", f"inboxd-{VERSION}.dist-info", f"inboxd-{VERSION}.data"}


def test_the_wheel_ships_the_settings_and_the_schema(built: Distributions) -> None:
    shared = f"inboxd-{VERSION}.data/data/share/inboxd/config/"
    names = {name.removeprefix(shared) for name in built.wheel_names() if name.startswith(shared)}

    assert names == {"inboxd.toml", "task-array.schema.json"}


def test_the_wheel_ships_completion_where_each_shell_looks(built: Distributions) -> None:
    shared = f"inboxd-{VERSION}.data/data/share/"
    names = {name.removeprefix(shared) for name in built.wheel_names() if name.startswith(shared)}

    assert {
        "bash-completion/completions/inboxd",
        "zsh/site-functions/_inboxd",
        "fish/vendor_completions.d/inboxd.fish",
    } <= names


def test_the_wheel_names_its_entry_points(built: Distributions) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        text = archive.read(f"inboxd-{VERSION}.dist-info/entry_points.txt").decode()
    lines = {line for line in text.splitlines() if "=" in line}

    assert lines == {
        "inboxd = inboxd.cli.main:main",
        "command = inboxd.executors.command",
        "noop = inboxd.executors.noop",
        "notify = inboxd.notify.plugin:plugin",
        "programs = inboxd.executors.programs:plugin",
        "python = inboxd.executors.python",
    }


def test_the_sdist_has_all_that_a_checkout_needs(built: Distributions) -> None:
    names = built.sdist_names()
    needed = {
        *("Makefile", "constraints.txt", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"),
        *("CONTRIBUTING.md", ".ci/run", "config/dev.toml", "docs/index.md", "inbox/README.md"),
        *("inbox/examples/01-sequential-pipeline.json", "tests/conftest.py"),
    }

    assert needed - names == set()


def test_the_sdist_has_nothing_that_was_dropped_or_kept(built: Distributions) -> None:
    kept = {
        name
        for name in built.sdist_names()
        if name.startswith(("inbox/", ".inboxd/", ".venv/"))
        and not name.startswith(("inbox/examples", "inbox/README.md"))
    }

    assert kept <= {"inbox/"}


def test_no_top_level_directory_is_a_package() -> None:
    packages = [str(path.relative_to(ROOT)) for path in ROOT.glob("*/__init__.py")]

    assert packages == []


def test_the_installed_command_tells_its_version(installed: Installed) -> None:
    ended = installed.run("inboxd", "version", "--json")
    version = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stderr
    assert version["inboxd"] == VERSION


def test_the_installed_package_is_the_wheel_s(installed: Installed) -> None:
    ended = installed.run("python", "-c", "import inboxd; print(inboxd.__file__)")

    assert Path(ended.stdout).is_relative_to(installed.prefix), ended.stderr


def test_the_installed_daemon_finds_its_executors_and_runs_an_example(
    installed: Installed,
) -> None:
    inbox = installed.home / "inbox"
    inbox.mkdir(mode=0o755)
    example = ROOT / "inbox" / "examples" / "04-complex-workflow.json"
    (inbox / example.name).write_bytes(example.read_bytes())
    state = str(installed.home / "state")
    ended = installed.run(
        *("inboxd", "run", "--until-idle", "--inbox", str(inbox), "--state", state)
    )
    result = json.loads((inbox / "results" / f"{example.stem}.result.json").read_bytes())

    assert ended.returncode == 0, ended.stderr
    assert result["status"] == "completed"


def test_the_installed_schema_is_the_one_that_is_shipped(installed: Installed) -> None:
    ended = installed.run("inboxd", "schema", "--core")
    shipped = installed.prefix / "share" / "inboxd" / "config" / "task-array.schema.json"

    assert json.loads(ended.stdout) == json.loads(shipped.read_bytes())
