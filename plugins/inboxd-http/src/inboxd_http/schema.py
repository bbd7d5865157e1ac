"""The JSON Schema of the inputs of `http`; its sentences are those of the README."""

from __future__ import annotations

from typing import Any

from inboxd.durations import DURATION_PATTERN

__all__ = ["DEFAULT_RETRY_STATUSES", "INPUTS_SCHEMA", "METHODS"]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: Statuses that say "not now": timeout, too early, too many requests, and a server in trouble.
DEFAULT_RETRY_STATUSES = (408, 425, 429, 500, 502, 503, 504)

_SCALAR = ["string", "number", "boolean"]

# A string is let through here so that the executor's own check can say what to do about it.
_SECRET: dict[str, Any] = {
    "type": ["object", "string"],
    "description": "Where a secret is: {env: NAME}, a variable of the daemon; {file: NAME}, a file "
    "in the secrets' directory; or {result_of: TASK, pointer: /json/token}, in the result of a "
    "task that this one depends on. Never the secret itself.",
    "properties": {
        "env": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "file": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$"},
        "result_of": {"type": "string", "minLength": 1},
        "pointer": {"type": "string", "pattern": "^(/.*)?$", "default": ""},
    },
    "additionalProperties": False,
    "examples": [{"env": "REPORTS_TOKEN"}, {"file": "reports-token"}],
}

_PAIRS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": [*_SCALAR, "array"],
        "items": {"type": _SCALAR},
    },
}

INPUTS_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "url": {
            "description": "Where the request goes: an absolute URL, without a user and password.",
            "type": "string",
            "minLength": 1,
            "maxLength": 8000,
            "examples": ["https://example.org/report"],
        },
        "method": {
            "description": "The method; has to be said when there is a body.",
            "enum": list(METHODS),
            "default": "GET",
        },
        "query": {
            "description": "Added to the query of the URL; a list repeats its name.",
            **_PAIRS,
            "examples": [{"page": 2, "tag": ["a", "b"]}],
        },
        "headers": {
            "description": "Headers of the request; Authorization comes by `auth`.",
            "type": "object",
            "additionalProperties": {"type": _SCALAR},
            "examples": [{"Accept": "application/json"}],
        },
        "json": {
            "description": "The body: any value, sent as JSON. Of json, form and text one at most.",
        },
        "form": {
            "description": "The body: an object, sent as an HTML form; a list repeats its name.",
            **_PAIRS,
        },
        "text": {
            "description": "The body: text, sent as UTF-8; `text/plain` unless a header says else.",
            "type": "string",
        },
        "auth": {
            "description": "One of bearer, basic and header. Their secrets are read when the "
            "attempt starts, are sent to the URL's own origin only, and stand in no file.",
            "type": "object",
            "properties": {
                "bearer": _SECRET,
                "basic": {
                    "type": "object",
                    "properties": {"user": {"type": "string"}, "password": _SECRET},
                    "required": ["user", "password"],
                    "additionalProperties": False,
                },
                "header": {"type": "object", "minProperties": 1, "additionalProperties": _SECRET},
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "examples": [{"bearer": {"env": "REPORTS_TOKEN"}}],
        },
        "timeout": {
            "description": "The time limit of the request with its redirects and its body, in "
            "seconds or like 90s; the task's own `timeout` holds as well.",
            "type": ["number", "string"],
            "pattern": DURATION_PATTERN,
            "exclusiveMinimum": 0,
            "examples": ["10s"],
        },
        "max_bytes": {
            "description": "The most bytes that the body may have, decoded; a larger one fails "
            "the attempt.",
            "type": "integer",
            "minimum": 0,
        },
        "expect": {
            "description": "Which statuses are a success: numbers, and classes like 2xx.",
            "type": "array",
            "items": {
                "type": ["integer", "string"],
                "minimum": 100,
                "maximum": 599,
                "pattern": "^[1-5]xx$",
            },
            "minItems": 1,
            "default": ["2xx"],
            "examples": [[200, 404]],
        },
        "retry_statuses": {
            "description": "Which other statuses are worth another attempt (while the task has "
            "retries left), after the time that `Retry-After` says; all others fail the task.",
            "type": "array",
            "items": {"type": "integer", "minimum": 300, "maximum": 599},
            "default": list(DEFAULT_RETRY_STATUSES),
        },
        "redirects": {
            "description": "How many redirects are followed; 0 follows none.",
            "type": "integer",
            "minimum": 0,
            "maximum": 20,
            "default": 5,
        },
        "response": {
            "description": "What the body becomes in the result. auto: json where the server says "
            "so, else text, else base64. json: the attempt fails when it is none.",
            "enum": ["auto", "json", "text", "base64"],
            "default": "auto",
        },
        "save_to": {
            "description": "Write the body to this file in the tree's directory, instead of into "
            "the result.",
            "type": "string",
            "minLength": 1,
            "maxLength": 4000,
            "examples": ["data/report.csv"],
        },
    },
    "required": ["url"],
    "additionalProperties": False,
}
