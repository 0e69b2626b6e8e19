"""A file lock that the operating system releases when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.storage.atomic_files import make_folder, why_not_written

_RETRY_SECONDS = 0.05

_HELD = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK, errno.EINTR}
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class LockedError(OutputError):
    """Another process holds the lock."""


@contextlib.contextmanager
def exclusive(path: Path, wait_seconds: float = 10.0) -> Iterator[bool]:
    """Hold the lock file at path for the with-block; yield whether the file system has locks. The empty file remains.

    On a file system without locks (NFS without its lock service) the block still runs, because the library writes
    complete files without a lock; but it must not remove temporary files, which may belong to another process.

    Raises LockedError if another process holds it for longer than wait_seconds, OutputError if path cannot be written.
    """
    make_folder(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be written: {why_not_written(error, path)}.") from error
    try:
        yield _locked(handle, path.parent, time.monotonic() + wait_seconds)
    finally:
        os.close(handle)


def _locked(handle: int, folder: Path, deadline: float) -> bool:
    while True:
        try:
            _lock(handle)
            return True
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            if error.errno not in _HELD:
                raise OutputError(f"{folder} cannot be locked: {error.strerror or error}.") from error
        if time.monotonic() >= deadline:
            raise LockedError(f"{folder} is in use by another process; wait until that has ended.")
        time.sleep(_RETRY_SECONDS)


if os.name == "nt":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
