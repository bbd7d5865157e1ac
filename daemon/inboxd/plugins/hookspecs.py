"""
The hooks: what inboxd asks its plugins, one typed function each.

A plugin is a module (or any object) behind an entry point of the group `inboxd`; it marks a
function of the same name and arguments with `@hookimpl`.
Each plugin is asked by itself: what one raises is reported for that one and harms no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd.plugins.protocol import Executor

__all__ = ["PROJECT_NAME", "hookimpl", "inboxd_executors"]

#: The name that pluggy's markers, its manager and the entry-point group share.
PROJECT_NAME = "inboxd"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)

#: Marks a function of a plugin as its answer to the hook of the same name.
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@hookspec
def inboxd_executors() -> Iterable[Executor]:
    """
    Offer executors.

    Called once, when the daemon starts (and by `inboxd validate` and `doctor`), on a thread of its
    own with a time limit of some seconds.
    A good answer comes at once: it opens no connection and reads no large file; an executor
    does that when its first attempt runs.

    Returns:
        Executors with names of their own. When two plugins offer one name neither gets it
        (a built-in executor keeps its name); their other executors work.
    """
    # pluggy reads the signature alone; the specification itself is never called.
    raise NotImplementedError
