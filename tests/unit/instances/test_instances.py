"""Which instances run, and which one a command is about."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inboxd.config.load import load_settings
from inboxd.config.settings import Settings
from inboxd.errors import AmbiguousReference, ConfigurationError
from inboxd.instances import Instance, find_instance
from inboxd.registry import register, registry_directory, running_instances
from inboxd.state_lock import StateLock


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user who is alone on the machine."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    return {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(runtime)}


@contextmanager
def running(
    environ: dict[str, str], *, config: Path | None = None, **overrides: str
) -> Generator[Settings]:
    """Run what a daemon does to be found; overrides as in `inbox_path="x"`."""
    settings = load_settings(
        config=config,
        overrides={name.replace("_", "."): text for name, text in overrides.items()},
        environ=environ,
        cwd=Path("/"),
    )
    with StateLock.acquire(settings.state.path):
        registration = register(settings, version="1.2.3", environ=environ)
        assert registration.problem is None
        yield settings
        registration.remove()


def find(
    environ: dict[str, str],
    tmp_path: Path,
    *,
    config: Path | None = None,
    state: Path | None = None,
) -> Instance:
    return find_instance(
        config=config, state=state, environ=environ, cwd=tmp_path, system=tmp_path / "system"
    )


def test_a_running_instance_says_where_it_is(environ: dict[str, str], tmp_path: Path) -> None:
    with running(environ, state_path=f"{tmp_path}/s", inbox_path=f"{tmp_path}/i"):
        (entry,), system = running_instances(environ, system=tmp_path / "system")

    assert (tmp_path / "s", tmp_path / "i", f"sqlite:///{tmp_path}/s/inboxd.db") == (
        entry.state,
        entry.inbox,
        entry.store_url,
    )
    config = tmp_path / "home/.config/inboxd/inboxd.toml"
    assert (os.getpid(), "1.2.3", config, []) == (entry.pid, entry.version, entry.config, system)


def test_the_registry_is_for_its_user_alone(environ: dict[str, str], tmp_path: Path) -> None:
    with running(environ, state_path=f"{tmp_path}/s"):
        directory = registry_directory(environ)
        mode = stat.S_IMODE(directory.stat().st_mode)
        names = [path.name for path in directory.iterdir()]

    assert (mode, len(names), list(directory.iterdir())) == (0o700, 1, [])


@pytest.mark.parametrize(
    ("environ", "directory"),
    [
        ({"RUNTIME_DIRECTORY": "/run/inboxd:/x", "XDG_RUNTIME_DIR": "/y"}, "/run/inboxd"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/inboxd"),
        ({"XDG_RUNTIME_DIR": "relative"}, f"/tmp/inboxd-{os.geteuid()}"),  # noqa: S108
        ({}, f"/tmp/inboxd-{os.geteuid()}"),  # noqa: S108
    ],
)
def test_the_registry_lies_in_the_runtime_directory_or_in_tmp(
    environ: dict[str, str], directory: str
) -> None:
    actual = registry_directory(environ)

    assert Path(directory) == actual


def test_an_entry_whose_lock_is_free_is_stale_and_removed(
    environ: dict[str, str], tmp_path: Path
) -> None:
    settings = load_settings(environ={**environ, "INBOXD_STATE__PATH": f"{tmp_path}/s"})
    StateLock.acquire(settings.state.path).release()
    register(settings, version="1", environ=environ)

    found = running_instances(environ, system=tmp_path / "system")

    assert (found, list(registry_directory(environ).iterdir())) == (([], []), [])


def test_what_is_no_entry_is_passed_over_and_left_alone(
    environ: dict[str, str], tmp_path: Path
) -> None:
    directory = registry_directory(environ)
    directory.mkdir(mode=0o700)
    (directory / "a.instance.json").write_text("{")
    (directory / "b.instance.json").write_text("[]")
    (directory / "c.instance.json").write_text('{"state": 1}')
    (directory / "d.instance.json").mkdir()
    os.mkfifo(directory / "e.instance.json")
    (directory / "f.instance.json").symlink_to("/etc/passwd")

    found = running_instances(environ, system=tmp_path / "system")

    assert (found, len(list(directory.iterdir()))) == (([], []), 6)


def test_a_registry_that_others_may_write_to_is_not_believed(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with running(environ, state_path=f"{tmp_path}/s") as settings:
        directory = registry_directory(environ)
        directory.chmod(0o777)
        found = running_instances(environ, system=tmp_path / "system")
        problem = register(settings, version="1", environ=environ).problem
        directory.chmod(0o700)

    expected = f"{directory}: others may write to it; chmod go-w it"
    assert (([], []), expected) == (found, problem)


def test_a_link_in_place_of_the_registry_is_not_followed(
    environ: dict[str, str], tmp_path: Path
) -> None:
    directory = registry_directory(environ)
    (tmp_path / "elsewhere").mkdir()
    directory.symlink_to(tmp_path / "elsewhere")
    settings = load_settings(environ=environ)

    problem = register(settings, version="1", environ=environ).problem

    assert problem == f"{directory}: is not a directory of its own (a link?); remove it"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_registry_that_cannot_be_made_is_said_and_no_error(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    environ = {**environ, "XDG_RUNTIME_DIR": f"{tmp_path}/file"}

    registration = register(load_settings(environ=environ), version="1", environ=environ)
    registration.remove()

    expected = f"{tmp_path}/file/inboxd: cannot be written: Not a directory"
    assert expected == registration.problem


def test_nothing_running_means_the_default_paths(environ: dict[str, str], tmp_path: Path) -> None:
    instance = find(environ, tmp_path)

    expected = tmp_path / "home/.local/state/inboxd"
    assert (expected, False, None) == (
        instance.settings.state.path,
        instance.is_running,
        instance.pid,
    )


def test_the_one_running_instance_is_meant_with_the_settings_of_its_files(
    environ: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "other.toml"
    config.write_text(f'[run]\nplaces = 3\n[state]\npath = "{tmp_path}/s"\n')
    with running(environ, config=config, inbox_path=f"{tmp_path}/i") as settings:
        instance = find(environ, tmp_path)

    assert (settings, True, os.getpid(), "1.2.3") == (
        instance.settings,
        instance.is_running,
        instance.pid,
        instance.version,
    )


def test_a_running_instance_whose_file_is_broken_by_now_is_still_found(
    environ: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "other.toml"
    config.write_text(f'[state]\npath = "{tmp_path}/s"\n')
    with running(environ, config=config):
        config.write_text("[[[")
        instance = find(environ, tmp_path)

        with pytest.raises(ConfigurationError, match="not valid TOML"):
            find_instance(environ=environ, cwd=tmp_path, system=tmp_path / "system", strict=True)

    assert (tmp_path / "s", True) == (instance.settings.state.path, instance.is_running)


def test_what_the_files_of_a_running_instance_say_by_now_counts(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with running(environ, state_path=f"{tmp_path}/s"):
        part = tmp_path / "home/.config/inboxd/conf.d/a.toml"
        part.parent.mkdir(parents=True)
        part.write_text("[run]\nplaces = 3\nasync_places = 3\n")
        instance = find({**environ, "INBOXD_RUN__PLACES": "9"}, tmp_path)

    assert (tmp_path / "s", 9, 3) == (
        instance.settings.state.path,
        instance.settings.run.places,
        instance.settings.run.async_places,
    )


def test_several_running_instances_are_named(environ: dict[str, str], tmp_path: Path) -> None:
    with (
        running(environ, state_path=f"{tmp_path}/a"),
        running(environ, state_path=f"{tmp_path}/b"),
        pytest.raises(AmbiguousReference) as caught,
    ):
        find(environ, tmp_path)

    states = {f"{tmp_path}/a", f"{tmp_path}/b"}
    assert (states, 2) == (set(caught.value.candidates), caught.value.exit_code)
    assert all(f"--state {state} " in str(caught.value) for state in states)


@pytest.mark.parametrize("how", ["flag", "relative flag", "variable"])
def test_a_named_state_directory_wins_over_what_runs(
    environ: dict[str, str], tmp_path: Path, how: str
) -> None:
    with (
        running(environ, state_path=f"{tmp_path}/a", inbox_path=f"{tmp_path}/i"),
        running(environ, state_path=f"{tmp_path}/b"),
    ):
        if how == "variable":
            instance = find({**environ, "INBOXD_STATE__PATH": f"{tmp_path}/a"}, tmp_path)
        else:
            state = Path("a") if how == "relative flag" else tmp_path / "a"
            instance = find(environ, tmp_path, state=state)

    assert (tmp_path / "a", tmp_path / "i", True) == (
        instance.settings.state.path,
        instance.settings.inbox.path,
        instance.is_running,
    )


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_a_named_configuration_wins_over_what_runs(
    environ: dict[str, str], tmp_path: Path, how: str
) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[state]\npath = "b"\n[inbox]\npath = "j"')
    with running(environ, state_path=f"{tmp_path}/a"):
        if how == "variable":
            instance = find({**environ, "INBOXD_CONFIG": str(config)}, tmp_path)
        else:
            instance = find(environ, tmp_path, config=config)

    assert (tmp_path / "b", tmp_path / "j", False) == (
        instance.settings.state.path,
        instance.settings.inbox.path,
        instance.is_running,
    )


def test_a_named_configuration_of_a_running_instance_gives_its_own_inbox(
    environ: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[state]\npath = "s"\n[inbox]\npath = "i"\n[run]\nplaces = 3')
    with running(environ, config=config, inbox_path=f"{tmp_path}/other"):
        instance = find(environ, tmp_path, config=config)

    assert (tmp_path / "other", 3, True) == (
        instance.settings.inbox.path,
        instance.settings.run.places,
        instance.is_running,
    )


def test_a_named_state_directory_wins_over_a_named_configuration(
    environ: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[state]\npath = "b"\n[inbox]\npath = "j"')

    instance = find(environ, tmp_path, config=config, state=tmp_path / "c")

    assert (tmp_path / "c", tmp_path / "j") == (
        instance.settings.state.path,
        instance.settings.inbox.path,
    )


def test_a_daemon_that_is_not_registered_is_seen_by_its_lock(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with StateLock.acquire(tmp_path / "s"):
        instance = find(environ, tmp_path, state=tmp_path / "s")

    assert (True, os.getpid()) == (instance.is_running, instance.pid)


def test_the_instance_of_the_system_is_meant_when_none_of_the_user_runs(
    environ: dict[str, str], tmp_path: Path
) -> None:
    system = {**environ, "RUNTIME_DIRECTORY": str(tmp_path / "system")}
    with running(system, state_path=f"{tmp_path}/s"):
        of_system = find(environ, tmp_path)
        with running(environ, state_path=f"{tmp_path}/mine"):
            of_user = find(environ, tmp_path)

    assert (tmp_path / "s", tmp_path / "mine") == (
        of_system.settings.state.path,
        of_user.settings.state.path,
    )


def test_a_stale_entry_of_the_system_is_passed_over_and_left_alone(
    environ: dict[str, str], tmp_path: Path
) -> None:
    system = {**environ, "RUNTIME_DIRECTORY": str(tmp_path / "system")}
    settings = load_settings(environ={**environ, "INBOXD_STATE__PATH": f"{tmp_path}/s"})
    register(settings, version="1", environ=system)

    instance = find(environ, tmp_path)

    assert (tmp_path / "home/.local/state/inboxd", 1) == (
        instance.settings.state.path,
        len(list((tmp_path / "system").iterdir())),
    )


def test_a_state_directory_whose_name_is_no_utf_8_is_found(
    environ: dict[str, str], tmp_path: Path
) -> None:
    state = os.fsdecode(os.fsencode(tmp_path) + b"/st\xffte")
    with running(environ, state_path=state) as settings:
        instance = find(environ, tmp_path)

    assert settings.state.path == instance.settings.state.path


def test_the_entry_is_json_that_other_programs_can_read(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with running(environ, state_path=f"{tmp_path}/s"):
        (path,) = registry_directory(environ).iterdir()
        document = json.loads(path.read_text())

    keys = ["format", "state", "inbox", "store_url", "config", "pid", "started_at", "version"]
    assert [*keys, "environment", "socket"] == list(document)


def test_a_broken_configuration_is_said(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        find(environ, tmp_path, config=tmp_path / "none.toml")


def test_what_a_daemon_left_half_written_is_removed_by_the_next_one(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with running(environ, state_path=f"{tmp_path}/s") as settings:
        entry = register(settings, version="1", environ=environ).path
        leftover = entry.with_name(f".{entry.name}.12345")
        other = entry.with_name(".ffff.instance.json.12345")
        leftover.touch()
        other.touch()
        register(settings, version="1", environ=environ)

        assert (leftover.exists(), other.exists()) == (False, True)


@pytest.mark.parametrize(
    ("seconds", "is_gone", "is_removed"),
    [(90, True, True), (90, False, False), (0, True, False)],
)
def test_what_a_daemon_of_another_state_left_is_removed_when_it_is_old_and_nobodys(
    environ: dict[str, str], tmp_path: Path, seconds: float, is_gone: bool, is_removed: bool
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with running(environ, state_path=f"{tmp_path}/s") as settings:
        entry = register(settings, version="1", environ=environ).path
        pid = ended.pid if is_gone else os.getpid()
        other = entry.with_name(f".ffff.instance.json.{pid}")
        other.touch()
        written_at = time.time() - seconds
        os.utime(other, (written_at, written_at))
        register(settings, version="1", environ=environ)

        assert other.exists() != is_removed


def test_a_command_learns_where_the_control_socket_is(
    environ: dict[str, str], tmp_path: Path
) -> None:
    settings = load_settings(
        overrides={"state.path": f"{tmp_path}/s"}, environ=environ, cwd=tmp_path
    )
    with StateLock.acquire(settings.state.path):
        register(settings, version="1", socket=tmp_path / "x.sock", environ=environ)
        by_itself = find(environ, tmp_path)
        by_name = find(environ, tmp_path, state=tmp_path / "s")

    assert [tmp_path / "x.sock"] * 2 == [by_itself.socket, by_name.socket]
