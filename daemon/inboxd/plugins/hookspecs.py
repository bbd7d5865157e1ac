"""
The hooks: what inboxd asks and tells its plugins, one typed function each.

A plugin is a module (or any object) behind an entry point of the group `inboxd`; it marks a
function of the same name with `@hookimpl`, and names those of the arguments that it wants.
Each plugin is called by itself: what one raises is reported for that one and harms no other.
"""

# The first sentences here are what the reference's page of hooks begins with; a test compares them.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import click

    from inboxd.array.problem import Problem
    from inboxd.plugins.candidate import CandidateTree
    from inboxd.plugins.protocol import Executor, PluginConfiguration
    from inboxd.plugins.told import ToldAttempt, ToldOutcome, ToldTask, ToldTree

__all__ = ["PROJECT_NAME", "hookimpl"]

#: The name that pluggy's markers, its manager and the entry-point group share.
PROJECT_NAME = "inboxd"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)

#: Marks a function of a plugin as its answer to the hook of the same name.
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)

# pluggy reads the signatures alone; a specification itself is never called, so none has a body.


@hookspec
def inboxd_configure(configuration: PluginConfiguration) -> Iterable[str] | None:
    """
    Take the plugin's own settings, the table `[plugins.NAME]` of the configuration.

    Called once after the import and before every other hook, by the daemon and by every verb that
    loads plugins, so it opens nothing.
    A good answer checks every key, and raises ValueError with what is wrong and what is wanted:
    `inboxd run` then ends with that sentence and code 78.
    A plugin without this hook has no settings, and a table for it is an error.

    Returns:
        The names of the hooks that it wants to be called with these settings; None: all that it
        has. A hook that nobody wants costs the daemon nothing.
    """
    raise NotImplementedError


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
    raise NotImplementedError


@hookspec(firstresult=True)
def inboxd_resolve_executor(name: str, task: Mapping[str, Any]) -> Executor | None:
    """
    Make an executor for a name that nobody registered.

    Called when a file is checked, and for the tasks of an earlier run, on a thread of its own. An
    executor holds as long as the daemon runs; after None it is called again for the next file.
    The first plugin that answers is taken; its executor's `name` is the one that was asked for.
    A plugin has 10 s; one that does not return is not asked any more until the next start.
    A good answer is quick, is the same at every start, and is None for every name that is not
    clearly the plugin's own: a typo must stay a typo.

    Args:
        name: what the task names, of the form of a task's id.
        task: one task that names it: `id`, `params` and `inputs` as they are written.
    """


@hookspec
def inboxd_file_suffixes() -> Iterable[str]:
    """
    Say which files besides `*.json` are task files.

    Called once at start. A good answer is a suffix with its dot, in lower case: `.yaml`.
    One that ends in `.json`, in what is never taken (`.tmp`, `.part`), or that another plugin names
    too is refused.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def inboxd_parse_file(path: Path, data: bytes) -> list[Any] | dict[str, Any] | None:
    """
    Read a task file of another format.

    Called for every file whose suffix a plugin named, and by `inboxd validate` and `submit`, on a
    thread of its own while the intake waits: 30 s, and 30 s more for each MiB. A plugin that does
    not return is not called any more until the next start.
    A good answer is what the JSON file would have held, of JSON's types alone, and None for a
    file that is not the plugin's. It never looks at the disk: *data* is all there is.
    An answer with a method `position_of(path, *, at_key=False)` lets errors name the line and
    column: it gives both, from 1, for a way of keys and indices from the top, whose end may not be
    there; of the key that it ends with where *at_key* says so; or None. See `HasPositions`. For
    text that cannot be read raise `ParseProblem`, which has both.

    Args:
        path: the file's name; nothing lies there to be read.
        data: the whole file.
    """


@hookspec
def inboxd_validate_tree(tree: CandidateTree) -> list[Problem]:
    """
    Say what is wrong with a tree that fits our own rules.

    Called for every file, and by `inboxd validate` and `submit`, on a thread of its own while the
    intake waits: 10 s, and 0.5 ms more for each task. A plugin that does not return is not called
    any more until the next start, and the file goes on.
    A good answer takes some milliseconds, is the same for the same tree, and is empty when nothing
    is wrong; each problem has a `pointer` that begins with its task's, a message that says what is
    wrong, and a hint that says what to do.
    What this raises rejects no file: it is reported as the plugin's error.
    """
    raise NotImplementedError


@hookspec
def inboxd_file_rejected(receipt: Mapping[str, Any]) -> None:
    """
    Hear that a file was rejected.

    Called after its receipt is on disk, on the hooks' thread; a crash of the daemon may lose it.

    Args:
        receipt: as it stands in the receipt file.
    """


@hookspec
def inboxd_tree_accepted(tree: ToldTree) -> None:
    """Hear that a tree was accepted; on the hooks' thread, a crash of the daemon may lose it."""


@hookspec
def inboxd_tree_ended(tree: ToldTree) -> None:
    """
    Hear that every task of a tree has ended.

    Called after its result file is on disk, on the hooks' thread, at least once for every tree
    that ends while the plugin is loaded: when the daemon ends before this returned, it is called
    again at the next start, and for a plugin that is not there then when it is back.
    A good answer can be given twice for one tree (`tree.tree_id` tells), hands long work on, and
    returns. What it raises is logged, and counts as returned.
    """


@hookspec
def inboxd_task_starting(task: ToldTask, attempt: ToldAttempt) -> None:
    """
    Hear that an attempt of a task starts.

    Called after the start was recorded, on the hooks' thread, so at about the same time as the
    attempt's first step; a crash of the daemon may lose it.
    """


@hookspec
def inboxd_task_ended(task: ToldTask, attempt: ToldAttempt, outcome: ToldOutcome) -> None:
    """
    Hear that an attempt of a task ended.

    Called after its outcome was recorded, on the hooks' thread, after the same attempt's
    `inboxd_task_starting`; a crash of the daemon may lose it.
    """


@hookspec
def inboxd_daemon_started() -> None:
    """
    Hear that the daemon takes files and runs tasks.

    Called once a start, on the hooks' thread, before everything else that is told. What is told in
    order on that thread may lie behind: a slow plugin is told late, and beyond 10,000 calls that
    wait those about tasks are left out, and counted. A call that takes more than 60 s is given up:
    that hook of the plugin is not called any more until the next start.
    """


@hookspec
def inboxd_daemon_stopping() -> None:
    """
    Hear that the daemon stops: nothing more is told after this.

    Called once, on the hooks' thread, after the last task ended; it has some seconds.
    """


@hookspec
def inboxd_commands(cli: click.Group) -> None:
    """
    Add verbs to the command line.

    Called when a verb is named that is not inboxd's own, and for the list in `inboxd --help`, with
    a group in which nothing is yet, within 5 s.
    A good answer adds click commands, `cli.add_command(...)`, imports what they need only when they
    run, and takes no name of a verb that is there: such a one is refused. Each verb also takes
    `--config` and `--state`; what `inboxd_configure` got is of the instance that they name.
    """
