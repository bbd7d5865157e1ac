"""`inboxd audit`: shows the record, and filters it."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import msgspec

from inboxd_audit.record import EVENTS, record_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd_audit.plugin import AuditPlugin

__all__ = ["make_verb"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def make_verb(plugin: AuditPlugin) -> click.Command:
    """Return the verb for a plugin that has its settings."""

    @click.command("audit", help="Show what was taken, run and refused, the oldest first.")
    @click.option("--tree", metavar="ID", help="Only this tree: its id, or the end of it.")
    @click.option("--event", type=click.Choice(EVENTS), help="Only this event.")
    @click.option("--since", metavar="T", help="Only the last 90s, 10m, 2h or 7d.")
    @click.option("--json", "as_json", is_flag=True, help="The lines as they are recorded.")
    def audit(tree: str | None, event: str | None, since: str | None, as_json: bool) -> None:
        path = plugin.settings.path
        if path is None:
            raise click.UsageError(
                "nothing is recorded: say where in the configuration,"
                ' [plugins.audit] path = "/var/log/inboxd/audit.jsonl"'
            )
        start = None if since is None else _since(since)
        for line, facts in _lines(plugin):
            if tree is not None and not str(facts.get("tree_id", "")).endswith(tree):
                continue
            if event is not None and facts.get("event") != event:
                continue
            if start is not None and str(facts.get("at", "")) < start:
                continue
            if as_json:
                sys.stdout.write(f"{line}\n")
            else:
                sys.stdout.write(f"{_shown(facts)}\n")

    return audit


def _lines(plugin: AuditPlugin) -> Iterator[tuple[str, dict[str, Any]]]:
    path = plugin.settings.path
    if path is None:
        return
    for file in record_files(path):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                text = line.rstrip("\n")
                try:
                    yield text, msgspec.json.decode(text, type=dict[str, Any])
                except msgspec.MsgspecError:
                    continue  # the half of a line that a crash left


def _since(text: str) -> str:
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if match is None:
        raise click.BadParameter(
            "is a number with s, m, h or d behind it: 2h", param_hint="--since"
        )
    try:
        moment = datetime.now(UTC) - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    except OverflowError:
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _shown(facts: dict[str, Any]) -> str:
    """Return a line for people: time, event, and the facts that are there."""
    rest = [f"{key}={_value(value)}" for key, value in facts.items() if _is_shown(key, value)]
    return "  ".join([str(facts.get("at", ""))[:19], f"{facts.get('event', ''):<15}", *rest])


def _is_shown(key: str, value: object) -> bool:
    return key not in ("at", "event") and value not in (None, [], {})


def _value(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return f'"{text}"' if " " in text or not text else text
