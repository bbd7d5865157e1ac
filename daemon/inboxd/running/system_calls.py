"""System calls that Python's library lacks: prctl, fallocate with a mode, renameat2."""

from __future__ import annotations

import ctypes
import errno
import os
import signal

__all__ = ["be_subreaper", "die_with_parent", "is_subreaper", "punch_hole", "rename_to_free_name"]

#: prctl(2): a signal when the thread that started this process ends.
_PR_SET_PDEATHSIG = 1
#: prctl(2): orphans below this process become its children, not those of process 1.
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
#: fallocate(2): free the blocks of a range; the file keeps its size, the range reads as zeros.
_PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01
#: renameat2(2): fail with EEXIST, and replace nothing.
_RENAME_NOREPLACE = 1

_libc = ctypes.CDLL(None, use_errno=True)
# 64-bit offsets on every platform: off_t of the plain function may have 32 bits.
_fallocate = getattr(_libc, "fallocate64", None) or _libc.fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
#: glibc has it since 2.28.
_renameat2 = getattr(_libc, "renameat2", None)
if _renameat2 is not None:
    _renameat2.argtypes = (
        *(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p),
        ctypes.c_uint,
    )
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)


def be_subreaper(*, is_one: bool) -> None:
    """
    Make this process the one that is given the orphans below it, or not any more.

    Raises:
        OSError: the kernel does not know how (before Linux 3.4).
    """
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, int(is_one), 0, 0, 0) != 0:
        _raise_errno()


def is_subreaper() -> bool:
    """
    Return whether this process is given the orphans below it.

    Raises:
        OSError: the kernel does not know (before Linux 3.4).
    """
    answer = ctypes.c_int()
    if _libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.addressof(answer), 0, 0, 0) != 0:
        _raise_errno()
    return bool(answer.value)


def die_with_parent() -> None:
    """
    Have the kernel kill this process when the thread that started it ends.

    Raises:
        OSError: the kernel refuses.
    """
    if _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        _raise_errno()


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """
    Free the blocks of a range of a file.

    Raises:
        OSError: EOPNOTSUPP where the file system cannot.
    """
    if _fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, offset, length) != 0:
        _raise_errno()


def rename_to_free_name(directory: int, old: bytes, new: bytes) -> None:
    """
    Rename within an open directory, and replace nothing.

    Not by link and unlink: the kernel refuses links to files of other users
    (`fs.protected_hardlinks`, proc(5)), and a crash between the two would leave both names.

    Raises:
        FileExistsError: *new* is taken.
        FileNotFoundError: *old* is not there.
    """
    if _renameat2 is not None:
        if _renameat2(directory, old, directory, new, _RENAME_NOREPLACE) == 0:
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            _raise_errno()
    # The file system (NFS, some FUSE) knows no such flag: looking first is the best there is.
    try:
        os.stat(new, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=directory)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _raise_errno() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
