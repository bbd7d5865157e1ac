"""The built-in plugin `notify`: has the operator's program run for ends and rejections."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd.ids import new_id
from inboxd.notify.delivery import Delivery
from inboxd.notify.spool import Notification, Spool
from inboxd.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    from inboxd.plugins.protocol import PluginConfiguration
    from inboxd.plugins.told import ToldTree

__all__ = ["NotifyPlugin", "plugin"]

logger = logging.getLogger(__name__)

#: In a stop of the daemon, what is due is tried for so long; with the time to end a program it is
#: less than all plugins together have there (`_HOOK_SECONDS` of the daemon).
_STOP_SECONDS = 2.0


class NotifyPlugin:
    """The telling hooks of `[notify]`; without `argv` it does nothing."""

    def __init__(self) -> None:
        self._argv: tuple[str, ...] = ()
        self._on: frozenset[str] = frozenset()
        self._spool: Spool | None = None
        self._delivery: Delivery | None = None

    @hookimpl
    def inboxd_configure(self, configuration: PluginConfiguration) -> Iterable[str] | None:
        """Take `[notify]`, whose values the configuration has checked."""
        self._argv = tuple(configuration.options.get("argv", ()))
        self._on = frozenset(configuration.options.get("on", ()))
        self._spool = Spool(configuration.directory)
        self._delivery = None
        return None if self._argv else ()

    @hookimpl
    def inboxd_daemon_started(self) -> None:
        """Go on with what an earlier daemon left."""
        if self._argv and self._spool is not None:
            self._delivery = Delivery(self._argv, self._spool)
            self._delivery.start()

    @property
    def is_idle(self) -> bool:
        """Whether all that is due now was tried; `--until-idle` waits for it."""
        delivery = self._delivery
        return delivery is None or delivery.is_idle

    @hookimpl
    def inboxd_tree_ended(self, tree: ToldTree) -> None:
        """Notify of a tree's end, with its result document."""
        if tree.status in self._on:
            self._add(
                Notification(id=new_id(), event=tree.status, tree_id=tree.tree_id, file=tree.file),
                tree.write_result,
            )

    @hookimpl
    def inboxd_file_rejected(self, receipt: Mapping[str, Any]) -> None:
        """Notify of a rejected file, with its receipt."""
        if "rejected" in self._on:
            document = msgspec.json.encode(receipt)
            self._add(
                Notification(id=new_id(), event="rejected", file=str(receipt.get("file", ""))),
                lambda file: _write(file, document),
            )

    @hookimpl
    def inboxd_daemon_stopping(self) -> None:
        """Try what is due once more; the rest is delivered after the next start."""
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            delivery.stop(_STOP_SECONDS)

    def _add(self, notification: Notification, write: Callable[[BinaryIO], None]) -> None:
        if self._delivery is None or self._spool is None:
            return
        self._spool.add(notification, write)
        self._delivery.add(notification)


def _write(file: BinaryIO, document: bytes) -> None:
    file.write(document)


#: What the entry point names.
plugin = NotifyPlugin()
