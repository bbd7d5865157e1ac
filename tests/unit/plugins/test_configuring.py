"""Settings of plugins and executors: who gets them, and what is said of those that are nobody's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.config.load import load_settings
from inboxd.config.settings import (
    ExecutorSettings,
    InboxSettings,
    PluginSettings,
    Settings,
    StateSettings,
    StoreSettings,
)
from inboxd.plugins.manager import Plugins, load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = """
from inboxd import hookimpl

class One:
    name = "one"
    description = "A test's."
    inputs_schema = None
    isolation = "async"
    given = None
    def execute(self, inputs, context):
        return None

class Two(One):
    name = "two"
    def configure(self, options):
        self.given = dict(options)
        if "colour" in options:
            raise ValueError("there is no colour")
        if "crash" in options:
            raise SystemExit(5)

@hookimpl
def inboxd_configure(configuration):
    global given
    given = configuration
    if configuration.options.get("bad"):
        raise ValueError("bad is bad")
    if configuration.options.get("mute"):
        raise ValueError
    if configuration.options.get("crash"):
        raise OSError("no licence")
    return configuration.options.get("wants")

@hookimpl
def inboxd_executors():
    return [One(), Two()]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, source in {"plug_set": SOURCE, "plug_bare": "from inboxd import hookimpl\n"}.items():
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[inboxd]\n{name} = {name}\n")
    with (tmp_path / "plug_bare.py").open("a") as file:
        file.write("@hookimpl\ndef inboxd_daemon_started(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in ("plug_set", "plug_bare"):
        sys.modules.pop(name, None)


def _load(
    plugins: dict[str, dict[str, Any]] | None = None,
    executors: dict[str, dict[str, Any]] | None = None,
    disable: tuple[str, ...] = (),
) -> Plugins:
    here = Path("/nowhere")
    return load_plugins(
        Settings(
            inbox=InboxSettings(path=here),
            store=StoreSettings(url="sqlite://"),
            state=StateSettings(path=here),
            plugins=PluginSettings(options=plugins or {}, disable=disable),
            executors={
                name: ExecutorSettings(options=options)
                for name, options in (executors or {}).items()
            },
        )
    )


@pytest.mark.usefixtures("site")
def test_a_plugin_gets_its_table_and_a_directory_of_its_own() -> None:
    plugins = _load({"plug_set": {"a": [1]}})

    given = sys.modules["plug_set"].given
    assert plugins.problems == ()
    assert (given.options, given.directory) == ({"a": [1]}, Path("/nowhere/plugins/plug_set"))


@pytest.mark.usefixtures("site")
def test_an_executor_gets_its_table_and_without_one_an_empty_one() -> None:
    first: Any = _load().executors["two"]
    second: Any = _load(executors={"two": {"n": 1}}).executors["two"]

    assert (first.given, second.given) == ({}, {"n": 1})


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("plugins", "executors", "problem"),
    [
        ({"plug_set": {"bad": True}}, {}, "[plugins.plug_set]: bad is bad"),
        (
            {"plug_set": {"mute": True}},
            {},
            "[plugins.plug_set]: inboxd_configure() refuses it and does not say why",
        ),
        ({"plug_bare": {"a": 1}}, {}, "[plugins.plug_bare]: this plugin has no settings; "),
        ({"plug_sat": {}}, {}, "[plugins.plug_sat]: no plugin of this name is installed; did you "),
        ({}, {"two": {"colour": 1}}, "[executors.two]: there is no colour"),
        ({}, {"one": {"n": 1}}, "[executors.one]: this executor has no settings but `enabled`; "),
    ],
)
def test_settings_that_are_wrong_are_said(
    plugins: dict[str, dict[str, Any]], executors: dict[str, dict[str, Any]], problem: str
) -> None:
    (said,) = _load(plugins, executors).problems

    assert said.startswith(problem)


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("name", "key", "file"),
    [("two", "colour", "b.toml, a.toml"), ("one", "n", "a.toml"), ("three", "argv", "a.toml")],
)
def test_the_file_that_says_it_is_named(name: str, key: str, file: str) -> None:
    options = {"other": 1, key: []} if name == "two" else {key: []}
    table = ExecutorSettings(
        options=options, sources={one: "a.toml" if one == key else "b.toml" for one in options}
    )
    here = Path("/nowhere")
    plugins = load_plugins(
        Settings(
            inbox=InboxSettings(path=here),
            store=StoreSettings(url="sqlite://"),
            state=StateSettings(path=here),
            executors={name: table},
        )
    )

    (said,) = plugins.problems
    assert said.startswith(f"{file}: [executors.{name}]: ")


@pytest.mark.usefixtures("site")
def test_settings_of_a_plugin_that_is_kept_out_are_no_mistake() -> None:
    assert _load({"plug_set": {"bad": True}}, disable=("plug_set",)).problems == ()


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"crash": 1}, "inboxd_configure() failed: OSError: no licence"),
        (
            {"wants": ["inboxd_executers"]},
            "inboxd_configure() wants inboxd_executers, which the plugin has not",
        ),
    ],
)
def test_a_plugin_that_cannot_be_configured_is_left_out_whole(
    options: dict[str, Any], reason: str
) -> None:
    plugins = _load({"plug_set": options})

    (broken,) = plugins.broken
    assert (broken.name, broken.reason, broken.is_part) == ("plug_set", reason, False)
    assert "one" not in plugins.executors


@pytest.mark.usefixtures("site")
def test_an_executor_that_cannot_be_configured_is_left_out_alone() -> None:
    plugins = _load(executors={"two": {"crash": 1}})

    (broken,) = plugins.broken
    assert broken.reason == 'executor "two" cannot be configured: SystemExit: 5'
    assert broken.is_part
    assert "one" in plugins.executors
    assert "two" not in plugins.executors


@pytest.mark.usefixtures("site")
def test_the_file_and_the_variable_of_a_plugins_settings_are_named(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[plugins.plug_bare]\nn = 1\n")
    settings = load_settings(
        config=config, environ={"INBOXD_PLUGINS__PLUG_SET__BAD": "true"}, cwd=tmp_path
    )

    assert load_plugins(settings).problems == (
        "$INBOXD_PLUGINS__PLUG_SET__BAD: [plugins.plug_set]: bad is bad",
        f"{config}: [plugins.plug_bare]: this plugin has no settings; take the table out",
    )


@pytest.mark.usefixtures("site")
def test_a_text_is_no_list_of_hooks() -> None:
    (broken,) = _load({"plug_set": {"wants": "inboxd_executors"}}).broken

    assert broken.reason == (
        "inboxd_configure() failed: TypeError: it gave the text 'inboxd_executors', not a list of"
        " hooks"
    )
