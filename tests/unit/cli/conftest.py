"""A store in a state directory, and the command line on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxd.cli.main import run_command_line

from ..store.build_store import StoreBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a state directory, and an environment in which nothing else of inboxd is found."""
    for variable in ("INBOXD_STATE__PATH", "INBOXD_CONFIG", "STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user-state"))
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def store(state: Path) -> Iterator[StoreBuilder]:
    """Give an empty store in the state directory."""
    builder = StoreBuilder(state)
    yield builder
    builder.close()


@pytest.fixture
def run(state: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Give a function that runs a verb on that state: (exit code, stdout, stderr)."""

    def run_verb(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run_command_line([*arguments, "--state", str(state)])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run_verb
