"""The record, its settings and its verb; the hooks are told as the daemon tells them."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from inboxd import PluginConfiguration
from inboxd_audit.plugin import AuditPlugin
from inboxd_audit.record import EVENTS, Record, record_files
from inboxd_audit.settings import settings_of


def configuration(directory: Path, **options: object) -> PluginConfiguration:
    return PluginConfiguration(options=options, directory=directory, file=directory / "inboxd.toml")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_without_a_path_only_the_verb_is_wanted(tmp_path: Path) -> None:
    assert AuditPlugin().inboxd_configure(configuration(tmp_path)) == ("inboxd_commands",)


def test_a_relative_path_starts_at_the_configuration(tmp_path: Path) -> None:
    assert settings_of(configuration(tmp_path, path="a.jsonl")).path == tmp_path / "a.jsonl"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"paht": "x"}, 'unknown key "paht"'),
        ({"path": 3}, "path: must be"),
        ({"path": "/nonexistent-directory/a"}, "path: there is no directory"),
        ({"attempts": "yes"}, "attempts: must be true or false"),
        ({"max_bytes": 1}, "max_bytes: must be a whole number, at least 4096"),
        ({"keep": -1}, "keep: must be a whole number, at least 0"),
        ({"keep": True}, "keep: must be a whole number"),
    ],
)
def test_wrong_settings_are_refused_in_words(
    tmp_path: Path, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        settings_of(configuration(tmp_path, **options))


def test_attempts_can_be_left_out(tmp_path: Path) -> None:
    wanted = AuditPlugin().inboxd_configure(configuration(tmp_path, path="a.jsonl", attempts=False))
    assert wanted is not None
    assert "inboxd_tree_ended" in wanted
    assert "inboxd_task_ended" not in wanted


def test_the_file_is_rotated_and_no_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    record = Record(path, max_bytes=4096, keep=2)
    for number in range(500):
        record.add({"event": "task_ended", "number": number})
    record.close()

    files = list(record_files(path))
    assert [file.name for file in files] == ["audit.jsonl.2", "audit.jsonl.1", "audit.jsonl"]
    assert all(file.stat().st_size <= 4096 for file in files)
    numbers = [line["number"] for file in files for line in lines(file)]
    assert 100 < len(numbers) < 500
    assert numbers == list(range(500 - len(numbers), 500))


def test_a_file_that_was_put_aside_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    record = Record(path, max_bytes=4096, keep=2)
    record.add({"n": 1})
    path.rename(tmp_path / "aside")
    record.add({"n": 2})
    record.close()
    assert lines(path) == [{"n": 2}]
    assert lines(tmp_path / "aside") == [{"n": 1}]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Record(path, max_bytes=4096, keep=2).add({"n": 1})


def test_the_verb_filters(tmp_path: Path) -> None:
    plugin = AuditPlugin()
    plugin.inboxd_configure(configuration(tmp_path, path="a.jsonl"))
    plugin.inboxd_daemon_started()
    plugin.inboxd_file_rejected(
        {"file": "w\x1b[31m.json", "sha256": None, "errors": [{"pointer": "/0", "message": "no"}]}
    )
    cli = click.Group()
    plugin.inboxd_commands(cli)

    everything = CliRunner().invoke(cli, ["audit"])
    assert everything.exit_code == 0
    assert len(everything.output.splitlines()) == 2
    assert "\x1b" not in everything.output
    rejected = CliRunner().invoke(cli, ["audit", "--event", "file_rejected", "--json"])
    assert [json.loads(line)["errors"] for line in rejected.output.splitlines()] == [["/0: no"]]
    assert CliRunner().invoke(cli, ["audit", "--since", "0s"]).output == ""
    assert CliRunner().invoke(cli, ["audit", "--tree", "abcd"]).output == ""
    assert CliRunner().invoke(cli, ["audit", "--since", "soon"]).exit_code == 2
    unknown = CliRunner().invoke(cli, ["audit", "--event", "nope"])
    assert unknown.exit_code == 2
    assert "'file_rejected', 'task_starting'" in unknown.output


def test_every_event_that_is_recorded_can_be_asked_for() -> None:
    source = inspect.getsource(AuditPlugin)

    assert set(re.findall(r'self._add\(\s*"(\w+)"', source)) == set(EVENTS)


def test_the_verb_says_what_to_set_when_nothing_is_recorded(tmp_path: Path) -> None:
    plugin = AuditPlugin()
    plugin.inboxd_configure(configuration(tmp_path))
    cli = click.Group()
    plugin.inboxd_commands(cli)
    done = CliRunner().invoke(cli, ["audit"])
    assert done.exit_code == 2
    assert "[plugins.audit] path" in done.output
