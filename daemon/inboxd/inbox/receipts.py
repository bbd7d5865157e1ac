"""The receipt: what a person who dropped a file is told (docs/explanation/intake.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.array.problem import Problem
from inboxd.clock import rfc3339_micros
from inboxd.inbox.file_names import RECEIPT_SUFFIX
from inboxd.names import display_file_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.store.intake import OwedReceipt

__all__ = ["decode_problems", "encode_problems", "receipt_document", "receipt_name"]

_FORMAT = 1

_PROBLEMS = msgspec.json.Decoder(list[Problem])


def encode_problems(problems: Iterable[Problem]) -> bytes:
    """Return problems, or warnings, as the JSON array that the receipt will hold."""
    return msgspec.json.encode([problem.to_dict() for problem in problems])


def decode_problems(problems: bytes) -> list[Problem]:
    """Return what `encode_problems` was given."""
    return _PROBLEMS.decode(problems)


def receipt_name(answer_name: bytes) -> bytes:
    """Return `report.receipt.json` for the answers' name `report`."""
    return answer_name + RECEIPT_SUFFIX


def receipt_document(owed: OwedReceipt) -> bytes:
    """Return the receipt as it stands in its file: indented JSON, a newline at the end."""
    document: dict[str, Any] = {"format": _FORMAT, "file": display_file_name(owed.file_name)}
    if owed.tree_id is None:
        document |= {
            "accepted": False,
            "received_at": rfc3339_micros(owed.received_at),
            "sha256": owed.sha256,
            "errors": msgspec.Raw(owed.problems),
        }
    else:
        document |= {"accepted": True, "tree_id": owed.tree_id}
        if owed.duplicate:
            document["duplicate"] = True
        if owed.task_ids:
            document["tasks"] = {task: f"{owed.tree_id}/{task}" for task in owed.task_ids}
        document |= {
            "task_count": owed.task_count,
            "received_at": rfc3339_micros(owed.received_at),
            "sha256": owed.sha256,
            "warnings": msgspec.Raw(owed.problems),
        }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
