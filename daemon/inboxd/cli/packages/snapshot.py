"""
What an environment holds at one moment, as a new process sees it.

This process has loaded what was there when it began, so it is not the one to ask.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inboxd.cli.packages.needed import normalized
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Change", "Snapshot", "changes", "take_snapshot"]

#: Loading one plugin may take ten seconds.
_LIMIT_SECONDS = 300
#: One process for all, which says how far it came: a line of distributions, one once all is
#: imported that a daemon imports (Alembic only when it looks at its database), then the plugins.
_LOOK = """
import importlib.metadata, json, sys
found = {}
try:
    for one in importlib.metadata.distributions():
        name = one.metadata["Name"]
        if name and name not in found:
            found[name] = one.version
except Exception:  # a damaged one, which need not keep inboxd from working
    found = {}
print(json.dumps(found), flush=True)
import inboxd.daemon, inboxd.cli.main, inboxd.store.schema, alembic.command
print("whole", flush=True)
sys.argv[:1] = ["inboxd", "plugins", "--json"]
inboxd.cli.main.main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What there is."""

    #: Versions by name.
    distributions: dict[str, str] = field(default_factory=dict[str, str])
    #: What `inboxd plugins --json` prints; None: it could not.
    plugins: dict[str, Any] | None = None
    #: Why inboxd itself, or `plugins`, did not work, one sentence; None: they did.
    failure: str | None = None
    #: Whether inboxd can be imported, and all that it stands on.
    is_whole: bool = True

    def executors(self) -> set[str]:
        """Return the names of all executors."""
        plugins: list[dict[str, Any]] = [] if self.plugins is None else self.plugins["plugins"]
        return {name for plugin in plugins for name in plugin["executors"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One distribution that came, went or changed."""

    name: str
    #: Versions; None: it is not there.
    before: str | None
    after: str | None


def take_snapshot(where: Sequence[str]) -> Snapshot:
    """
    Look at the environment.

    Args:
        where: `--config FILE` and `--state DIR`, as far as they were given.
    """
    looked = _python("-c", _LOOK, *where)
    listed, is_whole, shown = _parts(looked.stdout)
    distributions: dict[str, str] = json.loads(listed) if listed else {}
    if not is_whole or looked.returncode != 0:
        return Snapshot(
            distributions=distributions, failure=_last_line(looked.stderr), is_whole=is_whole
        )
    return Snapshot(distributions=distributions, plugins=json.loads(shown))


def _parts(text: str) -> tuple[str, bool, str]:
    listed, _, rest = text.partition("\n")
    first, _, shown = rest.partition("\n")
    return listed, first == "whole", shown


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """Return the distributions that differ, by name."""
    old = {normalized(name): (name, version) for name, version in before.distributions.items()}
    new = {normalized(name): (name, version) for name, version in after.distributions.items()}
    return [
        Change(
            name=new.get(key, old.get(key, ("", "")))[0],
            before=old[key][1] if key in old else None,
            after=new[key][1] if key in new else None,
        )
        for key in sorted(old.keys() | new.keys())
        if old.get(key, ("", None))[1] != new.get(key, ("", None))[1]
    ]


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    # -P: nothing is imported from where the person happens to be.
    return subprocess.run(
        [sys.executable, "-P", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_LIMIT_SECONDS,
        check=False,
    )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return escaped(lines[-1].strip())[:500] if lines else "it said nothing"
