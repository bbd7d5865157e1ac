"""A plugin for inboxd: a record of everything that was taken, run and refused."""

from __future__ import annotations

from inboxd_audit.plugin import AuditPlugin, plugin

__all__ = ["AuditPlugin", "plugin"]
