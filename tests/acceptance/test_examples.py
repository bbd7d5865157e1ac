"""The files of `inbox/examples/` run as their README says: each is taken, and ends as expected."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .real_daemon import SETTLE

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "inbox" / "examples"
EXPECTED = Path(__file__).parent / "expected"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))

#: The six trees of the API's examples: id, name, parent, dependencies (required or not), priority.
Shape = list[tuple[str, str, str | None, list[tuple[str, bool]], int]]
SHAPES: dict[str, Shape] = {
    "01-sequential-pipeline": [
        ("fetch_data", "fetch_data", None, [], 1),
        ("process_data", "process_data", "fetch_data", [("fetch_data", True)], 2),
        ("save_results", "save_results", "process_data", [("process_data", True)], 3),
    ],
    "02-parallel-execution": [
        ("root_task", "root_task", None, [], 1),
        ("fetch_api_a", "fetch_api_a", "root_task", [], 2),
        ("fetch_api_b", "fetch_api_b", "root_task", [], 2),
        (
            "merge_results",
            "merge_results",
            "root_task",
            [("fetch_api_a", True), ("fetch_api_b", True)],
            3,
        ),
    ],
    "03-priorities": [
        ("root_task", "root_task", None, [], 1),
        ("urgent_task", "urgent_task", "root_task", [], 0),
        ("normal_task", "normal_task", "root_task", [], 2),
        ("low_task", "low_task", "root_task", [], 3),
    ],
    "04-complex-workflow": [
        ("data_collection", "data_collection", None, [], 1),
        ("collect_source1", "collect_source1", "data_collection", [], 2),
        ("collect_source2", "collect_source2", "data_collection", [], 2),
        (
            "process_data",
            "process_data",
            "data_collection",
            [("collect_source1", True), ("collect_source2", True)],
            3,
        ),
        ("validate_data", "validate_data", "data_collection", [("process_data", True)], 4),
        ("save_data", "save_data", "data_collection", [("process_data", True)], 4),
        (
            "notify",
            "notify",
            "data_collection",
            [("save_data", True), ("validate_data", False)],
            5,
        ),
    ],
    "05-fallback": [
        ("primary_service", "primary_service", None, [], 1),
        (
            "fallback_service",
            "fallback_service",
            "primary_service",
            [("primary_service", False)],
            2,
        ),
        (
            "finalize",
            "finalize",
            "primary_service",
            [("primary_service", False), ("fallback_service", False)],
            3,
        ),
    ],
    "06-task-array": [
        ("task_1", "fetch_data", None, [], 1),
        ("task_2", "process_data", "task_1", [("task_1", True)], 2),
        ("task_3", "save_results", "task_2", [("task_2", True)], 3),
    ],
}


def load(path: Path) -> Any:
    """Return the JSON document in *path*."""
    return json.loads(path.read_bytes())


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the daemon until it was idle."""

    inbox: Path
    exit_status: int
    errors: str

    def receipt(self, name: str) -> Any:
        """Return the receipt of the accepted file *name*."""
        return load(self.inbox / "accepted" / f"{name}.receipt.json")

    def result(self, name: str) -> Any:
        """Return the result document of the file *name*."""
        return load(self.inbox / "results" / f"{name}.result.json")

    def tasks(self, name: str) -> dict[str, Any]:
        """Return the tasks of the result document, by their ids."""
        return {task["id"]: task for task in self.result(name)["tasks"]}


def run_until_idle(directory: Path, names: Iterable[str]) -> Run:
    """Run a daemon of its own in *directory* on copies of the examples *names*."""
    inbox = directory / "inbox"
    inbox.mkdir(mode=0o755)
    for name in names:
        shutil.copy(EXAMPLES / f"{name}.json", inbox)
    environment = {key: value for key, value in os.environ.items() if "INBOXD" not in key}
    (directory / "runtime").mkdir(mode=0o700)
    environment["XDG_RUNTIME_DIR"] = str(directory / "runtime")
    environment["INBOXD_INBOX__SETTLE"] = SETTLE
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "inboxd", "run", "--until-idle"),
            *("--inbox", str(inbox), "--state", str(directory / "state")),
        ],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Run(inbox=inbox, exit_status=ended.returncode, errors=ended.stderr)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All examples, dropped at once."""
    return run_until_idle(tmp_path_factory.mktemp("examples"), NAMES)


def test_a_run_in_which_one_tree_fails_by_design_exits_with_1(everything: Run) -> None:
    assert everything.exit_status == 1, everything.errors


def test_a_run_in_which_every_tree_completes_exits_with_0(tmp_path: Path) -> None:
    run = run_until_idle(tmp_path, ["01-sequential-pipeline"])

    assert run.exit_status == 0, run.errors


def test_every_example_has_its_expected_result() -> None:
    expected = sorted(path.stem for path in EXPECTED.glob("*.json"))

    assert expected == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_accepted_with_a_receipt(everything: Run, name: str) -> None:
    source = EXAMPLES / f"{name}.json"
    receipt = everything.receipt(name)
    document = load(source)
    tasks = document if isinstance(document, list) else document["tasks"]

    assert receipt["accepted"] is True
    assert receipt["file"] == source.name
    assert receipt["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert receipt["warnings"] == []
    assert list(receipt["tasks"]) == [task["id"] for task in tasks]
    assert receipt["tasks"] == {task["id"]: f"{receipt['tree_id']}/{task['id']}" for task in tasks}


def test_every_file_has_moved_out_of_the_inbox(everything: Run) -> None:
    left = sorted(path.name for path in everything.inbox.glob("*.json"))
    accepted = sorted(path.name for path in (everything.inbox / "accepted").iterdir())

    assert left == []
    assert accepted == sorted([f"{n}.json" for n in NAMES] + [f"{n}.receipt.json" for n in NAMES])


@pytest.mark.parametrize("name", NAMES)
def test_a_tree_ends_as_documented(everything: Run, name: str) -> None:
    expected = load(EXPECTED / f"{name}.json")
    result = everything.result(name)

    assert result["status"] == expected["status"]
    assert result["file"] == f"{name}.json"
    assert result["tree_id"] == everything.receipt(name)["tree_id"]
    assert [task["id"] for task in result["tasks"]] == list(expected["tasks"])


@pytest.mark.parametrize("name", NAMES)
def test_a_task_ends_as_documented(everything: Run, name: str) -> None:
    expected = load(EXPECTED / f"{name}.json")["tasks"]
    actual: dict[str, Any] = {}
    for task_id, task in everything.tasks(name).items():
        known = {key: task[key] for key in expected[task_id]}
        if task["error"] is not None:
            error = expected[task_id]["error"] or {}
            known["error"] = {key: task["error"].get(key) for key in error}
        actual[task_id] = known

    assert actual == expected


def test_tasks_start_in_the_order_of_their_priorities(everything: Run) -> None:
    tasks = everything.tasks("03-priorities")
    in_order = ["urgent_task", "root_task", "normal_task", "low_task"]
    starts = [tasks[task_id]["started_at"] for task_id in in_order]

    assert starts == sorted(starts)


@pytest.mark.parametrize("name", NAMES)
def test_no_task_starts_before_its_dependencies_have_ended(everything: Run, name: str) -> None:
    tasks = everything.tasks(name)
    document = load(EXAMPLES / f"{name}.json")
    specs = document if isinstance(document, list) else document["tasks"]
    early: list[tuple[str, str]] = []
    for spec in specs:
        if spec.get("join") == "any" or tasks[spec["id"]]["attempts"] == 0:
            continue
        for edge in spec.get("dependencies", ()):
            dependency = edge if isinstance(edge, str) else edge["id"]
            if tasks[spec["id"]]["started_at"] < tasks[dependency]["ended_at"]:
                early.append((spec["id"], dependency))

    assert early == []


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_an_example_has_the_shape_of_the_tree_it_is_made_from(name: str) -> None:
    actual: Shape = [
        (
            task["id"],
            task["name"],
            task.get("parent_id"),
            [(edge["id"], edge["required"]) for edge in task.get("dependencies", ())],
            task["priority"],
        )
        for task in load(EXAMPLES / f"{name}.json")
    ]

    assert actual == SHAPES[name]


def test_the_readme_says_how_each_example_ends() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    rows = [row for row in readme.splitlines() if re.match(r"\| `\d+-[^`]+\.json`", row)]
    says = {row.split("`")[1]: row.rsplit("| `", 1)[1].split("`")[0] for row in rows}

    assert says == {f"{n}.json": load(EXPECTED / f"{n}.json")["status"] for n in NAMES}
