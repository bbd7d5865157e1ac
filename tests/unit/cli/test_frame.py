"""The frame: verbs found lazily, errors that become exit codes, data on stdout alone."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from inboxd import errors
from inboxd.cli.exit_codes import MEANINGS, ExitCode
from inboxd.cli.main import cli, run_command_line
from inboxd.cli.reference import help_texts, render
from inboxd.cli.verbs import VERBS

Run = Callable[..., tuple[int, str, str]]

_CHECKOUT = Path(__file__).parents[3]


def inboxd(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "inboxd", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def imported_by(arguments: list[str]) -> set[str]:
    """Return the top-level names of modules that a command line imports, but for plugins."""
    program = (
        "import json, sys\nimport importlib.metadata as metadata\n"
        # As where inboxd alone is installed, which the checkout's environment is not.
        "every = metadata.Distribution.discover\n"
        "metadata.Distribution.discover = lambda *_, **__: (\n"
        "    one for one in every() if 'inboxd-' not in one.name)\n"
        "from inboxd.cli.main import run_command_line\n"
        f"run_command_line({arguments!r})\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})),"
        " file=sys.stderr)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(finished.stderr.splitlines()[-1]))


def test_help_names_every_verb_with_what_it_does() -> None:
    finished = inboxd("--help")

    lines = [" ".join(line.split()) for line in finished.stdout.splitlines()]
    missing = [verb for verb, (_, text) in VERBS.items() if f"{verb} {text}" not in lines]
    assert (finished.returncode, finished.stderr, missing) == (0, "", [])


def test_help_imports_nothing_that_is_slow_where_no_plugin_is_installed() -> None:
    slow = {"sqlalchemy", "alembic", "apscheduler", "rich", "watchdog", "msgspec", "pluggy"}
    slow |= {"jsonschema_rs", "asyncio", "tomllib", "tomli_w"}

    assert set() == imported_by(["--help"]) & slow


def test_validate_imports_nothing_that_only_the_daemon_needs() -> None:
    slow = {"sqlalchemy", "alembic", "apscheduler", "rich", "watchdog", "asyncio", "tomli_w"}

    assert set() == imported_by(["validate", os.devnull]) & slow


@pytest.mark.parametrize("verb", VERBS)
def test_the_list_of_verbs_says_what_the_help_of_each_verb_says(verb: str) -> None:
    context = click.Context(cli)
    command = cli.get_command(context, verb)
    assert command is not None
    first = inspect.cleandoc(command.help or "").split("\n\n")[0]

    assert VERBS[verb][1] == " ".join(first.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example_and_says_which_instance(verb: str) -> None:
    without = [
        (name, part)
        for name, text in help_texts(verb)
        for part in ("Example", "--config FILE", "--state DIR")
        if part not in text and "show|check ..." not in text
    ]

    assert without == []


def test_the_reference_page_is_the_one_that_the_code_renders() -> None:
    actual = (_CHECKOUT / "docs/reference/cli.md").read_text()

    assert render() == actual


def test_a_verb_that_is_none_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_command_line(["sumbit"])

    assert (code, 'no verb "sumbit"; did you mean "submit"?' in capsys.readouterr().err) == (
        2,
        True,
    )


def test_a_verb_that_is_like_none_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_command_line(["\x1b[2J"])

    assert (code, 'no verb "\\x1b[2J"\n' in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize("arguments", [[], ["--nonsense"], ["version", "--nonsense"], ["config"]])
def test_a_command_line_that_cannot_be_understood_ends_with_2(arguments: list[str]) -> None:
    assert run_command_line(arguments) == 2


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (errors.NotFound("no tree 1"), 3, "inboxd: no tree 1\n"),
        (errors.DaemonNotReachable("none"), 69, "inboxd: none\n"),
        (errors.ConfigurationError(["a", "b"]), 78, "inboxd: a\nb\n"),
        (errors.AmbiguousReference("two", ["a", "b"]), 2, "inboxd: two\n"),
        (errors.StateInUse("used"), 73, "inboxd: used\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (click.FileError("x", "gone"), 1, "inboxd: Could not open file 'x': gone\n"),
    ],
)
def test_an_error_becomes_a_sentence_and_an_exit_code(
    error: BaseException,
    code: int,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setitem(sys.modules, "inboxd.cli.failing", _module_with(command))
    monkeypatch.setitem(VERBS, "failing", ("failing", "Fail."))

    actual = run_command_line(["failing"])

    assert (code, text, "") == (actual, *reversed(capsys.readouterr()))


def _module_with(command: click.Command) -> object:
    class Module:
        pass

    module = Module()
    module.command = command  # type: ignore[attr-defined]
    return module


def test_a_bug_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(sys.modules, "inboxd.cli.failing", _module_with(command))
    monkeypatch.setitem(VERBS, "failing", ("failing", "Fail."))

    with pytest.raises(ZeroDivisionError):
        run_command_line(["failing"])


def test_every_exit_code_of_an_error_is_in_the_table() -> None:
    codes = {
        value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.InboxdError)
    }

    assert set() == codes - {int(code) for code in ExitCode}
    assert list(ExitCode) == list(MEANINGS)


def test_a_reader_that_left_is_no_error(state: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    finished = subprocess.run(
        [sys.executable, "-m", "inboxd", "config", "show", "--state", str(state)],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)

    assert (finished.returncode, finished.stderr) == (0, "")


def test_colours_are_for_terminals_only(state: Path, run: Run) -> None:
    outputs = run("doctor")

    assert [text for text in outputs if "\x1b" in str(text)] == []


def test_version_names_what_inboxd_stands_on(run: Run) -> None:
    code, out, err = run("version", "--json")

    names = ["inboxd", "python", "sqlite", "apscheduler", "sqlalchemy", "watchdog", "pluggy"]
    assert (0, [*names, "msgspec"], "") == (code, list(json.loads(out)), err)


def test_version_for_people_has_a_line_for_each(run: Run) -> None:
    _, as_json, _ = run("version", "--json")
    _, for_people, _ = run("version")

    expected = [[name, *text.split()] for name, text in json.loads(as_json).items()]
    assert expected == [line.split() for line in for_people.splitlines()]
