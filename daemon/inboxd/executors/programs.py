"""The built-in plugin `programs`: executors that are programs, from the configuration or a file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from inboxd.executors.program_directory import ProgramRefused, program_of
from inboxd.executors.program_table import ConfiguredProgram
from inboxd.plugins.executor_check import is_executor_name
from inboxd.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from inboxd.plugins.protocol import Executor, PluginConfiguration

__all__ = ["ProgramsPlugin", "plugin"]

logger = logging.getLogger(__name__)

#: The other built-in executors: a table of theirs is theirs, and says so itself. (What can be no
#: executor's name is said by the check of the settings.)
_TAKEN = frozenset({"command", "noop", "python"})


class ProgramsPlugin:
    """
    Offers `[executors.NAME] argv = [...]`, and finds the programs in `[plugins] directory`.

    Its options are not a table: the manager gives it `directory`, and in `executors` the tables
    that have an `argv`.
    """

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._tables: Mapping[str, Mapping[str, Any]] = {}

    @hookimpl
    def inboxd_configure(self, configuration: PluginConfiguration) -> Iterable[str]:
        """Take the directory and the tables; return the hooks that they need."""
        self._directory = configuration.options.get("directory")
        self._tables = configuration.options.get("executors", {})
        wanted = {"inboxd_executors": self._tables, "inboxd_resolve_executor": self._directory}
        return [hook for hook, needs_it in wanted.items() if needs_it]

    @hookimpl
    def inboxd_executors(self) -> Iterable[Executor]:
        """Offer what the configuration names."""
        return [
            ConfiguredProgram(name, options)
            for name, options in self._tables.items()
            if name not in _TAKEN and is_executor_name(name)
        ]

    @hookimpl
    def inboxd_resolve_executor(self, name: str) -> Executor | None:
        """Find a program of the name in the directory; say in the log why one is not used."""
        if self._directory is None:
            return None
        try:
            return program_of(self._directory, name)
        except ProgramRefused as error:
            logger.warning(
                "executor %s is not used: %s",
                name,
                error,
                extra={"event": "program_refused", "executor": name},
            )
            return None


plugin = ProgramsPlugin()
