"""The state directory, the inbox and its sub-directories: owner, rights, file system."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from inboxd.cli.checks.finding import Finding, failed, good, warned
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inboxd.config.settings import Settings

__all__ = ["check_inbox", "check_state", "inbox_findings", "state_findings"]

_SUBDIRECTORIES = (".claimed", "accepted", "rejected", "results")


def check_state(state: Path) -> Iterator[Finding]:
    """Look at the state directory."""
    facts = _facts_of(state)
    if facts is None:
        yield good("state", f"{escaped(str(state))}: not made yet; the first `inboxd run` makes it")
        return
    yield from state_findings(state, facts, user=os.geteuid())


def state_findings(state: Path, facts: os.stat_result, *, user: int) -> Iterator[Finding]:
    """Say what is wrong with a state directory that has these facts, for this user."""
    shown = escaped(str(state))
    if not stat.S_ISDIR(facts.st_mode):
        yield failed("state", f"{shown}: is no directory", "move it away, or set [state] path")
    elif facts.st_uid != user:
        yield warned(
            "state",
            f"{shown}: belongs to user {facts.st_uid}, you are {user}: not everything can be seen",
            f"run `inboxd doctor` as user {facts.st_uid}",
        )
    elif facts.st_mode & 0o077:
        yield failed(
            "state",
            f"{shown}: mode {facts.st_mode & 0o7777:04o} lets others in, to logs and database",
            f"chmod 700 {shown}",
        )
    else:
        yield good("state", f"{shown}: yours alone")


def check_inbox(settings: Settings) -> Iterator[Finding]:
    """Look at the inbox, the directory that holds it, and its four sub-directories."""
    path = settings.inbox.path
    facts = _facts_of(path)
    if facts is None:
        shown = escaped(str(path))
        yield good("inbox", f"{shown}: not made yet; the first `inboxd run` makes it")
        return
    parent = path.resolve().parent
    findings = inbox_findings(
        settings, facts, parent.stat(), can_use=os.access(path, os.R_OK | os.W_OK | os.X_OK)
    )
    yield from findings
    if not stat.S_ISDIR(facts.st_mode):
        return
    for name in _SUBDIRECTORIES:
        try:
            subdirectory = (path / name).lstat()
        except FileNotFoundError:
            continue  # the daemon makes it
        except OSError as error:
            yield warned("inbox", f"{escaped(str(path / name))}: {error.strerror}", "look as root")
            continue
        yield from _subdirectory_findings(path / name, subdirectory, facts, user=os.geteuid())


def inbox_findings(
    settings: Settings, facts: os.stat_result, parent: os.stat_result, *, can_use: bool
) -> Iterator[Finding]:
    """
    Say what is wrong with an inbox.

    Args:
        settings: whose inbox it is.
        facts: of the inbox, links followed.
        parent: of the directory that holds it.
        can_use: whether this user may list, add and rename in it.
    """
    shown = escaped(str(settings.inbox.path))
    sound = True
    if not stat.S_ISDIR(facts.st_mode):
        yield failed("inbox", f"{shown}: is no directory", "move it away, or set [inbox] path")
        return
    if not can_use:
        sound = False
        yield failed(
            "inbox",
            f"{shown}: you may not list it and move files in it, so nothing would be taken",
            "run as its owner, or give yourself rwx on it",
        )
    if facts.st_mode & stat.S_IWOTH:
        trusted = settings.inbox.allow_world and settings.inbox.allowed_owners
        sound = False
        message = f"{shown}: every user of this machine may drop files, and so run commands as you"
        if trusted:
            owners = ", ".join(escaped(owner) for owner in settings.inbox.allowed_owners)
            yield warned("inbox", f"{message}; taken are those of {owners}", f"chmod o-w {shown}")
        else:
            yield failed(
                "inbox", message, f"chmod o-w {shown}, or set allow_world and allowed_owners"
            )
    if parent.st_mode & stat.S_IWOTH and not parent.st_mode & stat.S_ISVTX:
        holder = escaped(str(settings.inbox.path.resolve().parent))
        sound = False
        yield failed(
            "inbox",
            f"{holder}: every user of this machine may rename what is in it, so also the inbox",
            f"chmod o-w {holder}, or chmod +t {holder}",
        )
    if sound:
        yield good("inbox", f"{shown}: mode {facts.st_mode & 0o7777:04o}, user {facts.st_uid}")


def _subdirectory_findings(
    path: Path, facts: os.stat_result, inbox: os.stat_result, *, user: int
) -> Iterator[Finding]:
    shown = escaped(str(path))
    if not stat.S_ISDIR(facts.st_mode):
        yield failed(
            "inbox",
            f"{shown}: must be a directory of the daemon's own, not a link or a file",
            "move it away; the daemon makes the directory",
        )
        return
    if facts.st_dev != inbox.st_dev:
        yield failed(
            "inbox",
            f"{shown}: lies on another file system than the inbox, so that moving is no rename",
            "unmount it",
        )
    if facts.st_uid != user:
        yield failed(
            "inbox",
            f"{shown}: belongs to user {facts.st_uid}, and the daemon, run by you ({user}),"
            " would refuse it",
            "run the daemon as that user, or move the directory away",
        )
    forbidden = 0o077 if path.name == ".claimed" else 0o022
    if facts.st_mode & forbidden:
        yield warned(
            "inbox",
            f"{shown}: mode {facts.st_mode & 0o7777:04o} lets others change what is in it",
            f"chmod {'700' if path.name == '.claimed' else '2750'} {shown}",
        )


def _facts_of(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
