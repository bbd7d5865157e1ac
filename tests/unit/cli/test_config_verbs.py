"""`inboxd config show` and `inboxd config check`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_show_prints_every_setting_that_is_in_force(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOXD_RUN__PLACES", "7")

    code, out, err = run("config", "show")

    document = tomllib.loads(out)
    assert (0, "", str(state), 7) == (
        code,
        err,
        document["state"]["path"],
        document["run"]["places"],
    )


def test_show_prints_the_same_as_json_with_the_files_that_were_read(
    run: Run, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[run]\nplaces = 3\n")

    _, as_toml, _ = run("config", "show", "--config", str(config))
    _, as_json, _ = run("config", "show", "--config", str(config), "--json")

    document = json.loads(as_json)
    assert ([str(config)], tomllib.loads(as_toml)) == (document["files"], document["settings"])
    assert f"# read: {config}\n" in as_toml


def test_what_show_prints_can_be_used_as_the_configuration(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("config", "show")
    config = tmp_path / "c.toml"
    config.write_text(out)

    _, again, _ = run("config", "show", "--config", str(config))

    assert tomllib.loads(out) == tomllib.loads(again)


def test_check_says_which_files_are_good(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[run]\nplaces = 3\n")

    results = [run("config", "check"), run("config", "check", "--config", str(config))]

    assert [(0, "", "good: no file, only defaults\n"), (0, "", f"good: {config}\n")] == results


def test_check_says_everything_that_is_wrong(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[run]\nplace = 3\ngrace = -1\n")

    code, out, err = run("config", "check", "--config", str(config))
    as_json = run("config", "check", "--config", str(config), "--json")

    problems = [
        f'{config}: unknown key "place" in [run]; did you mean "places"?',
        f"{config}: [run] grace: must not be negative: a duration is a number of seconds, or text"
        ' like "500ms", "90s", "10m", "2h"',
    ]
    assert (78, "", "inboxd: " + "\n".join(problems) + "\n") == (code, out, err)
    assert (78, {"valid": False, "files": [str(config)], "problems": problems}, "") == (
        as_json[0],
        json.loads(as_json[1]),
        as_json[2],
    )


def test_check_finds_nothing_wrong_as_json(run: Run) -> None:
    code, out, err = run("config", "check", "--json")

    assert (code, json.loads(out), err) == (0, {"valid": True, "files": [], "problems": []}, "")


def test_check_fails_for_settings_of_an_executor_that_nobody_offers(
    run: Run, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[executors.comand]\nenabled = false\n")
    problem = '[executors.comand]: no plugin offers this executor; did you mean "command"?'

    code, _, err = run("config", "check", "--config", str(config))
    as_json = json.loads(run("config", "check", "--config", str(config), "--json")[1])
    doctor = json.loads(run("doctor", "--config", str(config), "--json")[1])

    assert (78, f"inboxd: {problem}\n") == (code, err)
    assert ([str(config)], [problem]) == (as_json["files"], as_json["problems"])
    assert problem in [each["message"] for each in doctor["checks"] if each["level"] == "fail"]
