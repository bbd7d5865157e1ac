"""How each daemon that runs is restarted, so that it sees what was installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.names import escaped

if TYPE_CHECKING:
    from inboxd.registry import RunningInstance

__all__ = ["concerned", "restart_command", "restart_lines"]

#: The unit at the end of a cgroup's path (cgroups(7), systemd.slice(5)).
_UNIT = re.compile(r"/(?P<unit>[^/]+\.service)$")


def concerned(
    running: list[RunningInstance], *, environment: Path, state: Path | None = None
) -> list[RunningInstance]:
    """
    Return the daemons that see a change of an environment once they are restarted.

    Args:
        running: all that run.
        environment: its directory.
        state: of the instance that is meant; None: of any.
    """
    return [
        one
        for one in running
        if (one.environment is None or one.environment.resolve() == environment.resolve())
        and (state is None or one.state.resolve() == state.resolve())
    ]


def restart_lines(running: list[RunningInstance], *, proc: Path = Path("/proc")) -> list[str]:
    """Return one sentence for each daemon that runs."""
    lines: list[str] = []
    for each in running:
        try:
            group = (proc / str(each.pid) / "cgroup").read_text()
        except OSError:
            group = ""
        how = restart_command(group) or f"end it (kill {each.pid}) and start it again as before"
        state = escaped(str(each.state))
        lines.append(f"the daemon on {state} (pid {each.pid}) sees this after a restart: {how}")
    return lines


def restart_command(group: str) -> str | None:
    """
    Return the command that restarts the unit of a process; None: no unit of inboxd's runs it.

    Args:
        group: what `/proc/PID/cgroup` holds.
    """
    for line in group.splitlines():
        path = line.rpartition(":")[2]
        match = _UNIT.search(path)
        if match is not None and match["unit"].startswith("inboxd"):
            user = "--user " if "/user@" in path else ""
            return f"systemctl {user}restart {match['unit']}"
    return None
