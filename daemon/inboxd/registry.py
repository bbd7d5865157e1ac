"""
The registry of running instances (docs/reference/cli.md).

A running daemon keeps an entry in a directory of its user: a small JSON file named after its state
directory. The truth is the lock on the state directory; an entry whose lock is free is stale.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxd.clock import rfc3339_micros
from inboxd.names import escaped
from inboxd.state_lock import StateLock, is_locked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.config.settings import Settings

__all__ = [
    "SYSTEM_REGISTRY",
    "Registration",
    "RunningInstance",
    "register",
    "registry_directory",
    "running_instances",
]

#: A file on its way has its name within an instant; an older one's daemon has ended.
_LEFTOVER_SECONDS = 60.0
#: Where the unit of the system registers: its `RuntimeDirectory`.
SYSTEM_REGISTRY = Path("/run/inboxd")
_SUFFIX = ".instance.json"
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningInstance:
    """What a running daemon says of itself; paths are absolute."""

    state: Path
    inbox: Path
    store_url: str
    #: The main file of its configuration, which need not exist; None: it has none.
    config: Path | None
    pid: int
    #: RFC 3339.
    started_at: str
    version: str
    #: The directory of the Python environment that it runs in; None: an older daemon.
    environment: Path | None = None
    #: Its control socket; None: an older daemon.
    socket: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The entry of this daemon; `remove` when it stops."""

    path: Path
    #: Why there is no entry: the daemon works without, but is not found by itself; None: there is.
    problem: str | None = None

    def remove(self) -> None:
        """Remove the entry; the second time, or without one, it does nothing."""
        if self.problem is None:
            with contextlib.suppress(OSError):  # a stale entry is told by its lock
                self.path.unlink(missing_ok=True)


def registry_directory(environ: Mapping[str, str]) -> Path:
    """Return where this process registers and looks: the unit's, the user's, or one in /tmp."""
    for variable in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        first = environ.get(variable, "").split(":", 1)[0]
        if first.startswith("/"):
            return Path(first) if variable == "RUNTIME_DIRECTORY" else Path(first, "inboxd")
    return Path(f"/tmp/inboxd-{os.geteuid()}")  # noqa: S108 # made 0700 and checked by _refusal


def register(
    settings: Settings,
    *,
    version: str,
    socket: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Registration:
    """
    Write the entry of this daemon, which holds the lock on its state directory already.

    Args:
        settings: the daemon's.
        version: of inboxd.
        socket: its control socket; None: it has none.
        environ: the environment; None is this process's own.

    That it cannot be written is no error: it is said in the registration's `problem`.
    """
    directory = registry_directory(os.environ if environ is None else environ)
    path = directory / _entry_name(settings.state.path)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if refusal := _refusal(directory, own=True):
            return Registration(path=path, problem=refusal)
        _remove_leftovers(path)
        _write_entry(path, settings, version, socket)
    except OSError as error:
        where = escaped(str(directory))
        return Registration(path=path, problem=f"{where}: cannot be written: {error.strerror}")
    return Registration(path=path)


def running_instances(
    environ: Mapping[str, str] | None = None, *, system: Path = SYSTEM_REGISTRY
) -> tuple[list[RunningInstance], list[RunningInstance]]:
    """
    Return the running instances of this user, and those of the system, by state directory.

    Stale entries of this user are removed on the way.
    """
    own = registry_directory(os.environ if environ is None else environ)
    of_user = _entries(own, own=True)
    of_system = [] if system == own else _entries(system, own=False)
    return of_user, of_system


def _entry_name(state: Path) -> str:
    return hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16] + _SUFFIX


def _remove_leftovers(path: Path) -> None:
    """
    Remove what daemons left that ended while they wrote an entry.

    Of this entry all of it: we hold its state's lock. Of others what is old and whose process is
    gone (a number that was given to another process spares it until that one ends, too).
    """
    for leftover in path.parent.glob(f".*{_SUFFIX}.*"):
        with contextlib.suppress(OSError):  # its daemon gave it its name
            if leftover.name.startswith(f".{path.name}.") or _is_left_over(leftover):
                leftover.unlink(missing_ok=True)


def _is_left_over(temporary: Path) -> bool:
    pid = temporary.name.rpartition(".")[2]
    age = time.time() - temporary.lstat().st_mtime
    return age > _LEFTOVER_SECONDS and pid.isdecimal() and not Path(f"/proc/{pid}").exists()


def _write_entry(path: Path, settings: Settings, version: str, socket: Path | None) -> None:
    entry = {
        "format": 1,
        "state": str(settings.state.path),
        "inbox": str(settings.inbox.path),
        "store_url": settings.store.url,
        "config": None if settings.config is None else str(settings.config),
        "pid": os.getpid(),
        "started_at": rfc3339_micros(time.time_ns() // 1_000),
        "version": version,
        "environment": sys.prefix,
        "socket": None if socket is None else str(socket),
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    # Readable for others: in the system's directory every user may find the system's instance.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(file.fileno(), 0o644)
        json.dump(entry, file, ensure_ascii=False, indent=2)
    temporary.rename(path)


def _refusal(directory: Path, *, own: bool) -> str | None:
    """Return why the directory must not be believed, or None."""
    shown = escaped(str(directory))
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        return f"{shown}: is not a directory of its own (a link?); remove it"
    if own and facts.st_uid != os.geteuid():
        return f"{shown}: belongs to another user (uid {facts.st_uid}); remove it"
    if facts.st_mode & 0o022:
        return f"{shown}: others may write to it; chmod go-w it"
    return None


def _entries(directory: Path, *, own: bool) -> list[RunningInstance]:
    found: list[RunningInstance] = []
    try:
        if _refusal(directory, own=own):
            return []
        paths = sorted(path for path in directory.iterdir() if path.name.endswith(_SUFFIX))
    except OSError:
        return []
    for path in paths:
        entry = _read_entry(path)
        if entry is not None and _is_alive(entry):
            found.append(entry)
        elif own and entry is not None:
            _remove_stale(path, entry)
    return found


def _remove_stale(path: Path, entry: RunningInstance) -> None:
    """Remove an entry unless a daemon starts on its state directory at this very moment."""
    lock = StateLock.acquire_free(entry.state)
    try:
        # Under the lock nobody can register; without a state directory there is nobody to do so.
        if lock is not None or not entry.state.exists():
            path.unlink(missing_ok=True)
    except OSError:
        return
    finally:
        if lock is not None:
            lock.release()


def _read_entry(path: Path) -> RunningInstance | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            text = file.read(_MOST_BYTES).decode("utf-8", "surrogateescape")
        document: dict[str, Any] = json.loads(text)
        return RunningInstance(
            state=Path(document["state"]),
            inbox=Path(document["inbox"]),
            store_url=str(document["store_url"]),
            config=Path(document["config"]) if document["config"] else None,
            pid=int(document["pid"]),
            started_at=str(document["started_at"]),
            version=str(document["version"]),
            environment=Path(place) if (place := document.get("environment")) else None,
            socket=Path(place) if (place := document.get("socket")) else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(entry: RunningInstance) -> bool:
    try:
        return is_locked(entry.state)
    except PermissionError:
        # Another user's state directory: its lock cannot be seen, its process can.
        return Path(f"/proc/{entry.pid}").exists()
    except OSError:
        return False
