"""What a session may be told: by keywords, by `settings`, by the environment, and by its URL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from inboxd import ConfigurationError, StoreError, create_session
from inboxd.api.session_settings import private_settings, settings_of_store, store_file


def run_settings(**keywords: Any) -> Any:
    settings = keywords.pop("settings", None)
    found, directory = private_settings(keywords, settings)
    directory.rmdir()
    return found.run


def problems_of(url: str | None = None, **arguments: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        create_session(url, **arguments)
    return raised.value.problems


def test_a_keyword_comes_before_the_environment_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    default = run_settings()
    monkeypatch.setenv("INBOXD_RUN__PLACES", "5")
    monkeypatch.setenv("INBOXD_RUN__GRACE", "90s")
    found = run_settings(places=3, async_places=None)

    assert (found.places, found.grace_seconds) == (3, 90.0)
    assert found.async_places == default.async_places


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"grace": 0.5}, "grace_seconds", 0.5),
        ({"grace": "90s"}, "grace_seconds", 90.0),
        ({"settings": {"run.grace": timedelta(minutes=1)}}, "grace_seconds", 60.0),
        ({"default_timeout": "none"}, "default_timeout_seconds", None),
        ({"max_result_bytes": "2MiB"}, "max_result_bytes", 2 * 1024 * 1024),
        ({"environment": ("LANG", "A=b")}, "environment", ("LANG", "A=b")),
        ({"settings": {"run.places": 7}, "places": 6}, "places", 6),
        ({}, "drain_timeout_seconds", 0.0),
        ({"drain_timeout": 2}, "drain_timeout_seconds", 2.0),
    ],
)
def test_values_are_those_of_python_or_those_of_a_file(
    given: dict[str, Any], field: str, value: object
) -> None:
    assert getattr(run_settings(**given), field) == value


def test_tables_of_executors_and_plugins_are_given_as_in_a_file() -> None:
    found, directory = private_settings(
        {}, {"executors.python.allow": ["jobs:*"], "executors.command.enabled": False}
    )
    directory.rmdir()

    assert found.executors["python"].options == {"allow": ["jobs:*"]}
    assert not found.executors["command"].enabled


def test_what_is_the_daemons_in_the_environment_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("STATE__PATH", "STORE__URL", "INBOX__PATH"):
        monkeypatch.setenv(f"INBOXD_{name}", str(tmp_path / "elsewhere"))
    (tmp_path / "inboxd.toml").write_text("[run]\nplaces = 1\n")
    monkeypatch.setenv("INBOXD_CONFIG", str(tmp_path / "inboxd.toml"))
    found = settings_of_store(f"sqlite:///{tmp_path}/x.db", {}, None)

    assert found.state.path == tmp_path / "x.db.state"
    assert found.store.url == f"sqlite:///{tmp_path}/x.db"
    assert found.inbox.path == tmp_path / "x.db.state" / "inbox"
    assert found.run.places > 1


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"run.plases": 1}, 'did you mean "run.places"?'),
        ({"store.url": "sqlite:///y.db"}, "[store] is the daemon's alone"),
        ({"log.level": "info"}, "[log] is the daemon's alone"),
        ({"places": 1}, 'did you mean "run.places"?'),
        ({"executors.python": 1}, "there is no such setting"),
        ({"retention.keep_days": 1}, "comes with a later version"),
        ({"run.places": 0}, "must be at least 1"),
        ({"run.places": True}, "must be a whole number"),
    ],
)
def test_a_setting_that_is_none_is_an_error_that_names_it(
    settings: dict[str, Any], problem: str
) -> None:
    (found,) = problems_of(settings=settings)

    assert found.startswith(f'create_session: "{next(iter(settings))}": ')
    assert problem in found


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOXD_RUN__ASYNC_PLACES", "many")
    problems = problems_of(places=-1, grace="soon")

    assert sorted(problem.partition(": ")[0] for problem in problems) == [
        "$INBOXD_RUN__ASYNC_PLACES", "create_session", "create_session"
    ]  # fmt: skip
    assert any('"run.places": must be at least 1' in problem for problem in problems)
    assert any('"run.grace": a duration is a number' in problem for problem in problems)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("inboxd:", "no sessions of the running daemon"),
        ("sqlite://", "call create_session() without a URL"),
        ("sqlite:///:memory:", "call create_session() without a URL"),
        (":memory:", "call create_session() without a URL"),
        ("x.db", 'is no URL of a store; write "sqlite:///FILE"'),
        ("postgresql://me:secret@host/db", "a store in postgresql is not supported"),
        ("sqlite:///x.db?mode=ro", "with nothing after the file's name"),
    ],
)
def test_a_url_that_names_no_file_is_an_error_that_says_what_to_write(
    url: str, problem: str
) -> None:
    (found,) = problems_of(url)

    assert problem in found
    assert "secret" not in found


def test_a_relative_file_starts_from_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert store_file("sqlite:///x.db") == tmp_path / "x.db"
    assert store_file("sqlite:////srv/x.db") == Path("/srv/x.db")


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no directory"):
        create_session(f"sqlite:///{tmp_path}/no/x.db")

    assert list(tmp_path.iterdir()) == []
