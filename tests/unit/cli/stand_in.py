"""A stand-in for the daemon: it holds the state lock and answers files as it is told."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from inboxd.state_lock import StateLock

__all__ = ["TREE_ID", "StandIn"]

TREE_ID = "0190a1b2-0000-7000-8000-0123456789ab"


@dataclass(kw_only=True)
class StandIn:
    """Answers every file of the inbox, on a thread of its own, until it is left."""

    state: Path
    #: What the receipt says besides `format`, `file` and `sha256`.
    receipt: dict[str, Any] = field(
        default_factory=lambda: {"accepted": True, "tree_id": TREE_ID, "warnings": []}
    )
    #: What the result says; None: the tree never ends.
    result: dict[str, Any] | None = None
    #: Ends when it has taken a file, with no answer.
    dies: bool = False
    #: The files that were taken, by name.
    taken: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def __enter__(self) -> StandIn:
        """Begin."""
        self.inbox = self.state / "inbox"
        for name in ("accepted", "rejected", "results"):
            (self.inbox / name).mkdir(parents=True, exist_ok=True)
        self._lock = StateLock.acquire(self.state)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()
        self._lock.release()

    def _run(self) -> None:
        while not self._stopped.wait(0.005):
            for path in self.inbox.glob("[!.]*.json"):
                data = path.read_bytes()
                path.unlink()
                self.taken[path.name] = data
                if self.dies:
                    self._lock.release()
                    return
                self._answer(path.name, data)

    def _answer(self, name: str, data: bytes) -> None:
        receipt = {
            "format": 1,
            "file": name,
            **self.receipt,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        kind = "accepted" if receipt["accepted"] else "rejected"
        self._write(self.inbox / kind / name.replace(".json", ".receipt.json"), receipt)
        if self.result is not None:
            result = {"format": 1, "file": name, "tree_id": TREE_ID, **self.result}
            self._write(self.inbox / "results" / name.replace(".json", ".result.json"), result)

    @staticmethod
    def _write(path: Path, document: dict[str, Any]) -> None:
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_text(json.dumps(document) + "\n")
        unfinished.rename(path)
