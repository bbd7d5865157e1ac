"""What is checked in names no machine, and keeps its promises about files."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(ROOT.glob("plugins/*/pyproject.toml"))

#: Put together here, so that this file does not hold what it looks for.
REGISTRIES = ("pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "deb." + "debian")
INSTALLER_OPTIONS = ("index" + "-url", "find" + "-links", "trusted" + "-host")
MACHINE_PATHS = re.compile(r"(?<![\w.~])/(?:work|root)/")


def tracked_files() -> list[Path]:
    """Return the files that git tracks; skip where the checkout is an unpacked sdist."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    return [path for name in names if (path := ROOT / name).is_file()]


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    found: list[str] = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", "replace")
        for word in (*REGISTRIES, *INSTALLER_OPTIONS):
            if word in text:
                found.append(f"{path.relative_to(ROOT)}: {word}")
        found += (f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE_PATHS.finditer(text))

    assert found == []


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    other = [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)]

    assert other == []
    assert pins == sorted(pins, key=lambda pin: normal(pin.partition("==")[0]))


def test_everything_that_is_asked_for_is_pinned() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]
    for plugin in PLUGINS:
        asked += tomllib.loads(plugin.read_text())["project"]["dependencies"]
    names = {normal(re.split(r"[\[<>=;! ]", requirement)[0]) for requirement in asked}
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {normal(line.partition("==")[0]) for line in pins}

    assert names - pinned - {"inboxd"} == set()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.parent.name)
def test_a_plugin_goes_in_step_with_inboxd(plugin: Path) -> None:
    project = tomllib.loads(plugin.read_text())["project"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    major, minor, _ = version.split(".")
    of_inboxd = next(one for one in project["dependencies"] if one.startswith("inboxd>"))

    assert project["version"] == version
    assert of_inboxd == f"inboxd>={major}.{minor},<{major}.{int(minor) + 1}"


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.parent.name)
def test_a_plugin_has_what_a_distribution_needs(plugin: Path) -> None:
    root = plugin.parent
    package = root / "src" / root.name.replace("-", "_")

    assert (root / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (root / "README.md").read_text().startswith(f"# {root.name}\n")
    assert (package / "py.typed").is_file()
    assert list((root / "tests").glob("test_*.py"))


def normal(name: str) -> str:
    """Return a distribution's name in the one form in which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_git_ignores_what_is_dropped_but_not_the_examples() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    names = ["inbox/dropped.json", "inbox/accepted/dropped.json", ".inboxd/inboxd.db"]
    kept = ["inbox/examples/new.json", "inbox/examples/invalid/new.json", "inbox/README.md"]
    ended = subprocess.run(
        ["git", "check-ignore", "--no-index", *names, *kept],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout.split() == names


@pytest.mark.parametrize("name", [".ci/run"])
def test_a_script_can_be_run(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


def test_hooks_use_the_tools_of_the_environment_only() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    repositories = re.findall(r"^ *- repo: (.+)$", text, re.MULTILINE)
    languages = set(re.findall(r"^ *language: (.+)$", text, re.MULTILINE))

    assert (repositories, languages) == (["local"], {"system"})
