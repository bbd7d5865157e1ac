"""What `install` and `uninstall` decide before and after they run anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.cli.packages.environment import Installer, find_installer, refuse_unless_writable
from inboxd.cli.packages.needed import needs_of, project_of
from inboxd.cli.packages.restarting import concerned, restart_command, restart_lines
from inboxd.cli.packages.snapshot import Change, Snapshot, changes
from inboxd.errors import PackagesRefused
from inboxd.registry import RunningInstance, running_instances

if TYPE_CHECKING:
    from collections.abc import Sequence


REQUIRES: dict[str, Sequence[str]] = {
    "inboxd": ["A-b>=1,<2", 'C (>=3) ; python_version >= "3.11"', 'D; extra == "testing"'],
    "A-b": ["e[fast]>=5", "inboxd"],
    "C": ["F @ https://example.org/f.zip"],
    "e": [],
    "F": [],
    "D": [],
}


def test_all_that_is_needed_is_found_with_the_chain_down_to_it() -> None:
    needs = needs_of("inboxd", REQUIRES.get)

    assert needs.chains == {
        "inboxd": ("inboxd",),
        "a-b": ("inboxd", "A-b"),
        "c": ("inboxd", "C"),
        "e": ("inboxd", "A-b", "e"),
        "f": ("inboxd", "C", "F"),
    }


def test_constraints_are_versions_without_extras_and_addresses() -> None:
    needs = needs_of("inboxd", REQUIRES.get)

    assert needs.constraints == ("A-b>=1,<2", 'C>=3; python_version >= "3.11"', "e>=5")


def test_what_is_not_installed_is_not_needed() -> None:
    needs = needs_of("inboxd", {"inboxd": ["a>=1"]}.get)

    assert needs.chains.keys() == {"inboxd"}


@pytest.mark.parametrize(
    ("word", "project"),
    [
        ("inboxd", "inboxd"),
        ("Inboxd[testing]==2", "inboxd"),
        ("inboxd>=1,<2", "inboxd"),
        ("inboxd_http", "inboxd-http"),
        ("dist/inboxd-0.2.0-py3-none-any.whl", "inboxd"),
        ("dist/inboxd_http-0.2.0-py3-none-any.whl", "inboxd-http"),
        ("inboxd @ https://example.org/inboxd.zip", "inboxd"),
        ("./inboxd", None),
        (".", None),
        ("git+https://example.org/x", None),
    ],
)
def test_the_project_that_a_word_names_is_known(word: str, project: str | None) -> None:
    assert project_of(word) == project


def test_names_come_after_a_mark_so_that_none_is_an_option() -> None:
    pip = Installer(name="pip", program=("python", "-m", "pip"))
    uv = Installer(name="uv", program=("uv", "pip"), target=("--python", "python"))

    assert pip.install(["a"], options=["--upgrade"]) == [
        *("python", "-m", "pip", "install", "--upgrade", "--", "a")
    ]
    assert pip.uninstall(["a"]) == ["python", "-m", "pip", "uninstall", "--yes", "--", "a"]
    assert uv.uninstall(["a"]) == ["uv", "pip", "uninstall", "--python", "python", "--", "a"]


def test_an_environment_of_the_operating_system_is_refused_with_the_way_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "EXTERNALLY-MANAGED").write_text("[externally-managed]\n")

    with pytest.raises(PackagesRefused, match=r"managed by the operating system.*-m venv DIR"):
        refuse_unless_writable(library=tmp_path, site=tmp_path, is_venv=False)


def test_a_virtual_environment_of_such_a_python_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "EXTERNALLY-MANAGED").write_text("[externally-managed]\n")

    refuse_unless_writable(library=tmp_path, site=tmp_path, is_venv=True)


def test_an_environment_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackagesRefused, match="you may not write to"):
        refuse_unless_writable(site=tmp_path / "gone")


def test_uv_is_taken_where_the_environment_has_no_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))

    found = find_installer(has_pip=False)

    assert found.program == (str(uv), "pip")
    assert found.target == ("--python", sys.executable)


def test_without_pip_and_uv_it_is_said_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PackagesRefused, match=r"has no pip.*-m ensurepip"):
        find_installer(has_pip=False)


def test_distributions_that_came_went_and_changed_are_told_apart() -> None:
    before = Snapshot(distributions={"a": "1", "B_c": "1", "same": "1"})
    after = Snapshot(distributions={"b-c": "2", "d": "1", "same": "1"})

    assert changes(before, after) == [
        Change(name="a", before="1", after=None),
        Change(name="b-c", before="1", after="2"),
        Change(name="d", before=None, after="1"),
    ]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("0::/system.slice/inboxd.service\n", "systemctl restart inboxd.service"),
        ("0::/system.slice/inboxd@a.service\n", "systemctl restart inboxd@a.service"),
        (
            "0::/user.slice/user-1.slice/user@1.service/app.slice/inboxd.service\n",
            "systemctl --user restart inboxd.service",
        ),
        ("0::/system.slice/ssh.service\n", None),
        ("0::/\n", None),
        ("", None),
    ],
)
def test_the_command_that_restarts_is_that_of_its_unit(group: str, expected: str | None) -> None:
    assert restart_command(group) == expected


def test_nothing_is_said_of_daemons_where_none_runs(tmp_path: Path) -> None:
    of_user, _ = running_instances({"XDG_RUNTIME_DIR": str(tmp_path)}, system=tmp_path / "none")

    assert restart_lines(of_user) == []


def test_only_daemons_of_this_environment_and_of_the_instance_that_is_meant_are_named() -> None:
    def running(state: str, environment: str | None) -> RunningInstance:
        return RunningInstance(
            state=Path(state),
            inbox=Path("/in"),
            store_url="sqlite://",
            config=None,
            pid=1,
            started_at="",
            version="1",
            environment=None if environment is None else Path(environment),
        )

    ours, older, other = running("/a", "/env"), running("/b", None), running("/c", "/else")

    assert concerned([ours, older, other], environment=Path("/env")) == [ours, older]
    assert concerned([ours, older], environment=Path("/env"), state=Path("/a")) == [ours]
