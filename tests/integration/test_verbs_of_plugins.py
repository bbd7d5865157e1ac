"""Verbs that plugins add, on the real command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from inboxd.config.load import load_settings
from inboxd.registry import register
from inboxd.state_lock import StateLock

from ..acceptance.plugin_site import PluginSite

if TYPE_CHECKING:
    from pathlib import Path

GREET = """
import click

@click.command()
@click.argument("whom")
def greet(whom):
    '''Greet somebody.'''
    click.echo(f"Hello, {whom}!")
    return 3

@hookimpl
def inboxd_commands(cli):
    cli.add_command(greet)
"""


class Line:
    """A command line with plugins of its own."""

    def __init__(self, directory: Path) -> None:
        self.site = PluginSite(directory / "site")
        self._environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("INBOXD_")},
            "PYTHONPATH": str(self.site.path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "INBOXD_STATE__PATH": str(directory / "state"),
        }

    def forget_state(self, **variables: str) -> None:
        """Have the instance looked for; set *variables* besides."""
        del self._environment["INBOXD_STATE__PATH"]
        self._environment.update(variables)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inboxd", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_a_plugin_adds_a_verb(line: Line) -> None:
    line.site.install("greeter", GREET)

    done = line("greet", "Ada")

    assert (done.returncode, done.stdout, done.stderr) == (3, "Hello, Ada!\n", "")


def test_the_help_lists_the_verbs_of_plugins_and_names_a_broken_one(line: Line) -> None:
    line.site.install("greeter", GREET)
    line.site.install("broken", "@hookimpl\ndef inboxd_commands(cli): sys.exit(4)\n")
    line.site.install("unloadable", "1 / 0\n")

    done = line("--help")

    assert done.returncode == 0
    below = done.stdout.partition("Verbs of plugins:\n")[2]
    assert "  greet  Greet somebody.\n" in below
    assert done.stderr.splitlines() == [
        "inboxd: plugin unloadable (unloadable) is not used: unloadable cannot be used:"
        " ZeroDivisionError: division by zero",
        "inboxd: plugin broken (broken): inboxd_commands() failed: SystemExit: 4",
    ]


def test_a_verb_of_inboxds_own_loads_no_plugin_and_is_not_replaced(line: Line) -> None:
    line.site.install("loud", "print('imported')\n" + GREET.replace("greet", "version"))

    version, help_ = line("version"), line("--help")

    assert version.returncode == 0
    assert "imported" not in version.stdout
    assert version.stdout.startswith("inboxd ")
    assert 'the verb "version" is inboxd\'s own' in help_.stderr


def test_a_verb_that_two_plugins_add_is_nobodys(line: Line) -> None:
    line.site.install("one", GREET)
    line.site.install("two", GREET)

    done = line("greet", "Ada")

    assert done.returncode == 2
    assert 'the verb "greet" is added by the plugins one and two; neither is used' in done.stderr


def test_a_typo_is_told_the_nearest_verb_of_a_plugin(line: Line) -> None:
    line.site.install("greeter", GREET)

    done = line("gret", "Ada")

    assert done.returncode == 2
    assert 'no verb "gret"; did you mean "greet"?' in done.stderr


CONFIGURED = """
import click
from inboxd import PluginConfiguration

got = []

@hookimpl
def inboxd_configure(configuration: PluginConfiguration):
    got[:] = [configuration.options.get("word"), str(configuration.directory)]

@hookimpl
def inboxd_commands(cli):
    @cli.group()
    def words(): '''Say words.'''
    @words.command()
    @click.option("--loud", is_flag=True)
    def say(loud): click.echo(" ".join(map(str, got)))
    @cli.command()
    @click.option("--state")
    def own(state): click.echo(state)
"""


def test_a_verb_of_a_plugin_takes_config_and_state(line: Line, tmp_path: Path) -> None:
    line.site.install("talker", CONFIGURED)
    config, state = tmp_path / "c.toml", tmp_path / "elsewhere"
    config.write_text('[plugins.talker]\nword = "hello"\n')
    expected = f"hello {state}/plugins/talker\n"

    for arguments in (
        ("words", "say", "--loud", "--config", str(config), f"--state={state}"),
        ("words", "--config", str(config), "--state", str(state), "say"),
    ):
        done = line(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    assert "--config FILE" in line("words", "say", "--help").stdout
    assert line("own", "--state", str(state)).stdout == f"{state}\n"


def test_a_configuration_that_cannot_be_used_ends_a_verb_of_a_plugin(
    line: Line, tmp_path: Path
) -> None:
    line.site.install("talker", CONFIGURED)
    config = tmp_path / "c.toml"
    config.write_text("[run]\nplaecs = 1\n")

    done = line("words", "say", "--config", str(config))

    assert done.returncode == 78
    assert 'did you mean "places"?' in done.stderr


def test_a_verb_of_a_plugin_asks_which_of_several_instances_is_meant(
    line: Line, tmp_path: Path
) -> None:
    line.site.install("talker", CONFIGURED)
    line.forget_state(XDG_RUNTIME_DIR=str(tmp_path / "run"), XDG_CONFIG_HOME=str(tmp_path))
    with ExitStack() as stack:
        for name in ("one", "two"):
            settings = load_settings(
                overrides={"state.path": str(tmp_path / name), "inbox.path": str(tmp_path / "in")},
                environ={},
                cwd=tmp_path,
            )
            (tmp_path / name).mkdir(mode=0o700)
            stack.callback(StateLock.acquire(settings.state.path).release)
            environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
            stack.callback(register(settings, version="1", environ=environ).remove)
        asked, chosen = line("words", "say"), line("words", "say", "--state", str(tmp_path / "two"))
        help_ = line("words", "say", "--help")

    assert (asked.returncode, chosen.returncode, help_.returncode) == (2, 0, 0)
    assert f"--state {tmp_path}/one" in asked.stderr
    assert chosen.stdout == f"None {tmp_path}/two/plugins/talker\n"


def test_plugins_that_hang_share_one_limit_and_the_others_keep_their_verbs(line: Line) -> None:
    hanging = "import threading\n@hookimpl\ndef inboxd_commands(cli): threading.Event().wait()\n"
    for name in ("hang_a", "hang_b", "hang_c"):
        line.site.install(name, hanging)
    line.site.install("later", GREET)

    done = line("greet", "Ada")
    told = line("gret")

    assert (done.returncode, done.stdout) == (3, "Hello, Ada!\n")
    limits = re.findall(r"it did not return within ([0-9.]+) s", told.stderr)
    assert limits == ["5", "0.5", "0.5"]
