from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .intake_bed import ONE_TASK, IntakeBed, array

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_renamed_in_becomes_a_tree_with_receipt_and_result(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("report.json", array("a", "b", name="nightly"))
        bed.wait_idle()

        receipt = bed.read("accepted/report.receipt.json")
        result = bed.read("results/report.result.json")
        tree_id = receipt["tree_id"]

    assert bed.names() == ["accepted", "rejected", "results"]
    assert bed.names("accepted") == ["report.json", "report.receipt.json"]
    assert receipt == {
        "format": 1,
        "file": "report.json",
        "accepted": True,
        "tree_id": tree_id,
        "tasks": {"a": f"{tree_id}/a", "b": f"{tree_id}/b"},
        "task_count": 2,
        "received_at": receipt["received_at"],
        "sha256": hashlib.sha256(array("a", "b", name="nightly")).hexdigest(),
        "warnings": [],
    }
    assert (result["tree_id"], result["status"], result["file"]) == (
        tree_id,
        "completed",
        "report.json",
    )


def test_a_bad_file_goes_whole_to_rejected_and_the_others_are_unharmed(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("bad.json", b'[{"id": "a", "executor": "noop"},]')
        bed.drop("good.json")
        bed.wait_idle()

        receipt = bed.read("rejected/bad.receipt.json")

    assert bed.names("rejected") == ["bad.json", "bad.receipt.json"]
    assert (receipt["accepted"], receipt["errors"][0]["code"]) == (False, "invalid_json")
    assert (bed.inbox / "rejected/bad.json").read_bytes().endswith(b",]")
    assert bed.names("results") == ["good.result.json"]
    assert (bed.inbox / "accepted/good.json").read_bytes() == ONE_TASK
