"""What an envelope says beside its tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from inboxd.array.decode import reported_values
from inboxd.array.defaults import NO_DEFAULTS, Defaults, read_defaults
from inboxd.array.fields import ENVELOPE, TASK
from inboxd.array.problem import Finding, ProblemCode
from inboxd.array.records import CheckedTask
from inboxd.array.shape import check_shape
from inboxd.array.survey import nul_in_text

if TYPE_CHECKING:
    from inboxd.array.outline import Outline

__all__ = ["Envelope", "read_envelope"]

#: An object without `tasks` that has one of these is one task.
_OF_A_TASK = frozenset(TASK["properties"]) - frozenset(ENVELOPE["properties"])


@dataclass(slots=True)
class Envelope:
    """The fields of the envelope; all absent for a bare array."""

    name: str | None = None
    user_id: str | None = None
    idempotency_key: str | None = None
    strict_priority: bool = False
    #: JSON object with `metadata` and keys that begin with `x-`; None when there is nothing.
    other: bytes | None = None
    #: Usable also when some of them were wrong: those are left out.
    defaults: Defaults = NO_DEFAULTS
    findings: list[Finding] = field(default_factory=list[Finding])


def read_envelope(outline: Outline) -> Envelope:
    """Decode and check the members of an object document other than its tasks."""
    envelope = Envelope()
    if not outline.is_envelope:
        return envelope
    data = outline.data
    raw = {
        key: data[member.value_at : member.end]
        for key, member in outline.members.items()
        if key != "tasks"
    }
    values = {key: reported_values(text) for key, text in raw.items()}
    if (missing := _missing_tasks(outline, values)) is not None:
        envelope.findings.append(missing)
        if missing.code is ProblemCode.NOT_AN_ARRAY and "tasks" not in outline.members:
            return envelope
    envelope.findings.extend(check_shape(values, ENVELOPE, ()))
    bad = {finding.path[0] for finding in envelope.findings if finding.path}
    for key in ("name", "user_id", "idempotency_key"):
        value = values.get(key)
        if key not in bad and isinstance(value, str):
            setattr(envelope, key, value)
            if "\0" in value:
                envelope.findings.append(nul_in_text((key,)))
    envelope.strict_priority = values.get("strict_priority") is True
    kept = {
        key: Raw(text) for key, text in raw.items() if key == "metadata" or key.startswith("x-")
    }
    envelope.other = msgspec.json.encode(kept) if kept else None
    if isinstance(values.get("defaults"), dict):
        envelope.defaults = _defaults(
            values["defaults"], raw["defaults"], envelope.findings, outline
        )
    return envelope


def _missing_tasks(outline: Outline, values: dict[str, Any]) -> Finding | None:
    if outline.items is not None:
        return None
    if "tasks" in outline.members:
        return Finding(
            code=ProblemCode.NOT_AN_ARRAY,
            path=("tasks",),
            message="`tasks` is an array of tasks",
            hint="put the tasks in [ ]",
        )
    if _OF_A_TASK & values.keys():
        return Finding(
            code=ProblemCode.NOT_AN_ARRAY,
            path=(),
            message="a task file is an array of tasks, and this is one task by itself",
            hint="put it in [ ]",
        )
    return Finding(
        code=ProblemCode.MISSING_FIELD,
        path=(),
        message="the object has no `tasks`",
        hint="put the array of tasks there",
    )


def _defaults(
    values: dict[str, Any], raw: bytes, findings: list[Finding], outline: Outline
) -> Defaults:
    bad = {
        finding.path[1]
        for finding in findings
        if finding.path[:1] == ("defaults",) and len(finding.path) > 1
    }
    fields = {
        key: value for key, value in values.items() if key not in bad and not key.startswith("x-")
    }
    checked = msgspec.convert(fields, CheckedTask)
    if findings or outline.findings:
        # The file is refused: nothing will be stored.
        return Defaults(checked=checked)
    return read_defaults(raw, checked)
