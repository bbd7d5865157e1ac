"""Loading settings: what wins, where paths start, and what is said of what cannot be used."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from inboxd.config.load import load_settings
from inboxd.config.settings import ExecutorSettings, NotifySettings, Settings, default_places
from inboxd.errors import ConfigurationError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def load(
    home: Path,
    *,
    config: Path | None = None,
    overrides: dict[str, str] | None = None,
    **environ: str,
) -> Settings:
    return load_settings(
        config=config, overrides=overrides, environ={"HOME": str(home), **environ}, cwd=home / "cwd"
    )


def problems_of(
    home: Path,
    text: str = "",
    *,
    overrides: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
) -> list[str]:
    """Return the problems of a file with this text, its path left out."""
    config = home / "inboxd.toml"
    config.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(home, config=config, overrides=overrides, **(environ or {}))
    return [problem.replace(f"{config}: ", "") for problem in caught.value.problems]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_anything_the_defaults_and_the_directories_of_the_user_hold(home: Path) -> None:
    settings = load(home)

    state = home / ".local/state/inboxd"
    assert (state, state / "inbox", f"sqlite:///{state}/inboxd.db", default_places(), ()) == (
        settings.state.path,
        settings.inbox.path,
        settings.store.url,
        settings.run.places,
        settings.files,
    )


def test_a_flag_wins_over_a_variable_over_the_files_over_the_default(home: Path) -> None:
    text = "[run]\nplaces = 5\nasync_places = 5\nmax_interruptions = 5\ngrace = 5"
    config = write(home / "inboxd.toml", text)

    run = load(
        home,
        config=config,
        overrides={"run.places": "7"},
        INBOXD_RUN__PLACES="6",
        INBOXD_RUN__ASYNC_PLACES="6",
    ).run

    assert (
        run.places,
        run.async_places,
        run.max_interruptions,
        run.grace_seconds,
        run.drain_timeout_seconds,
    ) == (7, 6, 5, 5.0, 30.0)


def test_the_parts_in_conf_d_are_laid_over_the_file_in_the_order_of_their_names(
    home: Path,
) -> None:
    main = write(home / "etc/inboxd.toml", "[run]\nplaces = 5\nasync_places = 5")
    second = write(home / "etc/conf.d/20-b.toml", "[run]\nplaces = 7")
    first = write(home / "etc/conf.d/10-a.toml", "[run]\nplaces = 6\nasync_places = 6")
    write(home / "etc/conf.d/.hidden.toml", "[run]\nplaces = 9")
    write(home / "etc/conf.d/30-c.toml.bak", "[run]\nplaces = 9")

    settings = load(home, config=main)

    assert (7, 6, (main, first, second)) == (
        settings.run.places,
        settings.run.async_places,
        settings.files,
    )


def test_parts_in_conf_d_are_read_when_the_main_file_is_not_there(home: Path) -> None:
    part = write(home / ".config/inboxd/conf.d/a.toml", "[run]\nplaces = 6")

    settings = load(home)

    assert (6, (part,)) == (settings.run.places, settings.files)


def test_a_relative_path_in_a_file_starts_from_that_file(home: Path) -> None:
    main = write(home / "etc/inboxd.toml", '[inbox]\npath = "../drop"\n[store]\nurl="sqlite:///x"')
    write(home / "etc/conf.d/a.toml", '[state]\npath = "kept"')

    settings = load(home, config=main)

    assert (home / "drop", home / "etc/conf.d/kept", f"sqlite:///{home}/etc/x") == (
        settings.inbox.path,
        settings.state.path,
        settings.store.url,
    )


def test_a_relative_path_of_a_flag_or_a_variable_starts_from_the_current_directory(
    home: Path,
) -> None:
    settings = load(home, overrides={"state.path": "kept"}, INBOXD_INBOX__PATH="../drop")

    assert (home / "cwd/kept", home / "drop") == (settings.state.path, settings.inbox.path)


def test_a_tilde_is_the_home_directory(home: Path) -> None:
    settings = load(home, INBOXD_STATE__PATH="~/kept", INBOXD_INBOX__PATH="/srv/~/x")

    assert (home / "kept", Path("/srv/~/x")) == (settings.state.path, settings.inbox.path)


def test_the_directories_of_the_unit_win_over_those_of_the_user(home: Path) -> None:
    config = write(home / "etc/inboxd.toml", "[run]\nplaces = 3")

    settings = load(
        home,
        STATE_DIRECTORY="/var/lib/inboxd:/var/lib/other",
        CONFIGURATION_DIRECTORY=str(config.parent),
        XDG_STATE_HOME="/x",
        XDG_CONFIG_HOME="/y",
    )

    assert (Path("/var/lib/inboxd"), 3) == (settings.state.path, settings.run.places)


def test_the_directories_of_the_user_may_be_elsewhere(home: Path) -> None:
    config = write(home / "c/inboxd/inboxd.toml", "")

    settings = load(home, XDG_STATE_HOME=f"{home}/s", XDG_CONFIG_HOME=f"{home}/c")

    assert (home / "s/inboxd", (config,)) == (settings.state.path, settings.files)


def test_a_relative_directory_of_the_user_is_ignored(home: Path) -> None:
    settings = load(home, XDG_STATE_HOME="s")

    assert home / ".local/state/inboxd" == settings.state.path


def test_a_variable_names_the_file(home: Path) -> None:
    config = write(home / "mine.toml", "[run]\nplaces = 3")

    settings = load(home, INBOXD_CONFIG="../mine.toml")

    assert (3, (config,)) == (settings.run.places, settings.files)


def test_a_named_file_that_is_not_there_is_an_error(home: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(home, INBOXD_CONFIG="none.toml")

    assert (f"{home}/cwd/none.toml: no such file ($INBOXD_CONFIG names it)",) == (
        caught.value.problems
    )


def test_a_list_in_a_variable_is_written_with_commas_or_as_in_toml(home: Path) -> None:
    settings = load(
        home, INBOXD_RUN__ENVIRONMENT='["A=1,2", "B"]', INBOXD_PLUGINS__DISABLE="x, y*,"
    )

    assert (settings.run.environment, settings.plugins.disable) == (("A=1,2", "B"), ("x", "y*"))


def test_executors_are_switched_off_in_files_and_variables(home: Path) -> None:
    config = write(
        home / "inboxd.toml",
        "[executors.command]\nenabled = false\n[executors.my-tool]\nenabled = true",
    )

    settings = load(
        home,
        config=config,
        INBOXD_EXECUTORS__MY_TOOL__ENABLED="no",
        INBOXD_EXECUTORS__NOOP__ENABLED="false",
    )

    off = ExecutorSettings(enabled=False)
    assert {"command": off, "my-tool": off, "noop": off} == settings.executors


def test_the_options_of_executors_and_plugins_are_merged_key_by_key(home: Path) -> None:
    main = write(
        home / "etc/inboxd.toml",
        "[executors.http]\nenabled = false\ntimeout = 5\nhosts = ['a', 'b']\n"
        "[plugins.policy]\nmax_tasks = 5\nsince = 2026-11-24\n"
        "[plugins.policy.owners]\ndeploy = ['http']\n",
    )
    write(
        home / "etc/conf.d/a.toml",
        "[executors.http]\nhosts = ['c']\n[plugins.policy.owners]\nme = []\n[plugins.audit]",
    )

    settings = load(home, config=main)

    options = {"timeout": 5, "hosts": ["c"]}
    assert {"http": ExecutorSettings(enabled=False, options=options)} == settings.executors
    assert {
        "policy": {"max_tasks": 5, "since": date(2026, 11, 24), "owners": {"me": []}},
        "audit": {},
    } == settings.plugins.options


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("true", True),
        ('["a", "b"]', ["a", "b"]),
        ("{a = 1}", {"a": 1}),
        ('"8"', "8"),
        ("some text", "some text"),
        ("https://example.org/#x", "https://example.org/#x"),
        ("1\nx = 2", "1\nx = 2"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_an_option_in_a_variable_is_a_value_of_toml_or_the_text_itself(
    home: Path, text: str, value: object
) -> None:
    settings = load(home, INBOXD_EXECUTORS__X__KEY=text, INBOXD_PLUGINS__Y__KEY=text)

    assert {"key": value} == settings.executors["x"].options
    assert {"y": {"key": value}} == settings.plugins.options


def test_paths_of_a_program_start_from_the_file_that_says_so(home: Path) -> None:
    main = write(
        home / "etc/inboxd.toml",
        "[executors.a]\nargv = ['bin/a', 'x/y']\ninputs_schema = 'a.json'\n"
        "[executors.b]\nargv = ['b']\ninputs_schema = {type = 'object'}\n"
        "[executors.c]\ncwd = 'not/a/program'\n",
    )
    write(home / "etc/conf.d/a.toml", "[executors.a]\ncwd = '../work'")

    settings = load(home, config=main)

    assert {
        "a": {
            "argv": [f"{home}/etc/bin/a", "x/y"],
            "inputs_schema": f"{home}/etc/a.json",
            "cwd": f"{home}/etc/work",
        },
        "b": {"argv": ["b"], "inputs_schema": {"type": "object"}},
        "c": {"cwd": "not/a/program"},
    } == {name: dict(one.options) for name, one in settings.executors.items()}


def test_directories_of_python_start_from_the_file_that_says_so(home: Path) -> None:
    main = write(
        home / "etc/inboxd.toml",
        "[executors.python]\npath = ['code', '/srv', '~/jobs', 3]\n"
        "[executors.x]\npath = ['code']\n",
    )

    settings = load(home, config=main)
    of_a_variable = load(home, INBOXD_EXECUTORS__PYTHON__PATH='["code"]')

    assert settings.executors["python"].options == {
        "path": [f"{home}/etc/code", "/srv", f"{home}/jobs", 3]
    }
    assert settings.executors["x"].options == {"path": ["code"]}
    assert of_a_variable.executors["python"].options == {"path": [f"{home}/cwd/code"]}


def test_where_an_option_of_an_executor_was_said_is_kept(home: Path) -> None:
    main = write(home / "etc/inboxd.toml", "[executors.x]\na = 1\nb = 2\n")
    write(home / "etc/conf.d/more.toml", "[executors.x]\nb = 3\n")

    settings = load(home, config=main, INBOXD_EXECUTORS__X__C="4")

    assert settings.executors["x"].sources == {
        "a": f"{home}/etc/inboxd.toml",
        "b": f"{home}/etc/conf.d/more.toml",
        "c": "$INBOXD_EXECUTORS__X__C",
    }


def test_a_variable_is_about_the_name_and_the_key_that_the_files_speak_of(home: Path) -> None:
    config = write(
        home / "inboxd.toml",
        '[executors.my-tool]\nmax-size = 1\n[plugins."a.B"]\nX-y = 1\n',
    )

    settings = load(
        home,
        config=config,
        INBOXD_EXECUTORS__MY_TOOL__MAX_SIZE="2",
        INBOXD_PLUGINS__A_B__X_Y="2",
    )

    assert {"my-tool": ExecutorSettings(options={"max-size": 2})} == settings.executors
    assert settings.plugins.options == {"a.B": {"X-y": 2}}


def test_notify_and_the_directory_of_programs_are_set(home: Path) -> None:
    config = write(
        home / "etc/inboxd.toml",
        "[plugins]\ndirectory = 'executors'\n"
        "[notify]\nargv = ['sendmail', '-t', '']\non = ['completed']",
    )

    settings = load(home, config=config, INBOXD_NOTIFY__ON="cancelled,rejected")

    assert home / "etc/executors" == settings.plugins.directory
    assert NotifySettings(argv=("sendmail", "-t", ""), on=("cancelled", "rejected")) == (
        settings.notify
    )


def test_the_directory_of_programs_may_be_taken_back(home: Path) -> None:
    config = write(home / "inboxd.toml", "[plugins]\ndirectory = 'executors'")

    settings = load(home, config=config, INBOXD_PLUGINS__DIRECTORY="none")

    assert (settings.plugins.directory, settings.notify.argv) == (None, ())


def test_the_default_time_limit_may_be_set_and_taken_back(home: Path) -> None:
    config = write(home / "inboxd.toml", '[run]\ndefault_timeout = "2h"')

    limits = [
        load(home, config=config).run.default_timeout_seconds,
        load(home, config=config, INBOXD_RUN__DEFAULT_TIMEOUT="none").run.default_timeout_seconds,
    ]

    assert limits == [7200.0, None]


def test_all_problems_of_all_sources_are_reported_at_once(home: Path) -> None:
    actual = problems_of(
        home,
        "[run]\nplaces = 0\nplacess = 1\n[inbx]\n",
        overrides={"state.pth": "x"},
        environ={"INBOXD_LOG__LEVEL": "infos"},
    )

    assert actual == [
        'unknown key "placess" in [run]; did you mean "places"?',
        'unknown section [inbx]; did you mean "inbox"?',
        'unknown setting "state.pth"; did you mean "state.path"?',
        "[run] places: must be at least 1",
        '$INBOXD_LOG__LEVEL: must be one of "debug", "info", "warning", "error";'
        ' did you mean "info"?',
    ]


@pytest.mark.parametrize("section", ["retention"])
def test_a_section_of_a_later_version_is_an_error_that_says_so(home: Path, section: str) -> None:
    actual = problems_of(home, f"[{section}]\n", environ={f"INBOXD_{section.upper()}__X": "1"})

    sentence = f"[{section}] comes with a later version of inboxd; take it out for this one"
    assert [sentence, f"$INBOXD_{section.upper()}__X: {sentence}"] == actual


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[run]\nplaces = "many"', "[run] places: must be a whole number"),
        ("[run]\nplaces = true", "[run] places: must be a whole number"),
        ("[run]\nplaces = 2.0", "[run] places: must be a whole number"),
        ("[run]\nplaces = 10001", "[run] places: must be at most 10000"),
        ("[run]\ngrace = inf", "[run] grace: a duration is a number of seconds, or text like"),
        ('[run]\ngrace = "20000d"', "[run] grace: must be at most 87600h"),
        ("[run]\ndefault_timeout = 0", "[run] default_timeout: must be at least 1ms"),
        ("[run]\nmax_output_bytes = 1", "[run] max_output_bytes: must be at least 4096"),
        ('[run]\nenvironment = "A"', '[run] environment: must be a list of texts: ["a", "b"]'),
        ("[run]\nenvironment = [1]", '[run] environment: must be a list of texts: ["a", "b"]'),
        ('[run]\nenvironment = ["A-B=1"]', '[run] environment: "A-B=1": must be NAME or NAME=v'),
        ('[plugins]\nallow = [""]', "[plugins] allow: must not hold an empty text or a NUL"),
        ("[inbox]\nallow_world = 1", "[inbox] allow_world: must be true or false"),
        ("[inbox]\nallow_world = true", "[inbox] allow_world: lets every user of the machine"),
        ("[inbox]\npath = 1", "[inbox] path: must be text, in quotes"),
        ('[inbox]\npath = ""', "[inbox] path: must not be empty"),
        ('[inbox]\npath = "a\\u0000"', "[inbox] path: must not hold a NUL character"),
        ('[inbox]\npath = "/"', "[inbox] path: / must not hold the state directory"),
        ('[store]\nurl = "postgresql://x"', '[store] url: must be "sqlite:///FILE": this version'),
        ('[store]\nurl = "sqlite://"', '[store] url: must be "sqlite:///FILE": this version'),
        ('[store]\nurl = "sqlite:///a?b"', '[store] url: must be "sqlite:///FILE" with nothing'),
        ('[state]\npath = "a?b"', "[state] path: "),
        ("run = 1", "run is a section: write [run]"),
        ("places = 1", '"places" stands outside of any section; known are: inbox'),
        ("executors.noop = false", "executors.noop is a section: write [executors.noop]"),
        ("[executors.noop]\nenabled = 1", "[executors.noop] enabled: must be true or false"),
        ("[plugins]\nx = 1", 'unknown key "x" in [plugins]; known are: allow, disable, directory'),
        ("[plugins.allow]\nx = 1", '[plugins] allow: must be a list of texts: ["a", "b"]'),
        ('[plugins]\ndirectory = ""', "[plugins] directory: must not be empty"),
        ('[notify]\non = ["fail"]', '[notify] on: each must be one of "failed", "rejected",'),
        ('[notify]\nargv = ["", "x"]', "[notify] argv: must not hold an empty text or a NUL"),
        ('[notify]\nargs = ["x"]', 'unknown key "args" in [notify]; did you mean "argv"?'),
        ("[run\n", "not valid TOML: "),
        ('[run]\n"\\u001b[2J" = 1', 'unknown key "\\x1b[2J" in [run]; known are: places,'),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_what_is_wanted(
    home: Path, text: str, problem: str
) -> None:
    actual = problems_of(home, text)

    assert [problem] == [sentence[: len(problem)] for sentence in actual]


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("INBOXD_RUN__PLACES", "x", "$INBOXD_RUN__PLACES: must be a whole number"),
        ("INBOXD_RUN__PLACES", "", "$INBOXD_RUN__PLACES: must be a whole number"),
        ("INBOXD_RUN__PLACE", "4", "$INBOXD_RUN__PLACE: there is no such setting; did you mean"),
        (
            "INBOXD_ZQZQ__W",
            "4",
            "$INBOXD_ZQZQ__W: there is no such setting; the form is INBOXD_SECTION",
        ),
        ("INBOXD_RUN_PLACES", "4", "$INBOXD_RUN_PLACES: did you mean $INBOXD_RUN__PLACES?"),
        ("INBOXD_RUN__GRACE", "nan", "$INBOXD_RUN__GRACE: a duration is a number of seconds"),
        ("INBOXD_INBOX__ALLOW_WORLD", "maybe", "$INBOXD_INBOX__ALLOW_WORLD: must be true or false"),
        ("INBOXD_RUN__ENVIRONMENT", "[1", "$INBOXD_RUN__ENVIRONMENT: must be a list of texts"),
        ("INBOXD_EXECUTORS____ENABLED", "1", "$INBOXD_EXECUTORS____ENABLED: there is no such"),
        ("INBOXD_EXECUTORS__X", "2", "$INBOXD_EXECUTORS__X: there is no such setting"),
        ("INBOXD_PLUGINS__ALLOW__X", "2", "$INBOXD_PLUGINS__ALLOW__X: there is no such setting"),
        ("INBOXD_PLUGINS__X__Y__Z", "2", "$INBOXD_PLUGINS__X__Y__Z: there is no such setting"),
        ("INBOXD_EXECUTORS__X__ENABLED", "2", "$INBOXD_EXECUTORS__X__ENABLED: must be true or"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_with_what_is_wanted(
    home: Path, variable: str, value: str, problem: str
) -> None:
    actual = problems_of(home, environ={variable: value})

    assert [problem] == [sentence[: len(problem)] for sentence in actual]


def test_variables_that_a_command_of_inboxd_has_are_left_alone(home: Path) -> None:
    settings = load(home, INBOXD_TREE_ID="x", INBOXD_ATTEMPT="1", INBOXD_FAILPOINT="y")

    assert load(home) == settings


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"[run]\n\xff", "not UTF-8 (byte 6)"),
        (b"#" * (1024 * 1024 + 1), "larger than 1048576 bytes: is this a configuration?"),
        (b"x = " + b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(home: Path, data: bytes, problem: str) -> None:
    config = home / "inboxd.toml"
    config.write_bytes(data)

    with pytest.raises(ConfigurationError) as caught:
        load(home, config=config)

    assert (f"{config}: {problem}",) == caught.value.problems


def test_a_directory_in_place_of_the_file_is_named(home: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(home, config=home)

    assert (f"{home}: is a directory, not a configuration",) == caught.value.problems


def test_a_fifo_in_conf_d_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    main = tmp_path / "inboxd.toml"
    main.write_text("")
    parts = tmp_path / "conf.d"
    parts.mkdir()
    os.mkfifo(parts / "a.toml")

    with pytest.raises(ConfigurationError) as raised:
        load_settings(config=main, environ={}, cwd=tmp_path)

    assert (f"{parts}/a.toml: is no regular file, not a configuration",) == (raised.value.problems)
