"""The fixtures under test; a project outside has them by `pytest_plugins`."""

from __future__ import annotations

from inboxd.testing.fixtures import inboxd_daemon, inboxd_plugins, make_inboxd_daemon

__all__ = ["inboxd_daemon", "inboxd_plugins", "make_inboxd_daemon"]
