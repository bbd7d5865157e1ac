from __future__ import annotations

import json

from inboxd.array.problem import Problem, ProblemCode
from inboxd.inbox.receipts import decode_problems, encode_problems, receipt_document, receipt_name
from inboxd.store.intake import OwedReceipt

#: 2026-11-24T12:00:00.000001Z.
RECEIVED_AT = 1_795_521_600_000_001

PROBLEM = Problem(
    code=ProblemCode.UNKNOWN_REFERENCE,
    pointer="/tasks/3/dependencies/0",
    line=12,
    column=24,
    message='no task "fetch" in this file',
    hint='did you mean "fetch_data"?',
)
TREE = "01900000-0000-7000-8000-000000000000"


def owed(**changes: object) -> OwedReceipt:
    values = {
        "id": 1,
        "claim": "c",
        "file_name": b"caf\xe9.json",
        "answer_name": b"caf\xe9",
        "duplicate": False,
        "received_at": RECEIVED_AT,
        "sha256": "00",
        "problems": b"[]",
        "moves": (),
        "tree_id": TREE,
        "tree_name": None,
        "task_count": 2,
        "task_ids": ("a", "b"),
        **changes,
    }
    return OwedReceipt(**values)  # type: ignore[arg-type] # values by name


def test_problems_are_the_same_after_a_way_through_the_store() -> None:
    assert decode_problems(encode_problems([PROBLEM])) == [PROBLEM]


def test_the_receipt_of_an_accepted_file() -> None:
    document = receipt_document(owed())

    assert document.endswith(b"}\n")
    assert json.loads(document) == {
        "format": 1,
        "file": "caf\\xe9.json",
        "accepted": True,
        "tree_id": TREE,
        "tasks": {"a": f"{TREE}/a", "b": f"{TREE}/b"},
        "task_count": 2,
        "received_at": "2026-11-24T12:00:00.000001Z",
        "sha256": "00",
        "warnings": [],
    }


def test_the_receipt_of_a_rejected_file() -> None:
    document = receipt_document(
        owed(tree_id=None, task_count=0, task_ids=(), problems=encode_problems([PROBLEM]))
    )

    assert json.loads(document) == {
        "format": 1,
        "file": "caf\\xe9.json",
        "accepted": False,
        "received_at": "2026-11-24T12:00:00.000001Z",
        "sha256": "00",
        "errors": [
            {
                "code": "unknown_reference",
                "pointer": "/tasks/3/dependencies/0",
                "line": 12,
                "column": 24,
                "message": 'no task "fetch" in this file',
                "hint": 'did you mean "fetch_data"?',
            }
        ],
    }


def test_only_a_duplicate_says_that_it_is_one() -> None:
    assert json.loads(receipt_document(owed(duplicate=True)))["duplicate"] is True
    assert "duplicate" not in json.loads(receipt_document(owed()))


def test_a_receipt_lies_beside_its_file() -> None:
    assert receipt_name(b"report") == b"report.receipt.json"
