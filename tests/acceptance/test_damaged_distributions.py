"""A distribution whose metadata is damaged, which need not be a plugin, stops nothing."""

from __future__ import annotations

import importlib.metadata
import threading
from typing import TYPE_CHECKING

import pytest

from inboxd.imports import without_entry_points

from .plugin_site import PluginSite

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon


@pytest.mark.parametrize(
    "entry_points",
    [b"\xff\xfe no text", b"[console_scripts]\nno value\n", b"no section = a:b\n"],
)
def test_the_daemon_runs_beside_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_daemon: MakeDaemon,
    entry_points: bytes,
) -> None:
    site = PluginSite(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(site.path))
    site.write_metadata("damaged", "")
    (site.path / "damaged-1.0.dist-info" / "entry_points.txt").write_bytes(entry_points)
    daemon = make_daemon()
    daemon.drop("good.json", [{"id": "a", "executor": "command", "inputs": {"argv": ["true"]}}])

    assert daemon.run_until_idle() == 0, daemon.log.read_text()


def test_only_the_importing_thread_sees_no_entry_points() -> None:
    before = importlib.metadata.entry_points
    seen: list[int] = []
    with without_entry_points():
        other = threading.Thread(target=lambda: seen.append(len(_entry_points())))
        other.start()
        other.join()
        seen.append(len(_entry_points()))

    assert seen[0] > 0
    assert seen[1] == 0
    assert importlib.metadata.entry_points is before


def _entry_points() -> importlib.metadata.EntryPoints:
    return importlib.metadata.entry_points(group="inboxd")
