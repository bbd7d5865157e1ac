"""`inboxd doctor`: what each check says of good and bad facts."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from inboxd.cli.checks.database import check_database, database_findings, waiting_findings
from inboxd.cli.checks.directories import check_inbox, check_state, inbox_findings, state_findings
from inboxd.cli.checks.finding import Finding
from inboxd.cli.checks.machine import (
    InotifyFacts,
    check_file_system,
    check_inotify,
    file_system_type,
    inotify_findings,
    kind_findings,
    space_findings,
)
from inboxd.cli.checks.programs import directory_findings, program_findings
from inboxd.cli.checks.software import (
    check_plugins,
    check_sqlite,
    check_versions,
    plugin_findings,
)
from inboxd.cli.main import run_command_line
from inboxd.config.load import load_settings
from inboxd.config.settings import Settings
from inboxd.plugins.manager import BrokenPlugin, LoadedPlugin, Plugins
from inboxd.registry import register
from inboxd.state_lock import StateLock
from inboxd.store.engine import open_writer
from inboxd.store.inspection import DatabaseReport, inspect_database
from inboxd.store.schema import HEAD, migrate
from inboxd.store.tables import TaskState

from ..store.build_store import StoreBuilder, TaskRow

Run = Callable[..., tuple[int, str, str]]


def levels(findings: object) -> list[str]:
    return [finding.level.value for finding in cast("list[Finding]", findings)]


def facts(mode: int, *, user: int = 1000) -> os.stat_result:
    """Return what stat would say of a directory (or of what the type in *mode* says)."""
    if not stat.S_IFMT(mode):
        mode |= stat.S_IFDIR
    return cast("os.stat_result", SimpleNamespace(st_mode=mode, st_uid=user, st_dev=1))


def settings_of(inbox: Path, *, allow_world: bool = False) -> Settings:
    overrides = {"inbox.path": str(inbox), "state.path": "/srv/state"}
    if allow_world:
        overrides |= {"inbox.allow_world": "true", "inbox.allowed_owners": "me"}
    return load_settings(overrides=overrides, environ={}, cwd=Path("/"))


# SQLite and versions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 6, 23), "ok"),
        ((3, 7, 0), "warn"),
        ((3, 40, 1), "warn"),
        ((3, 51, 2), "warn"),
        ((3, 51, 3), "ok"),
        ((4, 0, 0), "ok"),
    ],
)
def test_sqlite_with_the_wal_reset_bug_is_warned_of(version: tuple[int, ...], level: str) -> None:
    findings = list(check_sqlite(version, "x"))

    assert [level] == levels(findings)


def test_a_missing_distribution_fails() -> None:
    found = [
        *check_versions({"inboxd": "1", "pluggy": "2"}),
        *check_versions({"inboxd": "1", "pluggy": "not installed"}),
    ]

    assert levels(found) == ["ok", "fail"]


def test_a_broken_plugin_fails_and_is_named_with_its_distribution() -> None:
    broken = BrokenPlugin(name="http", distribution="inboxd-http 1.0", reason="no module x")
    plugins = Plugins(executors={}, broken=(broken,), disabled=("yaml",))

    findings = list(plugin_findings(plugins, switched_off=["command"]))

    assert [(finding.level, finding.message) for finding in findings] == [
        ("fail", "http of inboxd-http 1.0 cannot be used: no module x"),
        ("fail", "none is installed and enabled, so every task is refused"),
        ("ok", "kept out by [plugins] allow and disable: yaml"),
        ("ok", "switched off by the configuration: command"),
    ]


def test_a_broken_part_is_told_from_a_broken_plugin_and_has_its_traceback() -> None:
    broken = BrokenPlugin(
        name="http", distribution="x", reason="no", is_part=True, traceback="a\n\x1bb\n"
    )
    finding = next(iter(plugin_findings(Plugins(executors={}, broken=(broken,)), switched_off=[])))

    assert finding.message == "http of x has a part that cannot be used: no"
    assert finding.details == "a\n\\x1bb\n"


def test_a_plugin_that_is_slow_to_load_is_warned_of() -> None:
    loaded = (
        LoadedPlugin(name="a", distribution="x", seconds=0.9),
        LoadedPlugin(name="b", distribution="x", seconds=1.1),
    )
    findings = list(plugin_findings(Plugins(executors={}, loaded=loaded), switched_off=[]))

    assert [finding.message[:8] for finding in findings if finding.level == "warn"] == ["b of x t"]


def test_a_setting_that_keeps_the_daemon_from_starting_fails() -> None:
    plugins = Plugins(executors={}, problems=("[plugins.x]: y is unknown",))
    findings = list(check_plugins(settings_of(Path("/srv/inbox")), plugins))

    assert (findings[0].level, findings[0].message) == ("fail", "[plugins.x]: y is unknown")


@pytest.mark.parametrize(
    ("program", "level"),
    [("tool", "ok"), ("{}/tool", "ok"), ("{}/data", "fail"), ("{}/none", "fail"), ("none", "fail")],
)
def test_a_program_that_cannot_be_run_fails(tmp_path: Path, program: str, level: str) -> None:
    for name, mode in (("tool", 0o700), ("data", 0o600)):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(mode)

    findings = list(program_findings("notify", program.format(tmp_path), path=str(tmp_path)))

    assert levels(findings) == [level]


@pytest.mark.parametrize(
    ("mode", "level"), [(0o755, "ok"), (0o700, "ok"), (0o775, "fail"), (0o757, "fail")]
)
def test_a_directory_of_programs_is_for_its_owner_to_change(
    tmp_path: Path, mode: int, level: str
) -> None:
    directory = tmp_path / "programs"
    directory.mkdir()
    directory.chmod(mode)

    assert levels(directory_findings(directory)) == [level]


def test_a_program_in_the_directory_that_others_may_change_fails(tmp_path: Path) -> None:
    directory = tmp_path / "programs"
    directory.mkdir(mode=0o700)
    for name, mode in (("good", 0o755), ("bad", 0o777)):
        (directory / name).write_text("#!/bin/sh\n")
        (directory / name).chmod(mode)

    findings = list(directory_findings(directory))

    assert levels(findings) == ["ok", "fail"]
    assert "programs/bad: others may write to it" in findings[1].message


def test_a_directory_of_programs_that_is_none_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = [*directory_findings(tmp_path / "file"), *directory_findings(tmp_path / "gone")]

    assert levels(found) == ["fail", "fail"]


# Directories ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "user", "level"),
    [
        (0o700, 1000, "ok"),
        (0o500, 1000, "ok"),
        (0o710, 1000, "fail"),
        (0o755, 1000, "fail"),
        (0o701, 1000, "fail"),
        (0o700, 0, "warn"),
        (stat.S_IFREG | 0o600, 1000, "fail"),
    ],
)
def test_a_state_directory_is_for_its_user_alone(mode: int, user: int, level: str) -> None:
    findings = list(state_findings(Path("/srv/state"), facts(mode, user=user), user=1000))

    assert [level] == levels(findings)


@pytest.mark.parametrize(
    ("mode", "parent", "can_use", "allow_world", "expected"),
    [
        (0o700, 0o755, True, False, ["ok"]),
        (0o770, 0o755, True, False, ["ok"]),
        (0o3770, 0o1777, True, False, ["ok"]),
        (0o777, 0o755, True, False, ["fail"]),
        (0o1777, 0o755, True, False, ["fail"]),
        (0o772, 0o755, True, False, ["fail"]),
        (0o777, 0o755, True, True, ["warn"]),
        (0o770, 0o777, True, False, ["fail"]),
        (0o770, 0o1777, True, False, ["ok"]),
        (0o777, 0o777, True, False, ["fail", "fail"]),
        (0o500, 0o755, False, False, ["fail"]),
        (stat.S_IFREG | 0o600, 0o755, True, False, ["fail"]),
    ],
)
def test_an_inbox_is_for_those_whom_its_owner_lets_in(
    mode: int, parent: int, can_use: bool, allow_world: bool, expected: list[str]
) -> None:
    settings = settings_of(Path("/srv/inbox"), allow_world=allow_world)

    findings = list(inbox_findings(settings, facts(mode), facts(parent), can_use=can_use))

    assert expected == levels(findings)


def test_sub_directories_that_are_links_or_open_to_others_are_found(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir(mode=0o700)
    (inbox / ".claimed").mkdir(mode=0o700)
    (inbox / "accepted").symlink_to(tmp_path)
    (inbox / "rejected").mkdir()
    (inbox / "rejected").chmod(0o777)
    (inbox / "results").write_text("")

    findings = list(check_inbox(settings_of(inbox)))

    assert [
        ("ok", str(inbox)),
        ("fail", f"{inbox}/accepted"),
        ("warn", f"{inbox}/rejected"),
        ("fail", f"{inbox}/results"),
    ] == [(finding.level, finding.message.partition(":")[0]) for finding in findings]


def test_what_is_not_made_yet_is_no_fault(tmp_path: Path) -> None:
    found = [*check_state(tmp_path / "s"), *check_inbox(settings_of(tmp_path / "i"))]

    assert levels(found) == ["ok", "ok"]


# The machine ----------------------------------------------------------------------------------


def space(free: int, *, files: int = 0, free_files: int = 0) -> Any:
    return SimpleNamespace(f_bavail=free, f_frsize=1, f_files=files, f_favail=free_files)


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (space(2 * 1024**3), "ok"),
        (space(1024**3 - 1), "warn"),
        (space(64 * 1024**2 - 1), "fail"),
        (space(2 * 1024**3, files=10**6, free_files=9_999), "warn"),
        (space(2 * 1024**3, files=10**6, free_files=10_000), "ok"),
    ],
)
def test_little_room_is_warned_of_and_no_room_fails(facts: Any, level: str) -> None:
    findings = list(space_findings("state", "/x", facts, kind="ext4"))

    assert [level] == levels(findings)


@pytest.mark.parametrize(
    ("kind", "for_database", "for_inbox"),
    [
        ("ext4", [], []),
        ("overlay", [], []),
        ("tmpfs", [], []),
        ("nfs4", ["fail"], ["warn"]),
        ("cifs", ["fail"], ["warn"]),
        ("9p", ["warn"], ["warn"]),
        ("fuse.sshfs", ["warn"], ["warn"]),
    ],
)
def test_a_file_system_of_other_machines_is_warned_of_or_fails(
    kind: str, for_database: list[str], for_inbox: list[str]
) -> None:
    state = list(kind_findings("state", "/x", kind, holds_database=True))
    inbox = list(kind_findings("inbox", "/x", kind, holds_database=False))

    assert (for_database, for_inbox) == (levels(state), levels(inbox))


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "ext4"), ("/srv", "ext4"), ("/srv/inbox", "nfs4"), ("/srv/inboxes", "ext4")],
)
def test_a_path_lies_on_the_deepest_mount_above_it(path: str, kind: str) -> None:
    mounts = [(Path("/srv/inbox"), "xfs"), (Path("/"), "ext4"), (Path("/srv/inbox"), "nfs4")]

    assert kind == file_system_type(Path(path), mounts)


def test_a_path_that_is_not_there_yet_lies_where_it_will_be_made(tmp_path: Path) -> None:
    here = list(check_file_system("state", tmp_path, holds_database=True))
    there = list(check_file_system("state", tmp_path / "a/b", holds_database=True))

    assert levels(here) == levels(there)


@pytest.mark.parametrize(
    ("instances", "watches", "level"),
    [(0, 8192, "ok"), (103, 8192, "warn"), (128, 8192, "fail"), (0, 0, "fail")],
)
def test_inotify_that_is_used_up_is_said(instances: int, watches: int, level: str) -> None:
    facts = InotifyFacts(max_user_watches=watches, max_user_instances=128, instances=instances)

    findings = list(inotify_findings(facts))

    assert [level] == levels(findings)


def test_the_limits_of_this_machine_can_be_read() -> None:
    findings = list(check_inotify())

    assert "instances in use by you" in findings[0].message


# The database ---------------------------------------------------------------------------------


def report(**changes: Any) -> DatabaseReport:
    values: dict[str, Any] = {"size_bytes": 4096, "version": "0002", "was_checked": True, **changes}
    return DatabaseReport(path=Path("/x.db"), **values)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["ok"]),
        ({"size_bytes": None}, ["ok"]),
        ({"error": "disk I/O error"}, ["fail"]),
        ({"problems": ("row 1 missing", "row 2 missing")}, ["fail", "fail"]),
        ({"version": "0001"}, ["warn", "ok"]),
        ({"version": "0003"}, ["fail", "ok"]),
        ({"version": None}, ["warn", "ok"]),
        ({"was_checked": False}, ["warn"]),
        ({"wal_bytes": 300 * 1024**2}, ["warn", "ok"]),
    ],
)
def test_a_database_is_judged_by_what_was_seen(
    changes: dict[str, Any], expected: list[str]
) -> None:
    findings = list(database_findings(report(**changes), newest="0002"))

    assert expected == levels(findings)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a database of inboxd, as the daemon makes it."""
    path = tmp_path / "inboxd.db"
    engine = open_writer(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


def test_a_whole_database_is_good_and_not_changed(database: Path) -> None:
    before = database.read_bytes()

    seen = inspect_database(f"sqlite:///{database}", seconds=60)

    assert (seen.version, seen.problems, seen.was_checked, seen.error) == (HEAD, (), True, None)
    assert before == database.read_bytes()


def test_a_database_without_a_file_is_none(tmp_path: Path) -> None:
    seen = inspect_database(f"sqlite:///{tmp_path}/none.db", seconds=60)

    assert (seen.size_bytes, seen.error, list(tmp_path.iterdir())) == (None, None, [])


def test_a_check_that_takes_too_long_is_given_up(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE large (text TEXT)")
        connection.executemany("INSERT INTO large VALUES (?)", [("x" * 100,)] * 20_000)
    connection.close()

    seen = inspect_database(f"sqlite:///{database}", seconds=0)

    assert (seen.was_checked, seen.error) == (False, None)


@pytest.mark.parametrize("place", ["header", "page"])
def test_a_damaged_database_fails(database: Path, place: str) -> None:
    data = bytearray(database.read_bytes())
    start = 0 if place == "header" else 2 * 4096
    data[start : start + 512] = b"\xa5" * 512
    database.write_bytes(data)

    findings = list(check_database(f"sqlite:///{database}", is_running=False, executors=()))

    assert "fail" in levels(findings)


def test_the_database_of_another_program_fails(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()

    findings = list(check_database(f"sqlite:///{path}", is_running=False, executors=()))

    assert levels(findings) == ["fail"]
    assert "belongs to another program" in findings[0].message


# The verb -------------------------------------------------------------------------------------


def test_a_new_instance_is_good(run: Run) -> None:
    code, out, err = run("doctor")

    assert (code, err) == (0, "")
    assert "none runs on" in out


def test_a_running_daemon_is_seen(run: Run, state: Path) -> None:
    with StateLock.acquire(state):
        _, out, _ = run("doctor", "--json")

    daemon = [each for each in json.loads(out)["checks"] if each["check"] == "daemon"]
    message = f"runs on {state}, pid {os.getpid()}"
    assert [
        {"level": "ok", "check": "daemon", "message": message, "advice": None, "details": None}
    ] == daemon


def test_what_fails_ends_with_1_and_says_what_to_do(run: Run, state: Path) -> None:
    state.chmod(0o755)

    code, out, _ = run("doctor")

    assert code == 1
    assert f"fail  state          {state}: mode 0755 lets others in" in out
    assert f"-> chmod 700 {state}" in out


def test_a_broken_configuration_is_a_finding(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[run]\nplace = 1\n")

    code, out, _ = run("doctor", "--config", str(config), "--json")

    document = json.loads(out)
    last = document["checks"][-1]
    assert (
        code,
        document["good"],
        last["level"],
        last["check"],
    ) == (1, False, "fail", "configuration")


def test_several_instances_are_a_finding_of_the_doctor(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    locks = []
    for name in ("one", "two"):
        settings = load_settings(overrides={"state.path": str(tmp_path / name)})
        locks.append(StateLock.acquire(settings.state.path))
        register(settings, version="1")

    code = run_command_line(["doctor", "--json"])
    for lock in locks:
        lock.release()

    found = json.loads(capsys.readouterr().out)["checks"]
    failures = [each["message"] for each in found if each["check"] == "instance"]
    assert (code, len(failures)) == (1, 1)
    assert f"--state {tmp_path / 'one'}" in failures[0]


def test_a_database_that_cannot_be_written_is_not_called_whole(tmp_path: Path) -> None:
    report = DatabaseReport(
        path=tmp_path / "x.db", size_bytes=1, version=HEAD, was_checked=True, is_writable=False
    )

    findings = list(database_findings(report, newest=HEAD))

    assert levels(findings) == ["fail"]


def test_executors_that_tasks_wait_for_in_vain_are_named() -> None:
    findings = list(waiting_findings({"gone": 2, "noop": 7, "off": 1}, ["noop"]))

    assert [(finding.level, finding.message) for finding in findings] == [
        ("warn", '2 tasks wait for "gone", which is gone or switched off'),
        ("warn", '1 task waits for "off", which is gone or switched off'),
    ]


def test_tasks_that_may_start_are_counted_by_their_executor(tmp_path: Path) -> None:
    store = StoreBuilder(tmp_path)
    states = [TaskState.WITHOUT_EXECUTOR, TaskState.READY, TaskState.BLOCKED, TaskState.COMPLETED]
    store.add_tree(
        [
            TaskRow(id=f"t{number}", state=state, columns={"executor": "gone"})
            for number, state in enumerate(states)
        ]
    )
    store.execute("CREATE TABLE alembic_version (version_num TEXT)")
    store.execute(f"INSERT INTO alembic_version VALUES ('{HEAD}')")  # noqa: S608 # ours
    store.close()

    report = inspect_database(store.url, seconds=5)
    none, made = (
        [
            finding.message
            for finding in check_database(
                store.url, is_running=False, executors=(), is_made=made_by.__contains__
            )
            if finding.check == "executors"
        ]
        for made_by in ((), ("gone",))
    )

    assert report.waiting == {"gone": 2}
    assert none == ['2 tasks wait for "gone", which is gone or switched off']
    assert made == []


def test_the_line_that_starts_the_daemon_says_which_instance_is_meant(
    run: Run, state: Path
) -> None:
    (found,) = [
        one for one in json.loads(run("doctor", "--json")[1])["checks"] if one["check"] == "daemon"
    ]

    assert found["advice"] == f"start it: inboxd run --state {state}"
