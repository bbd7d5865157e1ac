"""`[executors.NAME]` of an executor that nobody offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.config.load import load_settings
from inboxd.plugins.manager import BrokenPlugin, LoadedPlugin, Plugins
from inboxd.plugins.unknown import known_executors, unknown_executor_settings

if TYPE_CHECKING:
    from pathlib import Path

    from inboxd.config.settings import Settings


def settings_for(tmp_path: Path, *names: str) -> Settings:
    file = tmp_path / "inboxd.toml"
    file.write_text("".join(f"[executors.{name}]\nenabled = false\n" for name in names))
    return load_settings(config=file, environ={"HOME": str(tmp_path)}, cwd=tmp_path)


def test_a_misspelt_executor_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "comand", "noop")

    problems = unknown_executor_settings(settings, ["command", "noop"])

    expected = '[executors.comand]: no plugin offers this executor; did you mean "command"?'
    assert [expected] == problems


def test_a_name_like_no_other_is_told_which_there_are(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "xyzzy")

    problems = unknown_executor_settings(settings, ["noop", "command"])

    expected = "[executors.xyzzy]: no plugin offers this executor; known are: command, noop"
    assert [expected] == problems


def test_an_executor_that_is_switched_off_is_known(tmp_path: Path) -> None:
    loaded = LoadedPlugin(name="command", distribution="inboxd", executors=("command",))

    known = known_executors(Plugins(executors={}, loaded=(loaded,)))

    assert ({"command"}, True) == known
    assert unknown_executor_settings(settings_for(tmp_path, "command"), known[0]) == []


def test_what_a_broken_plugin_may_have_offered_is_no_error_but_a_typo_is(tmp_path: Path) -> None:
    broken = BrokenPlugin(name="acme", distribution="acme 1", reason="no module x")
    loaded = LoadedPlugin(name="command", distribution="inboxd", executors=("command",))
    settings = settings_for(tmp_path, "acme", "fetch-from-acme", "comand")

    known, is_complete = known_executors(
        Plugins(executors={}, loaded=(loaded,), broken=(broken,), disabled=("yaml",))
    )
    problems = unknown_executor_settings(settings, known, is_complete=is_complete)

    assert [problem.split(":")[0] for problem in problems] == ["[executors.comand]"]
