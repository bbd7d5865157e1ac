"""Executors as people and programs are shown them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from inboxd.cli.render.console import foreign, make_console, print_plainly
from inboxd.names import escaped
from inboxd.plugins.inputs_table import input_lines, takes_others

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.cli.offered import OfferedExecutor
    from inboxd.config.settings import Settings

__all__ = ["line_form", "print_list", "print_page", "whole_form"]


def line_form(executor: OfferedExecutor) -> dict[str, Any]:
    """Return an executor as `executors --json` lists it."""
    return {
        "name": executor.name,
        "description": executor.description,
        "isolation": executor.isolation,
        "enabled": executor.is_enabled,
        "plugin": executor.plugin,
        "distribution": executor.distribution,
        "version": executor.version,
    }


def whole_form(executor: OfferedExecutor, settings: Settings) -> dict[str, Any]:
    """Return all that is known of an executor."""
    return {
        **line_form(executor),
        "inputs_schema": executor.schema,
        "settings": _settings_of(executor, settings),
        "example": executor.example,
        "example_problem": executor.example_problem,
    }


def print_list(executors: Iterable[OfferedExecutor]) -> None:
    """Print one line for each executor."""
    console = make_console()
    table = _table()
    for heading in ("EXECUTOR", "ISOLATION", "FROM"):
        table.add_column(heading, no_wrap=True)
    table.add_column("DESCRIPTION")
    for executor in executors:
        description = foreign(_one_line(executor.description))
        if not executor.is_enabled:
            description = Text.assemble(("switched off: ", "yellow"), description)
        table.add_row(
            foreign(executor.name),
            foreign(executor.isolation),
            foreign(_origin(executor)),
            description,
        )
    print_plainly(console, table)


def print_page(executor: OfferedExecutor, settings: Settings) -> None:
    """Print all that is known of an executor."""
    console = make_console()
    console.print(foreign(executor.name, "bold"), foreign(_one_line(executor.description)))
    facts = _table(headings=False)
    facts.add_column(no_wrap=True)
    facts.add_column()
    facts.add_row("isolation", foreign(executor.isolation))
    facts.add_row("from", foreign(f"{_origin(executor)}, plugin {executor.plugin}"))
    if not executor.is_enabled:
        facts.add_row("enabled", Text("no: a task that names it is refused", "yellow"))
    print_plainly(console, facts)
    _print_inputs(executor)
    console.print(f"\nSettings: [executors.{executor.name}]")
    for key, value in _settings_of(executor, settings).items():
        written = json.dumps(value, ensure_ascii=False, default=str)
        console.print(foreign(f"  {key} = {written}"), soft_wrap=True)
    console.print("\nExample:")
    if executor.example is None:
        console.print("  none could be made from its schema; see its own documentation")
        return
    if executor.example_problem is not None:
        refused = f"  refused as things are: {executor.example_problem}"
        console.print(foreign(refused, "yellow"), soft_wrap=True)
    # No blank is added and no line is broken: it can be copied into a file.
    text = json.dumps([executor.example], ensure_ascii=False, indent=2)
    console.print(Text(escaped(text, keep_newlines=True)), soft_wrap=True)


def _print_inputs(executor: OfferedExecutor) -> None:
    console = make_console()
    console.print()
    if executor.schema is None:
        console.print("Inputs: any object")
        return
    table = _table()
    table.add_column("INPUT", no_wrap=True)
    for heading in ("TYPE", "DEFAULT", "MEANING"):
        table.add_column(heading)
    for line in input_lines(executor.schema):
        default = Text("required", "bold") if line.is_required else foreign(line.default or "-")
        table.add_row(foreign(line.name), foreign(line.type), default, foreign(line.meaning))
    if table.row_count:
        print_plainly(console, table)
        console.print(
            "others are taken as well" if takes_others(executor.schema) else "others are refused"
        )
    else:
        console.print(f"Inputs: see `inboxd executors {executor.name} --json` for their schema")


def _settings_of(executor: OfferedExecutor, settings: Settings) -> dict[str, Any]:
    """Return the table `[executors.NAME]` as it holds now."""
    one = settings.executors.get(executor.name)
    options: dict[str, Any] = dict(getattr(one, "options", {}))
    return {"enabled": executor.is_enabled, **options}


def _origin(executor: OfferedExecutor) -> str:
    return f"{executor.distribution} {executor.version or ''}".rstrip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table(*, headings: bool = True) -> Table:
    return Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold",
        show_header=headings,
    )
