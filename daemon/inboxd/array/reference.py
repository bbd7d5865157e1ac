"""
The reference of task files, rendered from the code: `python -m inboxd.array.reference` in a
checkout writes `config/task-array.schema.json` and `docs/reference/task-file.md`; a test keeps
both current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.array.fields import DEFAULTS, EDGE, ENVELOPE, RETRY, SCHEMAS, TASK
from inboxd.array.limits import Limits
from inboxd.array.problem import CODE_MEANINGS, MOST_PROBLEMS
from inboxd.array.schema import schema_text

if TYPE_CHECKING:
    from inboxd.array.fields import Schema

__all__ = ["SHOWN_BY_NO_FILE", "render_markdown"]

#: Codes that no small file in a checkout can show: it would be large, or it depends on more than
#: what is in the file.
SHOWN_BY_NO_FILE = frozenset(
    {
        "too_large",
        "too_many_tasks",
        "idempotency_conflict",
        "not_a_regular_file",
        "unreadable",
        "wrong_owner",
    }
)

_HEAD = """\
# The task file

Rendered from the code by `python -m inboxd.array.reference`.

One file is one *task array*. It is accepted or rejected as a whole. The file is UTF-8 JSON, in one
of two forms: an array of tasks,

```json
[
  {"id": "fetch", "executor": "command", "inputs": {"argv": ["cp", "/etc/hostname", "data"]}},
  {"id": "count", "executor": "command", "inputs": {"script": "wc -c <data"},
   "dependencies": ["fetch"]}
]
```

or an object that also says what holds for all of them:

```json
{
  "name": "nightly",
  "idempotency_key": "2026-11-24",
  "defaults": {"executor": "command", "retry": 3, "timeout": "10m"},
  "tasks": [
    {"id": "dump", "inputs": {"script": "date >dump"}},
    {"id": "pack", "inputs": {"argv": ["gzip", "--keep", "dump"]}, "dependencies": ["dump"]}
  ]
}
```

`inboxd validate FILE` says all that is wrong with a file, without a daemon.
"""

_REFERENCES = """\
## Ids and references

A task needs an `id` or a `name`. Ids are local to their file: two files may use the same ones.
A task without `id` gets its `name`, where no other task is called so (a task without a name is
called what its id is) and the name has the form of an id; else `task-<position>`, counted from 1.
Where that is another task's id, the file is rejected.

`parent_id` and `dependencies` hold *references*: an `id` of the same file, else a `name` that only
one of its tasks has. The task may stand before or after. Dependencies may not form a circle, nor
may parents; the two do not concern each other.

## Who executes a task

The first of these that is there names the executor:

1. the task's `executor`, its `params.executor_id`, its `schemas.method`;
2. the same three of `defaults`;
3. the task's `name`, or its `id` where it has no name.

There are [`command`](command.md) and `noop`, which does nothing, and what plugins add. Before a
file is accepted, the `inputs` of each task, those of `defaults` merged in, are checked against its
executor's schema and against its own `schemas.input_schema`. A schema cannot refer to anything
outside of itself: nothing is fetched. Patterns in it have no look-around and no back-references,
so that none takes for ever.
"""

_VALUES = """\
## Durations, times, numbers, text

A **duration** is a number of seconds, or text with one of the units `ms s m h d`: `"500ms"`,
`"90s"`, `"10m"`, `"2h"`, `"1d"`. None is longer than ten years.

A **time** is RFC 3339 with an offset: `2026-11-24T10:00:00Z`, `2026-11-24T10:00:00.5+01:00`.
What is finer than a microsecond is cut off.

A field that takes a whole number takes none that is written with a fraction, not even `2.0`.
A number anywhere may have at most 100 digits and must fit a double. A key may stand once in its
object. Half a surrogate pair (`"\\ud800"`) is no text. The character `\\u0000` may stand in
`inputs`, `params` and `metadata`, not in names. A file with a byte order mark, in UTF-16, or with
anything behind the document is rejected.

Keys that begin with `x-` are yours: in a task, in the envelope and in `defaults` they are kept and
shown. Any other key that inboxd does not know is an error.
"""

_LATER = """\
## What comes with later versions

So that no file means one thing now and another later, `{"$secret": …}` anywhere in `inputs` or
`params` is an error until then (`unknown_secret`).
"""

_RESULTS = """\
## Results of other tasks

Any text in `inputs` may hold `{{ tasks.REFERENCE.result… }}`, or `.status` or `.error`: what a task
before this one gave. REFERENCE is an `id`, or a `name` that one task has, as it is written; the
longest that names a task counts. Behind `.result`, `.status` or `.error` a JMESPath expression over
that value may follow, of at most 2,000 characters. A text that is one expression and nothing else
becomes the value with its type; in other text a text is written as it is, anything else as compact
JSON. `{{{{ tasks.` writes `{{ tasks.`; any other `{{` is plain text.
[Pass results on](../how-to/pass-results.md) has examples and all that may go wrong.
"""

_EDITOR = """\
## In an editor

`inboxd schema` prints the JSON Schema (2020-12) of the file, with the inputs of every executor that
is installed and switched on. With it an editor completes keys, the names of executors and what they
take, explains them and marks what is wrong as you type. Print it anew when a plugin came or went.
It refuses nothing that the daemon takes, and cannot know about references and circles:
`inboxd validate` does. `inboxd schema --core` leaves the executors out; that lies in a checkout as
[`config/task-array.schema.json`](../../config/task-array.schema.json).

For VS Code, write the schema into your project, `inboxd schema >task-array.schema.json`, and say
in `.vscode/settings.json` which files it is for:

```json
{
  "json.schemas": [
    {"fileMatch": ["tasks/*.json", "*.tasks.json"], "url": "./task-array.schema.json"}
  ]
}
```

For one file, in any editor that knows the key, the envelope may name the schema itself:

```json
{
  "$schema": "./task-array.schema.json",
  "tasks": [{"id": "a", "executor": "noop"}]
}
```

## From a program

Any language that writes JSON will do. In Python, with a rename so that the file appears whole:

```python
import json, os

tasks = [{"id": f"part-{n}", "executor": "noop"} for n in range(10)]
with open("inbox/.parts.tmp", "w", encoding="utf-8") as file:
    json.dump(tasks, file)
os.rename("inbox/.parts.tmp", "inbox/parts.json")
```
"""

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true, false",
    "object": "object",
    "array": "array",
    "null": "null",
}


def render_markdown() -> str:
    """Return `docs/reference/task-file.md`."""
    parts = [
        _HEAD,
        "## The envelope\n\nThe object form has these fields; a bare array is `tasks` alone.\n\n"
        + _table(ENVELOPE),
        "## A task\n\n" + _table(TASK),
        "## A dependency\n\nA reference, or an object with one of `id` and `name`, and at most "
        "one of `on` and `required`.\nThe same dependency on the same end counts once.\n\n"
        + _table(EDGE),
        "## `retry` as an object\n\nThe first retry is due after `delay`, each further one after "
        "`backoff` times as long.\n\n" + _table(RETRY),
        "## `schemas`\n\n" + _table(SCHEMAS),
        "## `defaults`\n\n" + _defaults(),
        _REFERENCES,
        _VALUES,
        _limits(),
        _RESULTS,
        _LATER,
        "## Errors\n\n" + _errors(),
        _EDITOR,
    ]
    return "\n".join(parts)


def _table(schema: Schema) -> str:
    rows = ["| field | takes | default | meaning |", "|---|---|---|---|"]
    properties: dict[str, Schema] = schema["properties"]
    for name, field in properties.items():
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        description = field.get("description", "").replace("|", "\\|")
        rows.append(f"| `{name}` | {_takes(field)} | {default} | {description} |")
    if "patternProperties" in schema:
        rows.append("| `x-…` | anything | | Kept and shown, never read. |")
    return "\n".join(rows) + "\n"


def _takes(field: Schema) -> str:
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    types: str | list[str] = field["type"]
    words = [_TYPES[name] for name in ([types] if isinstance(types, str) else types)]
    text = ", ".join(words)
    smallest, largest = field.get("minimum"), field.get("maximum")
    if "pattern" in field and "number" in types:
        return text.replace("number, text", "duration")
    if smallest is not None and largest is not None:
        text = text.replace("number", f"number {smallest}-{largest:,}", 1)
    if "maxLength" in field:
        text = f"{text}, at most {field['maxLength']} characters"
    return text


def _defaults() -> str:
    names = ", ".join(f"`{name}`" for name in DEFAULTS["properties"])
    return (
        f"What a task does not say itself it has from here. Fields: {names}, `x-…`.\n\n"
        "The task's own value wins, also when it is `null`, `0` or empty. `inputs` and `params`\n"
        "are merged one level deep: a key of the task replaces that key, the others stay.\n"
        "A default `executor` counts only for a task that names none itself.\n"
    )


def _limits() -> str:
    limits = Limits()
    return (
        "## Limits\n\n"
        "| setting in `[inbox]` | default | error |\n|---|---|---|\n"
        f"| `max_file_bytes` | {limits.max_bytes // 2**20} MiB | `too_large` |\n"
        f"| `max_depth` | {limits.max_depth} objects and arrays inside each other | `too_deep` |\n"
        f"| `max_tasks` | {limits.max_tasks:,} | `too_many_tasks` |\n"
    )


def _errors() -> str:
    rows = [
        f"All errors of a file are reported at once, the first {MOST_PROBLEMS} in its order,",
        'each as `{"code", "pointer", "line", "column", "message", "hint"}`. The pointer is a',
        "JSON Pointer (RFC 6901), line and column (in characters) count from 1, and both are null",
        "for a file that was not read. Warnings have the same form. The codes do not change; the",
        "words may.",
        "",
        "| code | when | example |",
        "|---|---|---|",
    ]
    for code, meaning in CODE_MEANINGS.items():
        example = ""
        if code.value not in SHOWN_BY_NO_FILE:
            target = f"../../inbox/examples/invalid/{code.value}"
            example = f"[file]({target}.json), [receipt]({target}.receipt.json)"
        rows.append(f"| `{code.value}` | {meaning} | {example} |")
    return "\n".join(rows) + "\n"


def main(root: Path) -> int:
    """Write both files in the checkout at *root*; return the exit status."""
    if not (root / "config" / "inboxd.toml").is_file():
        print("run this in the checkout: config/ and docs/ are written here", file=sys.stderr)
        return 2
    (root / "config" / "task-array.schema.json").write_text(schema_text(), encoding="utf-8")
    (root / "docs" / "reference" / "task-file.md").write_text(render_markdown(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
