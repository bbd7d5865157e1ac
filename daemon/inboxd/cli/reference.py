"""
The reference of the command line, rendered from the verbs: `python -m inboxd.cli.reference` in a
checkout writes `docs/reference/cli.md`; a test keeps it current.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inboxd.cli.exit_codes import MEANINGS
from inboxd.cli.main import cli
from inboxd.cli.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["help_texts", "render"]

_HEAD = """\
# Command line

Rendered from the code by `python -m inboxd.cli.reference`: each section is what `--help` prints.

Data goes to stdout, everything else to stderr. Every verb that prints data has `--json`; its forms
are stable, see [JSON output](json-output.md) and the end of this page. No verb asks a question.
`NO_COLOR` takes the colours away.

## Which instance

`inboxd run` never looks for one: its paths come from `--config`, `--state` and the settings. Every
other verb is about one instance, found by the first of these that holds:

1. `--config FILE` or `--state DIR`;
2. `$INBOXD_STATE__PATH`;
3. `$INBOXD_CONFIG`;
4. the one instance of yours that runs. Each registers in `$XDG_RUNTIME_DIR/inboxd`, or without
   that variable in `/tmp/inboxd-<uid>`. When several run, the verb ends with 2 and names them;
5. the system's instance, which registers in `/run/inboxd`;
6. your default paths (see [Settings](settings.md)).

So `inboxd list` beside a `make run` shows what that one runs.

## Completion

`eval "$(inboxd completion bash)"` in `~/.bashrc` completes verbs, options and the names of trees;
`inboxd completion zsh` and `fish` do the same for these shells. The scripts are also installed with
inboxd, under `share/` of its environment, where a shell of that prefix finds them by itself.
"""

_JSON_FORMS = """\
## JSON of these verbs

- `validate`: `{"format": 1, "files": [{"file", "valid", "task_count", "errors": [...],
  "has_more_errors", "warnings": [...]}, ...]}`. `task_count` is null for an invalid file; an error
  is `{"code", "pointer", "line", "column", "message", "hint"}` as in a receipt.
- `submit`: the receipt; with `--wait` the result of the tree in its place, unless the file was
  rejected. For a file that was not dropped because it is invalid `{"format": 1, "file",
  "accepted": false, "errors": [...]}`; with `--queue` and no daemon `{"format": 1, "file",
  "queued": true}`.
- `config show`: `{"files": [...], "settings": {section: {key: value}}}`; values as in TOML.
- `config check`: `{"valid", "files": [...], "problems": [...]}`.
- `doctor`: `{"good", "checks": [{"level", "check", "message", "advice", "details"}, ...]}`; `level`
  is `ok`, `warn` or `fail`; `advice` and `details`, a traceback, may be null.
- `cancel`, `retry`, `release`, `pause`, `resume` and `priority`: `{"format", "action", "tree_id",
  "id"}`, and what was done. Of `cancel` `{"ended", "ending", "already"}`: tasks that are cancelled,
  attempts that are being ended, whether that was asked for before. Of `retry` `{"again",
  "left_over"}`, tasks. Of `release` `{"early"}`: it waits for something else still. Of `pause` and
  `resume` `{"changed", "running"}`, of `priority` `{"tasks"}`.
- `wait`: `{"format": 1, "trees": [...]}`, those that have ended, each as in `list --json`.
- `version`: `{"inboxd": "...", "python": "...", "sqlite": "...", ...}`.
- `schema`: the JSON Schema itself.
- `plugins`, `executors`, `install` and `uninstall`: see [JSON output](json-output.md).
"""

#: The width of a page: help is wrapped to it, wherever it is rendered.
_WIDTH = 96


def help_texts(verb: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the help of a verb and of each of its sub-verbs."""
    context = _context("inboxd", cli, None)
    command = cli.get_command(context, verb)
    if command is not None:
        yield from _texts_of(verb, command, context)


def render() -> str:
    """Return `docs/reference/cli.md`."""
    parts = [_HEAD]
    cli.leave_out_plugins()
    texts = [("inboxd", cli.get_help(_context("inboxd", cli, None)))]
    texts += [text for verb in VERBS for text in help_texts(verb)]
    parts += [f"## `{name}`\n\n```text\n{text}\n```\n" for name, text in texts]
    rows = [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    parts += [_JSON_FORMS, "## Exit codes\n", "| code | meaning |", "| --- | --- |", *rows]
    return "\n".join(parts) + "\n"


def main(root: Path) -> None:
    """Write the page into the checkout *root*."""
    target = root / "docs" / "reference" / "cli.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(), encoding="utf-8")


def _texts_of(
    name: str, command: click.Command, parent: click.Context
) -> Iterator[tuple[str, str]]:
    context = _context(name, command, parent)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for sub_name in command.list_commands(context):
            sub_command = command.get_command(context, sub_name)
            if sub_command is not None:
                yield from _texts_of(sub_name, sub_command, context)


def _context(name: str, command: click.Command, parent: click.Context | None) -> click.Context:
    facts: dict[str, Any] = dict(command.context_settings)
    facts |= {"terminal_width": _WIDTH, "max_content_width": _WIDTH}
    return click.Context(command, info_name=name, parent=parent, **facts)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd())
