"""A plugin for inboxd: rules of an operator for task files."""

from __future__ import annotations

from inboxd_policy.plugin import PolicyPlugin, plugin

__all__ = ["PolicyPlugin", "plugin"]
