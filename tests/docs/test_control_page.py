"""`docs/reference/control.md` has every route, and its examples run as they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.control.routes import ROUTES
from inboxd.testing import DaemonUnderTest
from inboxd.testing.daemon import wait_until

from .pages import ROOT, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = page(ROOT / "docs" / "reference" / "control.md")
#: All but the one that looks for the socket.
EXAMPLES = [block.text for block in PAGE.blocks("sh") if "$SOCKET" in block.text]

TREE: list[dict[str, Any]] = [
    {"id": "fetch", "executor": "noop"},
    {"id": "review", "executor": "noop", "dependencies": ["fetch"], "hold": True},
]


@pytest.fixture
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("d")
    socket = directory / "s"
    daemon = DaemonUnderTest(directory, overrides={"control.socket": str(socket)})
    with daemon:
        daemon.run([{"id": "a", "executor": "noop"}])
        daemon.drop(TREE, "nightly.json").receipt()
        wait_until(lambda: daemon.statuses()["fetch"] == "completed", "the first task")
        yield socket


@pytest.mark.skipif(not shutil.which("curl"), reason="the examples are for curl")
@pytest.mark.parametrize("script", EXAMPLES)
def test_the_examples_run_as_they_are(socket: Path, script: str) -> None:
    # A wait would end no sooner: the tree of the example is released below it.
    quick = script.replace("timeout=10", "timeout=0.1")
    run = subprocess.run(
        ["/bin/sh", "-ec", quick.replace("curl ", "curl -sS --fail-with-body ")],
        env={**os.environ, "SOCKET": str(socket)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout


def test_the_page_has_every_route_with_its_parameters() -> None:
    table = PAGE.text.partition("<!-- routes -->\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+) (\S+)` \|(.*?)\|", table, re.MULTILINE)
    shown = {(method, path): set(re.findall(r"\w+", names)) for method, path, names in rows}

    assert shown == {
        (route.method, route.path): {*route.query, *(("priority", "1") if route.body else ())}
        for route in ROUTES
    }


def test_the_forms_on_the_page_are_json() -> None:
    for block in PAGE.blocks("json"):
        json.loads(block.text)


def test_the_documents_on_the_page_have_the_keys_that_come(socket: Path) -> None:
    shown = json.loads(PAGE.blocks("json")[-1].text)
    run = subprocess.run(
        ["curl", "-sS", "--unix-socket", str(socket), "http://x/healthz"],
        capture_output=True,
        check=True,
    )
    found = json.loads(run.stdout)

    assert set(found) == set(shown)
    for part in ("scheduler", "intake", "database"):
        assert set(found[part]) == set(shown[part])
