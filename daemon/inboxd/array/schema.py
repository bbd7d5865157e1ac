"""
The JSON Schema (2020-12) of a task file, for editors and for `inboxd schema`.

`config/task-array.schema.json` is this, written by `inboxd.array.reference`.
It cannot say everything that `check_array` does: references, circles and what
executors take are not a matter of form.
"""

from __future__ import annotations

import json
from typing import Any

from inboxd.array.fields import ENVELOPE, TASK, Schema

__all__ = ["SCHEMA_ID", "schema_text", "task_array_schema"]

#: A name, not an address: nothing is fetched from there.
SCHEMA_ID = "urn:inboxd:task-array:1"


def task_array_schema() -> dict[str, Any]:
    """Return the schema of a task file; a new object each time."""
    tasks: Schema = {"type": "array", "items": {"$ref": "#/$defs/task"}, "minItems": 1}
    envelope: Schema = {
        **ENVELOPE,
        "properties": {
            **ENVELOPE["properties"],
            "tasks": {**ENVELOPE["properties"]["tasks"], **tasks},
        },
    }
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "inboxd task array",
        "description": (
            "One file is one task array, accepted or rejected as a whole: an array of tasks, "
            "or an object with the array in `tasks`."
        ),
        "type": ["array", "object"],
        "if": {"type": "array"},
        "then": tasks,
        "else": {"$ref": "#/$defs/envelope"},
        "$defs": {
            "task": {"description": "One task.", **TASK},
            "envelope": {"description": "Tasks, and what holds for all of them.", **envelope},
        },
    }
    copy: dict[str, Any] = json.loads(json.dumps(schema))
    return copy


def schema_text() -> str:
    """Return the schema as it is written to files."""
    return json.dumps(task_array_schema(), indent=2, ensure_ascii=False) + "\n"
