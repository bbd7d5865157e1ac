"""
The receipts of the broken examples; run as a program it writes them anew.

The executors are the built-in ones, as in a daemon without plugins.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from inboxd.array import RejectedArray, check_array
from inboxd.executors.command import Command
from inboxd.executors.noop import Noop
from inboxd.plugins.catalog import ExecutorCatalog

__all__ = ["DIRECTORY", "example_names", "receipt_of", "receipt_path"]

DIRECTORY = Path(__file__).parents[3] / "inbox" / "examples" / "invalid"


def example_names() -> list[str]:
    """Return the names of all broken examples, without suffix."""
    names = (path.name for path in DIRECTORY.glob("*.json"))
    return sorted(
        name.removesuffix(".json") for name in names if not name.endswith(".receipt.json")
    )


def receipt_path(name: str) -> Path:
    """Return where the receipt of an example lies."""
    return DIRECTORY / f"{name}.receipt.json"


def receipt_of(name: str) -> dict[str, Any]:
    """Return the receipt that an example gets, without `received_at`."""
    data = (DIRECTORY / f"{name}.json").read_bytes()
    catalog = ExecutorCatalog({"command": Command(), "noop": Noop()})
    result = check_array(data, catalog=catalog)
    assert isinstance(result, RejectedArray)
    return {
        "format": 1,
        "file": f"{name}.json",
        "accepted": False,
        "sha256": hashlib.sha256(data).hexdigest(),
        "errors": [problem.to_dict() for problem in result.problems],
    }


if __name__ == "__main__":
    for each in example_names():
        text = json.dumps(receipt_of(each), indent=2, ensure_ascii=False)
        receipt_path(each).write_text(text + "\n", encoding="utf-8")
