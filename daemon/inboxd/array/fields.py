"""
The fields of a task file: the one place that says what each takes and means.

Each is a piece of JSON Schema (2020-12). `shape` checks values against them and says what is
wrong; `schema` makes the file's schema of them, and `reference` the page for people.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from inboxd.array.values import LONGEST_SECONDS, TIME_PATTERN
from inboxd.durations import DURATION_PATTERN

__all__ = [
    "DEFAULTS",
    "EDGE",
    "ENVELOPE",
    "EXECUTOR_ID",
    "ID_PATTERN",
    "LONGEST_ID",
    "MOST_RETRIES",
    "RETRY",
    "SCHEMAS",
    "TASK",
    "Schema",
]

Schema: TypeAlias = dict[str, Any]

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
LONGEST_ID = 128
#: More retries than this are a slip.
MOST_RETRIES = 1_000_000

#: Keys of one's own, anywhere a task or the envelope has keys.
_OWN_KEYS: Schema = {"^x-": {"description": "Kept and shown, never read."}}


def _duration(description: str, *, positive: bool = False, null: bool = False) -> Schema:
    smallest = {"exclusiveMinimum": 0} if positive else {"minimum": 0}
    return {
        "description": description,
        "type": ["number", "string", *(["null"] if null else [])],
        "pattern": DURATION_PATTERN,
        **smallest,
        "maximum": LONGEST_SECONDS,
    }


EDGE: Schema = {
    "description": (
        "The task that comes before: its `id`, or a `name` that is unique in the file; "
        "or an object that says on which end of it this task may start."
    ),
    "type": ["string", "object"],
    "properties": {
        "id": {
            "description": "The task that comes before, by `id` or unique `name`.",
            "type": "string",
        },
        "name": {"description": "The same as `id`.", "type": "string"},
        "on": {
            "description": "Which end of it makes this edge hold.",
            "type": "string",
            "enum": ["success", "failure", "end"],
            "default": "success",
        },
        "required": {
            "description": 'true says `"on": "success"`, false says `"on": "end"`.',
            "type": "boolean",
        },
    },
    "additionalProperties": False,
    # Exactly one of `id` and `name`, at most one of `on` and `required`.
    "if": {"type": "object"},
    "then": {
        "oneOf": [{"required": ["id"]}, {"required": ["name"]}],
        "not": {"required": ["on", "required"]},
    },
}

RETRY: Schema = {
    "description": (
        "How often a failed task is tried again after its first attempt: a number, "
        "or an object that also says how soon."
    ),
    "type": ["integer", "object"],
    "minimum": 0,
    "maximum": MOST_RETRIES,
    "default": 0,
    "properties": {
        "limit": {
            "description": "Retries after the first attempt.",
            "type": "integer",
            "minimum": 0,
            "maximum": MOST_RETRIES,
            "default": 0,
        },
        "delay": {**_duration("Before the first retry."), "default": "1s"},
        "backoff": {
            "description": "Each further delay is so many times longer.",
            "type": "number",
            "minimum": 1,
            "maximum": 1000,
            "default": 2.0,
        },
        "max_delay": {
            **_duration("No delay is longer; where only a longer `delay` is given, that."),
            "default": "5m",
        },
        "jitter": {
            "description": "Each delay is moved by up to this fraction of itself, either way.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0.1,
        },
    },
    "additionalProperties": False,
}

#: In `params`, which are free otherwise.
EXECUTOR_ID: Schema = {
    "description": "The executor, where no `executor` says so.",
    "type": "string",
    "minLength": 1,
}

SCHEMAS: Schema = {
    "description": "The executor's name and a JSON Schema for `inputs`.",
    "type": "object",
    "properties": {
        "method": {
            "description": "The executor, where no `executor` or `params.executor_id` says so.",
            "type": "string",
            "minLength": 1,
        },
        "input_schema": {
            "description": "A JSON Schema that `inputs` must match, beside the executor's own.",
            "type": ["object", "boolean"],
        },
    },
    "additionalProperties": False,
}

_ID: Schema = {
    "description": (
        "Names the task within its file: a letter or digit, then letters, digits and `. _ : -`. "
        "Default: the `name`, where that is unique and of this form, else `task-<position>`, "
        "counted from 1."
    ),
    "type": "string",
    "pattern": ID_PATTERN,
    "maxLength": LONGEST_ID,
}

_NAME: Schema = {
    "description": (
        "What people see; default: the `id`. Names the executor where nothing else does."
    ),
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
}

_TASK_PROPERTIES: dict[str, Schema] = {
    "id": _ID,
    "name": _NAME,
    "description": {"description": "Kept and shown, never read.", "type": "string"},
    "metadata": {"description": "Kept and shown, never read.", "type": "object"},
    "user_id": {"description": "Whose task it is: a label.", "type": ["string", "null"]},
    "parent_id": {
        "description": (
            "The task this one stands under when the tree is shown, by `id` or unique `name`. "
            "It never orders execution: `dependencies` do."
        ),
        "type": ["string", "null"],
    },
    "priority": {
        "description": (
            "Lower starts first: 0 urgent, 1 high, 2 normal, 3 low, and larger is later still."
        ),
        "type": "integer",
        "minimum": 0,
        "maximum": 999,
        "default": 2,
    },
    "dependencies": {
        "description": "The tasks that come before; the same edge twice counts once.",
        "type": "array",
        "items": EDGE,
        "default": [],
    },
    "join": {
        "description": "Whether every edge must hold before the task may start, or one.",
        "type": "string",
        "enum": ["all", "any"],
        "default": "all",
    },
    "allow_failure": {
        "description": "true: its failure does not make the tree fail.",
        "type": "boolean",
        "default": False,
    },
    "executor": {
        "description": (
            "Who carries it out. Where it is missing: `params.executor_id`, else `schemas.method`, "
            "else the `executor` of `defaults`, else the `name`."
        ),
        "type": "string",
        "minLength": 1,
    },
    "inputs": {
        "description": "What the executor works on; each executor says what it takes.",
        "type": "object",
        "default": {},
    },
    "params": {
        "description": "How the executor is set up; `executor_id` may name it.",
        "type": "object",
        "properties": {"executor_id": EXECUTOR_ID},
        "default": {},
    },
    "schemas": SCHEMAS,
    "retry": RETRY,
    "timeout": {
        **_duration(
            "Of each attempt; past it the task's whole process tree is ended. "
            'A number of seconds, or text like "500ms", "90s", "10m", "2h", "1d"; null: what the '
            "setting `[run] default_timeout` says.",
            positive=True,
            null=True,
        ),
        "default": None,
    },
    "not_before": {
        "description": "The earliest start: RFC 3339 with an offset.",
        "type": "string",
        "pattern": TIME_PATTERN,
        "examples": ["2026-11-24T10:00:00Z", "2026-11-24T10:00:00+01:00"],
    },
    "hold": {
        "description": (
            "true: once nothing else keeps it from starting it waits, without a place and across "
            "restarts, until a person releases it (`inboxd release`) or cancels it."
        ),
        "type": "boolean",
        "default": False,
    },
    "delivery": {
        "description": (
            "What a crash of the daemon during an attempt means: `at_least_once` runs it again, "
            "`at_most_once` makes it `failed` with code `interrupted`."
        ),
        "type": "string",
        "enum": ["at_least_once", "at_most_once"],
        "default": "at_least_once",
    },
}

#: One task.
TASK: Schema = {
    "type": "object",
    "properties": _TASK_PROPERTIES,
    "patternProperties": _OWN_KEYS,
    "additionalProperties": False,
    "anyOf": [{"required": ["id"]}, {"required": ["name"]}],
}

_OF_ONE_TASK = ("id", "name", "parent_id", "dependencies")

#: `defaults` of the envelope.
DEFAULTS: Schema = {
    "description": (
        "What every task has that does not say otherwise; `inputs` and `params` are merged "
        "one level deep."
    ),
    "type": "object",
    "properties": {
        name: field for name, field in _TASK_PROPERTIES.items() if name not in _OF_ONE_TASK
    },
    "patternProperties": _OWN_KEYS,
    "additionalProperties": False,
}

#: The file as an object; the items of `tasks` are checked one by one against `TASK`.
ENVELOPE: Schema = {
    "type": "object",
    "properties": {
        "$schema": {"description": "For editors; not read.", "type": "string"},
        "name": {
            "description": "What the tree is called.",
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
        },
        "user_id": {"description": "Whose tree it is: a label.", "type": ["string", "null"]},
        "idempotency_key": {
            "description": (
                "The same key again, from the same owner of files, runs nothing new: "
                "the receipt names the first tree."
            ),
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
        },
        "strict_priority": {
            "description": (
                "true: a task also waits while a more urgent one of the tree is ready, "
                "in progress or waiting for a retry."
            ),
            "type": "boolean",
            "default": False,
        },
        "defaults": DEFAULTS,
        "metadata": {"description": "Kept and shown, never read.", "type": "object"},
        "tasks": {
            "description": "The tasks, at least one.",
            "type": "array",
            "minItems": 1,
        },
    },
    "patternProperties": _OWN_KEYS,
    "additionalProperties": False,
    "required": ["tasks"],
}
