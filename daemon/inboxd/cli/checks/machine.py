"""The machine: file systems, free space, inotify, systemd."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inboxd.cli.checks.finding import Finding, failed, good, warned
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "InotifyFacts",
    "check_file_system",
    "check_inotify",
    "check_systemd",
    "file_system_type",
    "inotify_findings",
    "kind_findings",
    "space_findings",
]

_GIB = 1024**3
#: Under this a night of logs fills the disk; under the other one the database cannot grow.
_LITTLE_BYTES = 1 * _GIB
_TOO_LITTLE_BYTES = 64 * 1024**2
_FEW_INODES = 10_000
#: File systems whose files other machines change, or whose locks and shared memory cannot be
#: trusted: sqlite.org/wal.html asks that all processes that use a WAL database be on one host.
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre"})
_FOREIGN = frozenset({"9p", "virtiofs", "vboxsf", "drvfs"})
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class InotifyFacts:
    """The kernel's limits for one user (inotify(7)), and what this user has of them."""

    max_user_watches: int
    max_user_instances: int
    instances: int


def check_file_system(check: str, path: Path, *, holds_database: bool) -> Iterator[Finding]:
    """Look at the file system that holds *path*, or will hold it."""
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    kind = file_system_type(place.resolve(), _mounts())
    shown = escaped(str(path))
    yield from kind_findings(check, shown, kind, holds_database=holds_database)
    try:
        facts = os.statvfs(place)
    except OSError as error:
        yield warned(check, f"{shown}: free space is not known: {error.strerror}", "look yourself")
        return
    yield from space_findings(check, shown, facts, kind=kind)


def kind_findings(check: str, shown: str, kind: str, *, holds_database: bool) -> Iterator[Finding]:
    """Say what a file system of this type means for what *check* names and *shown* shows."""
    if kind in _NETWORK and holds_database:
        yield failed(
            check,
            f"{shown}: lies on {kind}, where SQLite's database can be damaged",
            "set [state] path to a directory on a local disk",
        )
    elif kind in _NETWORK | _FOREIGN or kind.startswith("fuse."):
        yield warned(
            check,
            f"{shown}: lies on {kind}: changes by others may send no event"
            + ("; locks may not hold" if holds_database else ""),
            "use a local disk"
            if holds_database
            else "files are found by the scan; lower [inbox] scan_interval if that is too slow",
        )


def space_findings(
    check: str, shown: str, facts: os.statvfs_result, *, kind: str
) -> Iterator[Finding]:
    """Say whether there is room, for what *check* names and *shown* shows."""
    free = facts.f_bavail * facts.f_frsize
    text = f"{shown}: {free / _GIB:.1f} GiB free ({kind})"
    if free < _TOO_LITTLE_BYTES:
        yield failed(check, text, "make room: nothing is accepted that cannot be kept")
    elif free < _LITTLE_BYTES:
        yield warned(check, text, "make room before it is full")
    elif facts.f_files and facts.f_favail < _FEW_INODES:
        yield warned(check, f"{shown}: only {facts.f_favail} files more", "remove small files")
    else:
        yield good(check, text)


def file_system_type(path: Path, mounts: list[tuple[Path, str]]) -> str:
    """Return the type of the file system that an absolute path lies on; `unknown` without one."""
    best, kind = -1, "unknown"
    for mount_point, mounted in mounts:
        depth = len(mount_point.parts)
        # A later mount on the same point lies over the earlier one.
        if depth >= best and path.is_relative_to(mount_point):
            best, kind = depth, mounted
    return kind


def check_inotify() -> Iterator[Finding]:
    """Look at the limits of inotify, and what of them is in use."""
    limits = _PROC / "sys/fs/inotify"
    try:
        facts = InotifyFacts(
            max_user_watches=int((limits / "max_user_watches").read_text()),
            max_user_instances=int((limits / "max_user_instances").read_text()),
            instances=_instances_of(os.geteuid()),
        )
    except (OSError, ValueError):
        yield warned(
            "inotify",
            "the kernel's limits cannot be read",
            "without inotify files are found by the scan; lower [inbox] scan_interval",
        )
        return
    yield from inotify_findings(facts)


def inotify_findings(facts: InotifyFacts) -> Iterator[Finding]:
    """Say whether the daemon, which needs one instance and one watch, gets them."""
    text = (
        f"{facts.instances} of {facts.max_user_instances} instances in use by you,"
        f" {facts.max_user_watches} watches allowed"
    )
    if facts.instances >= facts.max_user_instances or facts.max_user_watches < 1:
        yield failed(
            "inotify",
            f"{text}: the daemon gets none, and finds files by the scan only",
            "end programs that watch files, or raise the limit:"
            " sysctl fs.inotify.max_user_instances=1024",
        )
    elif facts.instances > facts.max_user_instances * 0.8:
        yield warned("inotify", text, "sysctl fs.inotify.max_user_instances=1024")
    else:
        yield good("inotify", text)


def check_systemd() -> Iterator[Finding]:
    """Say whether systemd runs this machine; sd_booted(3) tells it by this directory."""
    if Path("/run/systemd/system").is_dir():
        yield good("systemd", "runs this machine")
    else:
        yield good("systemd", "does not run this machine; inboxd needs none")


def _mounts() -> list[tuple[Path, str]]:
    # proc(5): ... mount point (5th field) ... " - " type source options; blanks as \040.
    mounts: list[tuple[Path, str]] = []
    try:
        lines = (_PROC / "self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) > 4 and kinds:
            mounts.append((Path(_unescaped(fields[4])), kinds[0]))
    return mounts


def _unescaped(text: str) -> str:
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text


def _instances_of(user: int) -> int:
    """Count the inotify instances that processes of *user* hold, as far as they can be seen."""
    count = 0
    for process in _PROC.iterdir():
        if not process.name.isdecimal():
            continue
        try:
            if process.stat().st_uid != user:
                continue
            for descriptor in (process / "fd").iterdir():
                count += os.readlink(descriptor) == "anon_inode:inotify"  # noqa: PTH115 # no path
        except OSError:
            continue  # it has ended, or may not be looked at
    return count
