"""The file of what plugins did wrong, and what doctor says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inboxd.cli.checks.plugin_failures import (
    check_failures,
    check_notifications,
    failure_findings,
)
from inboxd.clock import SystemClock
from inboxd.ids import new_id
from inboxd.notify.spool import Notification, Spool
from inboxd.plugins.failure_file import FailedHook, FailureFile, read_failures
from inboxd.plugins.hooks import Hooks, Implementation

if TYPE_CHECKING:
    from pathlib import Path


class SlowClock(SystemClock):
    """A clock on which a long time passes between two looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 60.0
        return self.now


def hook(plugin: str) -> Implementation:
    return Implementation(
        plugin=plugin, distribution="d", hook="inboxd_parse_file", function=lambda: None
    )


def test_nothing_is_written_while_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "plugin-failures.json").write_text("of an earlier run")
    FailureFile(tmp_path, Hooks(), clock=SlowClock()).look()

    assert list(tmp_path.iterdir()) == []
    assert read_failures(tmp_path) == []


def test_what_fails_and_what_is_switched_off_is_read_again(tmp_path: Path) -> None:
    hooks = Hooks()
    file = FailureFile(tmp_path, hooks, clock=SlowClock())
    hooks.failed(hook("raising"), ValueError("x"))
    file.look()
    hooks.failed(hook("raising"), ValueError("x"))
    hooks.switch_off(hook("hanging"), "it did not return within 30 s")
    file.look()

    hanging, raising = read_failures(tmp_path)
    assert (hanging.plugin, hanging.off) == ("hanging", "it did not return within 30 s")
    assert hanging.off_since is not None
    assert (raising.plugin, raising.failures, raising.off) == ("raising", 2, None)


def test_doctor_names_what_is_switched_off_and_since_when() -> None:
    off = FailedHook(plugin="p", hook="h", failures=1, off="it hung", off_since="2026-01-01T00Z")
    (finding,) = failure_findings([off])

    assert finding.message == "h of plugin p is not called any more since 2026-01-01T00Z: it hung"


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "plugin-failures.json").write_text("no json")

    assert [one.level.value for one in check_failures(tmp_path)] == ["warn"]


def test_what_notify_gave_up_lately_is_a_finding(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "plugins" / "notify")
    spool.record.parent.mkdir(parents=True)
    one = Notification(id=new_id(), event="failed", tries=9)
    now = SystemClock().now_micros()
    spool.note(one, "given_up", now - 30 * 86_400_000_000, "long ago")
    spool.note(one, "given_up", now, "no \x1b route")
    with spool.record.open("a") as file:
        file.write('{"half of a line with "given_up"')

    (finding,) = check_notifications(tmp_path, clock=SystemClock())

    assert finding.message.startswith("1 notifications were given up in the last 7 days")
    assert "\x1b" not in finding.message
