"""Loading plugins: real distributions on sys.path, good ones and broken ones."""

from __future__ import annotations

import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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

EXECUTOR = """
from inboxd import plugins
from inboxd.plugins.hookspecs import hookimpl

class One:
    description = "A test's."
    inputs_schema = {schema}
    isolation = "{isolation}"
    def __init__(self, name):
        self.name = name
    def execute(self, inputs, context):
        return None

@hookimpl
def inboxd_executors():
    return [{offers}]
"""


class Site:
    """A directory on sys.path into which distributions are written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: list[str] = []

    def install(self, name: str, source: str) -> None:
        """Install a distribution with one module behind one entry point, all of one name."""
        (self.path / f"{name}.py").write_text(source)
        self.modules.append(name)
        info = self.path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[inboxd]\n{name} = {name}\n")

    def offer(
        self, name: str, *executors: str, schema: object = None, isolation: str = "async"
    ) -> None:
        """Install a plugin that offers executors of these names."""
        offers = ", ".join(f'One("{one}")' for one in executors)
        self.install(name, EXECUTOR.format(offers=offers, schema=schema, isolation=isolation))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Site(tmp_path)
    yield made
    for name in made.modules:
        sys.modules.pop(name, None)


def _load(
    *,
    allow: tuple[str, ...] = ("*",),
    disable: tuple[str, ...] = (),
    off: tuple[str, ...] = (),
    limit_seconds: float = 10.0,
) -> Plugins:
    here = Path("/nowhere")
    settings = Settings(
        inbox=InboxSettings(path=here),
        store=StoreSettings(url="sqlite://"),
        state=StateSettings(path=here),
        plugins=PluginSettings(allow=allow, disable=disable),
        executors={name: ExecutorSettings(enabled=False) for name in off},
    )
    return load_plugins(settings, limit_seconds=limit_seconds)


def _reasons(plugins: Plugins) -> list[tuple[str, str]]:
    return [(broken.name, broken.reason) for broken in plugins.broken]


def test_the_built_in_executors_come_through_the_same_door() -> None:
    names = {one.name for one in entry_points(group="inboxd") if one.dist is not None}

    assert {"command", "noop"} <= names
    assert {"command", "noop"} <= set(_load().executors)


def test_a_plugin_adds_its_executors(site: Site) -> None:
    site.offer("plug_good", "zeta", "alpha")

    plugins = _load()

    assert {"zeta", "alpha"} <= set(plugins.executors)
    assert plugins.broken == ()
    (loaded,) = (one for one in plugins.loaded if one.name == "plug_good")
    assert (loaded.distribution, loaded.executors) == ("plug_good", ("alpha", "zeta"))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named"),
        ("1 / 0", "plug_bad cannot be used: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "plug_bad cannot be used: SystemExit: 3"),
        ("raise KeyboardInterrupt", "plug_bad cannot be used: KeyboardInterrupt"),
        ("this is no python", "SyntaxError"),
        (
            "from inboxd.plugins.hookspecs import hookimpl\n"
            "@hookimpl\ndef inboxd_executor(): return []",
            'did you mean "inboxd_executors"?',
        ),
        (
            "from inboxd.plugins.hookspecs import hookimpl\n"
            "@hookimpl\ndef inboxd_executors(colour): return []",
            "Argument(s) {'colour'} are declared in the hookimpl but can not be found",
        ),
        (
            "from inboxd.plugins.hookspecs import hookimpl\n"
            "@hookimpl\ndef inboxd_executors(): raise ValueError('no licence')",
            "inboxd_executors() failed: ValueError: no licence",
        ),
        (
            "from inboxd.plugins.hookspecs import hookimpl\n"
            "@hookimpl\ndef inboxd_executors(): return [object()]",
            "which has no name, description, inputs_schema, isolation, execute",
        ),
        (
            "from inboxd.plugins.hookspecs import hookimpl\n"
            "@hookimpl\ndef inboxd_executors(): return 5",
            "inboxd_executors() failed: TypeError: 'int' object is not iterable",
        ),
    ],
)
def test_a_broken_plugin_is_reported_and_harms_no_other(
    site: Site, source: str, reason: str
) -> None:
    site.install("plug_bad", source)
    site.offer("plug_good", "works")

    plugins = _load()

    assert {"command", "noop", "works"} <= set(plugins.executors)
    ((name, said),) = _reasons(plugins)
    assert name == "plug_bad"
    assert reason in said


def test_the_traceback_of_a_broken_plugin_is_kept(site: Site) -> None:
    site.install("plug_bad", "1 / 0")

    (broken,) = _load().broken

    assert broken.traceback is not None
    assert "plug_bad.py" in broken.traceback
    assert broken.distribution == "plug_bad"


def test_a_plugin_that_hangs_at_import_is_given_up(site: Site) -> None:
    release = threading.Event()
    sys.modules["plug_release"] = release  # type: ignore[assignment]
    site.modules.append("plug_release")
    site.install("plug_slow", "import sys; sys.modules['plug_release'].wait(30)")

    plugins = _load(limit_seconds=0.2)
    release.set()

    assert {"command", "noop"} <= set(plugins.executors)
    assert _reasons(plugins) == [
        ("plug_slow", "plug_slow cannot be used: it did not return within 0.2 s")
    ]


class TestOneNameTwice:
    """Two plugins that offer an executor of one name."""

    def test_neither_gets_it_and_both_are_named(self, site: Site) -> None:
        site.offer("plug_a", "shared", "only_a")
        site.offer("plug_b", "shared", "only_b")

        plugins = _load()

        assert "shared" not in plugins.executors
        assert {"only_a", "only_b"} <= set(plugins.executors)
        reason = 'executor "shared" is offered by plug_a and plug_b; neither is used: uninstall one'
        assert _reasons(plugins) == [("plug_a", reason), ("plug_b", reason)]

    def test_a_built_in_keeps_its_name(self, site: Site) -> None:
        site.offer("plug_a", "command", "other")

        plugins = _load()

        assert type(plugins.executors["command"]).__module__ == "inboxd.executors.command"
        assert "other" in plugins.executors
        assert _reasons(plugins) == [
            (
                "plug_a",
                'executor "command" is offered by inboxd and plug_a; the built-in one is used',
            )
        ]

    def test_within_one_plugin_the_first_is_used(self, site: Site) -> None:
        site.offer("plug_a", "twice", "twice")

        plugins = _load()

        assert "twice" in plugins.executors
        assert _reasons(plugins) == [("plug_a", 'it offers two executors named "twice"')]


@pytest.mark.parametrize(
    ("allow", "disable", "is_loaded"),
    [
        (("*",), (), True),
        (("command", "noop"), (), False),
        (("plug_*",), (), True),
        (("*",), ("plug_a",), False),
        (("*",), ("plug*",), False),
        ((), (), False),
    ],
)
def test_the_settings_say_which_plugins_are_loaded(
    site: Site, allow: tuple[str, ...], disable: tuple[str, ...], is_loaded: bool
) -> None:
    site.offer("plug_a", "mine")

    plugins = _load(allow=allow, disable=disable)

    assert ("mine" in plugins.executors) == is_loaded
    assert ("plug_a" in plugins.disabled) == (not is_loaded)


def test_a_plugin_that_is_not_allowed_is_not_even_imported(site: Site) -> None:
    site.offer("plug_a", "mine")

    _load(disable=("plug_a",))

    assert "plug_a" not in sys.modules


def test_an_executor_that_is_switched_off_is_gone() -> None:
    assert "command" not in _load(off=("command",)).executors


@pytest.mark.parametrize(
    ("isolation", "reason"),
    [
        ("proces", 'executor "x": there is no isolation \'proces\'; did you mean "process"?'),
    ],
)
def test_an_isolation_that_is_not_there_breaks_the_executor_alone(
    site: Site, isolation: str, reason: str
) -> None:
    site.offer("plug_a", "x", isolation=isolation)

    plugins = _load()

    assert "x" not in plugins.executors
    assert _reasons(plugins) == [("plug_a", reason)]


@pytest.mark.parametrize("name", ["", "a b", "-x", "a/b", "x" * 129])
def test_an_executors_name_has_the_form_of_an_id(site: Site, name: str) -> None:
    site.offer("plug_a", name)

    plugins = _load()

    assert name not in plugins.executors
    ((_, reason),) = _reasons(plugins)
    assert reason.startswith("an executor's name is letters, digits")


@pytest.mark.parametrize("schema", [{"type": "strin"}, {"$ref": "https://example.org/s"}])
def test_a_schema_that_cannot_be_used_breaks_the_executor(site: Site, schema: object) -> None:
    site.offer("plug_a", "x", schema=schema)

    plugins = _load()

    assert "x" not in plugins.executors
    ((_, reason),) = _reasons(plugins)
    assert reason.startswith('executor "x": inputs_schema is no JSON Schema: ')


def test_a_plugin_says_which_of_its_hooks_it_wants_with_its_settings(site: Site) -> None:
    site.install(
        "plug_choosy",
        "from inboxd.plugins.hookspecs import hookimpl\n"
        "@hookimpl\n"
        "def inboxd_configure(configuration): return ['inboxd_daemon_started']\n"
        "@hookimpl\n"
        "def inboxd_daemon_started(): pass\n"
        "@hookimpl\n"
        "def inboxd_task_ended(task): pass\n",
    )

    plugins = _load()

    assert plugins.broken == ()
    (loaded,) = (one for one in plugins.loaded if one.name == "plug_choosy")
    assert loaded.hooks == ("inboxd_configure", "inboxd_daemon_started")
    assert "plug_choosy" not in plugins.hooks.plugins_with("inboxd_task_ended")


def test_an_entry_point_that_names_no_module_is_said(site: Site) -> None:
    site.install("plug_empty", "")
    (site.path / "plug_empty-1.0.dist-info" / "entry_points.txt").write_text(
        "[inboxd]\nplug_empty =\n"
    )

    assert ("plug_empty", 'its entry point says "", no module or module:object') in _reasons(
        _load()
    )
