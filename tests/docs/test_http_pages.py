"""What the pages say of `http` is so: its tables, its settings, and every tree on them runs."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.config.quantities import parse_duration, parse_size
from inboxd.testing import DaemonUnderTest
from inboxd_http import Http
from inboxd_http.schema import INPUTS_SCHEMA
from inboxd_http.settings import HttpSettings, read_settings
from inboxd_http.testing import LocalServer, answer

from .pages import ROOT, page

if TYPE_CHECKING:
    from pathlib import Path

HOW_TO = page(ROOT / "docs" / "how-to" / "http.md")
README = page(ROOT / "plugins" / "inboxd-http" / "README.md")

_JSON = {"Content-Type": "application/json"}
TREES = [json.loads(block.text) for block in [*HOW_TO.blocks("json"), *README.blocks("json")[:1]]]
#: No settings: made from them.
MADE = {"addresses", "allowed_names"}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the README, without its head."""
    below = README.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\|(.*)\|$", below, re.MULTILINE)

    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def test_every_input_is_on_the_page_as_the_schema_says_it() -> None:
    assert {row[0].strip("`"): row[1] for row in rows("Inputs")} == {
        name: schema["description"] for name, schema in INPUTS_SCHEMA["properties"].items()
    }


def test_every_setting_is_on_the_page_with_its_default() -> None:
    shown: dict[str, Any] = {}
    for name, default, _ in rows("Settings"):
        text = default.strip("`")
        value = None if text == "none" else tomllib.loads(f"value = {text}")["value"]
        if name.strip("`") in ("max_bytes", "max_saved_bytes"):
            value = parse_size(value)
        elif name.strip("`") in ("timeout", "max_retry_after"):
            value = parse_duration(value)
        shown[name.strip("`")] = tuple(value) if isinstance(value, list) else value

    defaults = HttpSettings()
    known = [one.name for one in fields(HttpSettings) if one.name not in MADE]
    assert shown == {name: getattr(defaults, name) for name in known}


@pytest.mark.parametrize("block", HOW_TO.blocks("toml"), ids=lambda block: f"line {block.line}")
def test_the_settings_on_the_page_are_settings(block: Any) -> None:
    table = tomllib.loads(block.text)["executors"]["http"]

    assert read_settings(table) != HttpSettings()


def answers() -> dict[str, bytes | list[bytes]]:
    """Return what the services on the page answer; the first time they are busy."""
    busy = answer(status="503 Service Unavailable", headers={"Retry-After": "0"})
    return {
        "/prices": [busy, answer('{"prices": [3, 8, 5]}', headers=_JSON)],
        "/highest": answer(status="201 Created"),
        "/data.csv": answer("a,b\n1,2\n"),
        "/login": answer('{"token": "t0ken-of-today"}', headers=_JSON),
        "/report": answer("the report"),
    }


@pytest.mark.parametrize("tree", TREES, ids=[f"tree{n}" for n in range(1, len(TREES) + 1)])
def test_a_tree_on_the_page_runs(tree: Any, tmp_path: Path) -> None:
    for name in ("reports-token", "reports-password"):
        (tmp_path / name).write_text("s3cret-word\n")
        (tmp_path / name).chmod(0o600)
    config = (
        '[executors.http]\nschemes = ["http"]\nallow_hosts = ["127.0.0.1"]\n'
        f"secrets_directory = {json.dumps(os.fspath(tmp_path))}\n"
    )
    directory = tmp_path / "daemon"
    directory.mkdir()
    with LocalServer() as server, DaemonUnderTest(directory, Http(), config=config) as daemon:
        server.routes.update(answers())
        text = re.sub(r"https://(api|files)\.example\.org", server.url, json.dumps(tree))
        result = daemon.run(json.loads(text))

    assert result["status"] == "completed", result
    sent = {one.target.partition("?")[0]: one for one in server.received}
    if "/highest" in sent:
        assert json.loads(sent["/highest"].body)["price"] == 8
    if "/login" in sent:
        assert sent["/report"].header("Authorization") == "Bearer t0ken-of-today"
