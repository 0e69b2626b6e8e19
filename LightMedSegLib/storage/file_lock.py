"""A lock that the operating system takes back when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from LightMedSegLib.core.errors import OutputError

_RETRY_SECONDS = 0.05


class LockedError(OutputError):
    """Another process holds the lock."""


@contextlib.contextmanager
def exclusive(path: Path, wait_seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock file at path, which stays behind empty, for the with-block.

    Raises LockedError if another process holds it for longer than wait_seconds, OutputError if path cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be written: {error.strerror or error}.") from error
    try:
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(handle):
            if time.monotonic() >= deadline:
                raise LockedError(f"{path.parent} is in use by another process; wait until that has ended.")
            time.sleep(_RETRY_SECONDS)
        yield
    finally:
        os.close(handle)


if os.name == "nt":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
