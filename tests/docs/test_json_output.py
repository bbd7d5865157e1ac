"""The examples of `docs/reference/json-output.md` have the keys that the verbs print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.cli.main import run_command_line
from inboxd.store.tables import TaskState
from inboxd.task import EdgeOn

from ..unit.store.build_store import NOON, StoreBuilder, TaskRow
from .pages import ROOT, page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = page(ROOT / "docs" / "reference" / "json-output.md")
ERROR = '{"code":"exit_status","message":"exit status 7","cause":null,"exit_code":7}'
RESULT = '{"exit_code":7,"stdout":"","stderr":"","truncated":false}'


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a state directory with the tree of the page in its store."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    builder = StoreBuilder(tmp_path)
    builder.add_tree(
        [
            TaskRow(id="fetch", columns={"result": RESULT}),
            TaskRow(
                id="load",
                state=TaskState.FAILED,
                edges=[(0, EdgeOn.SUCCESS)],
                columns={
                    "error": ERROR, "retry": '{"limit":1}', "attempt": 2, "result": RESULT,
                },
                details={"inputs": '{"argv":["./load"]}'},
            ),
            TaskRow(
                id="report",
                state=TaskState.SKIPPED,
                edges=[(1, EdgeOn.SUCCESS)],
                columns={"error": '{"code":"dependency_failed","message":"m","cause":"load"}'},
            ),
        ],
        name="nightly",
        file_name=b"nightly.json",
        started_at=NOON,
        ended_at=NOON + 1,
    )  # fmt: skip
    for number in (1, 2):
        builder.add_attempt(
            task=2, number=number, start_seq=number, started_at=NOON, ended_at=NOON + 1,
            outcome="exit_status", error=ERROR,
        )  # fmt: skip
    builder.close()
    return tmp_path


def keys(value: Any) -> Any:
    """Return the document with its values left out; of a list the forms of its items, each once."""
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in value.items()}
    if isinstance(value, list):
        forms: list[Any] = []
        for item in map(keys, value):
            if item not in forms:
                forms.append(item)
        return forms
    return None


@pytest.mark.parametrize(
    ("heading", "arguments"),
    [
        ("`inboxd list --json`", ["list", "--json"]),
        ("`inboxd show TREE --json`", ["show", "@", "--json"]),
        ("`inboxd show TREE/TASK --json`", ["show", "@/load", "--json"]),
        ("`inboxd tree TREE --json`", ["tree", "@", "--json"]),
        ("`inboxd explain TREE/TASK --json`", ["explain", "@/report", "--json"]),
        ("`inboxd executors --json`", ["executors", "--json"]),
        ("`inboxd executors NAME --json`", ["executors", "noop", "--json"]),
    ],
)
def test_an_example_has_the_keys_that_its_verb_prints(
    heading: str, arguments: list[str], state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    section = PAGE.text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    example = json.loads(section.split("```json\n", 1)[1].split("```", 1)[0])

    code = run_command_line([*arguments, "--state", str(state)])
    printed = json.loads(capfd.readouterr().out)

    assert code == 0
    assert keys(printed) == keys(example)
    assert list(printed) == list(example)


def test_the_example_of_plugins_has_the_keys_that_the_verb_prints(
    state: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    site = state / "site"
    info = site / "shrink-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "shrink.py").write_text("import a_library_that_is_not_there")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shrink\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[inboxd]\nshrink = shrink\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("INBOXD_PLUGINS__DISABLE", '["noop"]')
    section = PAGE.text.split("## `inboxd plugins --json`\n", 1)[1].split("\n## ", 1)[0]
    example = json.loads(section.split("```json\n", 1)[1].split("```", 1)[0])

    run_command_line(["plugins", "--json", "--state", str(state)])
    printed = json.loads(capfd.readouterr().out)

    assert list(printed) == list(example)
    for kind in ("plugins", "broken"):
        assert list(printed[kind][0]) == list(example[kind][0])
