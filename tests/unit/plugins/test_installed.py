"""Finding plugins: one name twice, one distribution twice, and lists that cannot be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.config.settings import InboxSettings, Settings, StateSettings, StoreSettings
from inboxd.plugins.installed import installed_plugins
from inboxd.plugins.manager import Plugins, load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

HOOK = "from inboxd import hookimpl\n@hookimpl{options}\ndef inboxd_daemon_started(): pass\n"


class Site:
    """Directories on sys.path, each with distributions."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self._patch = monkeypatch
        self.modules: list[str] = []

    def install(
        self, distribution: str, entry_points: str, *, module: str = "", source: str = "", at: str
    ) -> None:
        directory = self._path / at
        info = directory / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_bytes(entry_points.encode("latin-1"))
        if module:
            (directory / f"{module}.py").write_text(source)
            self.modules.append(module)
        self._patch.syspath_prepend(directory)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Site(tmp_path, monkeypatch)
    yield made
    for name in made.modules:
        sys.modules.pop(name, None)


def _load() -> Plugins:
    here = Path("/nowhere")
    return load_plugins(
        Settings(
            inbox=InboxSettings(path=here),
            store=StoreSettings(url="sqlite://"),
            state=StateSettings(path=here),
        )
    )


def _plugin(site: Site, distribution: str, name: str, module: str, options: str = "") -> None:
    source = HOOK.format(options=options)
    entry_points = f"[inboxd]\n{name} = {module}\n"
    site.install(distribution, entry_points, module=module, source=source, at=distribution)


def test_two_plugins_of_one_name_are_both_left_out(site: Site) -> None:
    _plugin(site, "dist-a", "same", "plug_one")
    _plugin(site, "dist-b", "same", "plug_two")

    plugins = _load()

    reason = "dist-a and dist-b each have a plugin named same; neither is used: uninstall one"
    assert [(one.name, one.reason) for one in plugins.broken] == [("same", reason)] * 2
    assert "plug_one" not in sys.modules


def test_a_plugin_with_the_name_of_a_built_in_one_is_left_out(site: Site) -> None:
    _plugin(site, "dist-a", "command", "plug_one")

    plugins = _load()

    (broken,) = plugins.broken
    assert broken.distribution == "dist-a"
    assert broken.reason.endswith("each have a plugin named command; the built-in one is used")
    assert "command" in plugins.executors


def test_of_a_distribution_that_is_there_twice_the_first_counts(site: Site) -> None:
    for at, module in (("old", "plug_old"), ("new", "plug_new")):
        source = HOOK.format(options="")
        entry_points = f"[inboxd]\nmine = {module}\n"
        site.install("dist-a", entry_points, module=module, source=source, at=at)

    plugins = _load()

    assert plugins.broken == ()
    assert plugins.entry_points["mine"].value == "plug_new"


@pytest.mark.parametrize("text", ["[inboxd]\nno equals sign\n", "[inboxd]\nx = \xff\n"])
def test_a_list_that_cannot_be_read_hides_no_other(site: Site, text: str) -> None:
    _plugin(site, "dist-a", "good", "plug_good")
    site.install("dist-b", text, at="b")

    found, broken = installed_plugins()

    assert {"good", "command"} <= {one.name for one in found}
    (report,) = broken
    assert report.name == "dist_b"
    assert report.reason.startswith("what is installed of it cannot be read; install it again")


def test_a_name_that_no_table_could_have_is_refused(site: Site) -> None:
    _plugin(site, "dist-a", "../a b", "plug_one")

    (broken,) = _load().broken

    assert broken.reason == "the name of its entry point is not made of letters, digits and ._-"


def test_who_wants_to_be_first_or_last_is(site: Site) -> None:
    _plugin(site, "dist-a", "a", "plug_a", "(trylast=True)")
    _plugin(site, "dist-b", "b", "plug_b")
    _plugin(site, "dist-c", "c", "plug_c", "(tryfirst=True)")

    called = [
        name for name in _load().hooks.plugins_with("inboxd_daemon_started") if len(name) == 1
    ]

    assert called == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (HOOK.format(options="(wrapper=True)"), "it is a wrapper"),
        (HOOK.format(options="").replace("def", "async def"), "it is a coroutine function"),
        ("def inboxd_daemon_started(): pass\n", "is not marked with @hookimpl"),
        ("", "has no @hookimpl and no @executor, and is no executor"),
    ],
)
def test_a_hook_that_cannot_be_called_is_said(site: Site, source: str, reason: str) -> None:
    site.install("dist-a", "[inboxd]\na = plug_a\n", module="plug_a", source=source, at="a")

    (broken,) = _load().broken

    assert reason in broken.reason
    assert not broken.is_part


def test_a_broken_hook_leaves_the_others_of_its_plugin_working(site: Site) -> None:
    source = HOOK.format(options="") + "@hookimpl\ndef inboxd_tree_endet(tree): pass\n"
    site.install("dist-a", "[inboxd]\na = plug_a\n", module="plug_a", source=source, at="a")

    plugins = _load()

    (broken,) = plugins.broken
    assert broken.is_part
    assert 'there is no hook inboxd_tree_endet; did you mean "inboxd_tree_ended"?' in broken.reason
    assert "a" in plugins.hooks.plugins_with("inboxd_daemon_started")
