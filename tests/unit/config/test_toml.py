"""Writing settings, and the file of the first run."""

from __future__ import annotations

import dataclasses
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.config.keys import KEYS, SECTIONS, Kind, key_named
from inboxd.config.load import load_settings, settings_of_file
from inboxd.config.reference import reference_settings, render_markdown, render_toml
from inboxd.config.settings import (
    ExecutorSettings,
    InboxSettings,
    LogSettings,
    NotifySettings,
    PluginSettings,
    RunSettings,
    Settings,
    StateSettings,
    StoreSettings,
)
from inboxd.config.toml import first_run_path, to_toml, write_first_run_file

_CHECKOUT = Path(__file__).parents[3]

_texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)
_seconds = st.floats(min_value=0.1, max_value=3e8)
_paths = _texts.map(lambda text: Path("/srv") / text.replace("?", "_").replace("/", "_"))


def _absolute(path: Path) -> bool:
    return path.name not in {"", ".", "..", "srv"}


#: What a table with an owner elsewhere may hold.
_scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | _texts
    | st.dates()
)
_options = st.dictionaries(
    _texts,
    st.recursive(
        _scalars, lambda inner: st.lists(inner) | st.dictionaries(_texts, inner), max_leaves=5
    ),
    max_size=4,
)

_settings = st.builds(
    Settings,
    inbox=st.builds(
        InboxSettings,
        path=_paths.filter(_absolute).map(lambda path: path / "inbox"),
        settle_seconds=_seconds,
        scan_interval_seconds=_seconds,
        max_file_bytes=st.integers(1, 2**50),
        max_depth=st.integers(4, 500),
        max_tasks=st.integers(1, 2**50),
        allowed_owners=st.lists(_texts, min_size=1).map(tuple),
        allow_world=st.booleans(),
    ),
    store=st.builds(
        StoreSettings, url=_paths.filter(_absolute).map(lambda path: f"sqlite:///{path}")
    ),
    run=st.builds(
        RunSettings,
        places=st.integers(1, 10_000),
        async_places=st.integers(1, 1_000_000),
        max_interruptions=st.integers(0, 100),
        grace_seconds=_seconds,
        drain_timeout_seconds=_seconds,
        default_timeout_seconds=st.none() | _seconds,
        max_output_bytes=st.integers(4096, 2**50),
        max_result_bytes=st.integers(1, 2**50),
        environment=st.lists(_texts.map(lambda text: f"A={text}")).map(tuple),
    ),
    state=st.builds(StateSettings, path=_paths.filter(_absolute).map(lambda path: path / "state")),
    plugins=st.builds(
        PluginSettings,
        allow=st.lists(_texts).map(tuple),
        disable=st.lists(_texts).map(tuple),
        directory=st.none() | _paths.filter(_absolute),
        options=st.dictionaries(
            _texts.filter(lambda name: key_named("plugins", name) is None), _options, max_size=3
        ),
    ),
    notify=st.builds(
        NotifySettings,
        argv=st.lists(_texts).map(tuple),
        on=st.lists(st.sampled_from(["failed", "rejected", "cancelled", "completed"])).map(tuple),
    ),
    log=st.builds(
        LogSettings,
        level=st.sampled_from(["debug", "info", "warning", "error"]),
        format=st.sampled_from(["auto", "plain", "json"]),
    ),
    executors=st.dictionaries(
        _texts,
        st.builds(
            ExecutorSettings,
            enabled=st.booleans(),
            options=_options.map(lambda one: {k: v for k, v in one.items() if k != "enabled"}),
        ),
        max_size=5,
    ),
)


@given(settings=_settings)
def test_what_is_written_is_read_back_as_the_same_settings(settings: Settings) -> None:
    actual = _read_back(to_toml(settings))

    assert settings == actual


def _read_back(text: str) -> Settings:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "inboxd.toml")
        file.write_bytes(text.encode("utf-8"))
        settings = settings_of_file(file, overrides={}, environ={}, cwd=Path("/"))
    return dataclasses.replace(settings, config=None, files=())


def test_every_field_of_every_section_has_a_key() -> None:
    defaults = reference_settings()

    fields = {
        (section, field)
        for section in SECTIONS
        for field in _names_of_fields(getattr(defaults, section))
    } - {("plugins", "options"), ("plugins", "sources")}  # of the tables of plugins

    assert fields == {(key.section, key.field) for key in KEYS}


def _names_of_fields(value: InboxSettings) -> list[str]:
    return [field.name for field in dataclasses.fields(value)]


def test_every_number_of_the_defaults_is_in_its_range() -> None:
    defaults = reference_settings()

    outside = [
        str(key)
        for key in KEYS
        if key.kind in {Kind.COUNT, Kind.SIZE, Kind.DURATION}
        and not key.least <= getattr(getattr(defaults, key.section), key.field) <= key.most
    ]

    assert outside == []


def test_the_reference_file_is_the_one_that_the_code_renders() -> None:
    actual = (_CHECKOUT / "config/inboxd.toml").read_text()

    assert render_toml() == actual


def test_the_reference_page_is_the_one_that_the_code_renders() -> None:
    actual = (_CHECKOUT / "docs/reference/settings.md").read_text()

    assert render_markdown() == actual


def test_the_reference_file_gives_the_defaults(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}

    actual = load_settings(config=_CHECKOUT / "config/inboxd.toml", environ=environ, cwd=tmp_path)

    assert to_toml(load_settings(environ=environ, cwd=tmp_path)) == to_toml(actual)


def test_the_reference_file_without_its_comment_marks_is_valid(tmp_path: Path) -> None:
    text = (_CHECKOUT / "config/inboxd.toml").read_text()
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line
        for line in text.splitlines()
    )
    file = tmp_path / "inboxd.toml"
    file.write_text(uncommented)

    actual = load_settings(config=file, environ={"HOME": "/home/me"}, cwd=tmp_path)

    assert (8, {"command": ExecutorSettings()}) == (actual.run.places, actual.executors)


def test_the_checkout_has_its_inbox_and_its_state_inside(tmp_path: Path) -> None:
    actual = load_settings(config=_CHECKOUT / "config/dev.toml", environ={}, cwd=tmp_path)

    assert (actual.inbox.path, actual.state.path) == (_CHECKOUT / "inbox", _CHECKOUT / ".inboxd")


@pytest.mark.parametrize(
    ("environ", "overrides", "expected"),
    [
        ({}, {}, ".config/inboxd/inboxd.toml"),
        ({"INBOXD_RUN__PLACES": "3"}, {}, ".config/inboxd/inboxd.toml"),
        ({"INBOXD_CONFIG": "/dev/null"}, {}, None),
        ({"STATE_DIRECTORY": "/var/lib/inboxd"}, {}, None),
        ({"CONFIGURATION_DIRECTORY": "/etc/inboxd"}, {}, None),
        ({"INBOXD_INBOX__PATH": "/srv/inbox"}, {}, None),
        ({}, {"state.path": "/srv/state"}, None),
    ],
)
def test_there_is_a_file_of_the_first_run_on_the_default_paths_only(
    tmp_path: Path, environ: dict[str, str], overrides: dict[str, str], expected: str | None
) -> None:
    environ = {"HOME": str(tmp_path), **environ}
    settings = load_settings(environ=environ, overrides=overrides, cwd=tmp_path)

    actual = first_run_path(settings, environ)

    assert (None if expected is None else tmp_path / expected) == actual


def test_there_is_no_file_of_the_first_run_beside_parts_in_conf_d(tmp_path: Path) -> None:
    part = tmp_path / ".config/inboxd/conf.d/a.toml"
    part.parent.mkdir(parents=True)
    part.write_text("")
    environ = {"HOME": str(tmp_path)}

    actual = first_run_path(load_settings(environ=environ, cwd=tmp_path), environ)

    assert actual is None


def test_the_file_of_the_first_run_gives_the_same_settings(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    settings = load_settings(environ=environ, cwd=tmp_path)
    path = tmp_path / ".config/inboxd/inboxd.toml"

    written = write_first_run_file(path, settings)

    mode = stat.S_IMODE(path.stat().st_mode)
    again = load_settings(environ=environ, cwd=tmp_path)
    assert (True, 0o600, to_toml(settings)) == (written, mode, to_toml(again))


def test_the_file_of_the_first_run_is_never_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "inboxd.toml"
    path.write_text("# mine\n")

    written = write_first_run_file(path, reference_settings())

    assert (written, path.read_text()) == (False, "# mine\n")


def test_a_file_of_the_first_run_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    written = write_first_run_file(tmp_path / "file/inboxd.toml", reference_settings())

    assert written is False
