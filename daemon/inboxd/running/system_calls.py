"""The two system calls that Python's standard library lacks: prctl and fallocate with a mode."""

from __future__ import annotations

import ctypes
import os

__all__ = ["become_subreaper", "punch_hole"]

#: prctl(2): orphans below this process become its children, not those of process 1.
_PR_SET_CHILD_SUBREAPER = 36
#: fallocate(2): free the blocks of a range; the file keeps its size, the range reads as zeros.
_PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01

_libc = ctypes.CDLL(None, use_errno=True)
# 64-bit offsets on every platform: off_t of the plain function may have 32 bits.
_fallocate = getattr(_libc, "fallocate64", None) or _libc.fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)


def become_subreaper() -> None:
    """
    Make this process the one that is given the orphans below it, for as long as it lives.

    Raises:
        OSError: the kernel does not know how (before Linux 3.4).
    """
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        _raise_errno()


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """
    Free the blocks of a range of a file.

    Raises:
        OSError: EOPNOTSUPP where the file system cannot.
    """
    if _fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, offset, length) != 0:
        _raise_errno()


def _raise_errno() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
