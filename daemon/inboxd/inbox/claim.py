"""Claim files: rename them into `.claimed/` under a uuid of their own, which is their key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inboxd.failpoints import failpoint
from inboxd.ids import new_id
from inboxd.inbox.file_names import claimed_name, split_claimed_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inboxd.inbox.directory import OpenInbox
    from inboxd.inbox.settle import Candidate

__all__ = ["Claim", "Claims", "claim_files", "claim_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A file in `.claimed/`, which nobody else takes any more."""

    #: The uuid under which its intake is recorded, once.
    key: str
    #: The name it was dropped under; after a crash, of too long a name, only what was kept of it.
    file_name: bytes
    #: The name in `.claimed/`.
    name: bytes
    #: As it settled.
    settled: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What came of one attempt to claim files."""

    claims: tuple[Claim, ...]
    #: Files that could not be claimed, and why; they lie where they lay.
    failures: tuple[tuple[Candidate, OSError], ...]


def claim_files(opened: OpenInbox, files: Sequence[Candidate]) -> Claims:
    """
    Rename *files* out of the inbox, and make that last through a power cut.

    A file that is not there any more is left out: its owner took it back, or another process did.

    Raises:
        OSError: the directories could not be synced; what was claimed lies in `.claimed/`.
    """
    claims: list[Claim] = []
    failures: list[tuple[Candidate, OSError]] = []
    for file in files:
        key = new_id()
        name = claimed_name(key, file.name)
        try:
            os.rename(file.name, name, src_dir_fd=opened.inbox, dst_dir_fd=opened.claimed)
        except FileNotFoundError:
            continue
        except OSError as error:
            failures.append((file, error))
            continue
        claims.append(Claim(key=key, file_name=file.name, name=name, settled=file))
        failpoint("after_claim")
    if claims:
        os.fsync(opened.claimed)
        os.fsync(opened.inbox)
        failpoint("after_claim_sync")
    return Claims(claims=tuple(claims), failures=tuple(failures))


def claim_of(found: Candidate) -> Claim:
    """Return the claim that a file found in `.claimed/` is."""
    split = split_claimed_name(found.name)
    if split is None:
        raise ValueError(f"{found.name!r} is no name of a claim")
    return Claim(key=split[0], file_name=split[1], name=found.name, settled=found)
