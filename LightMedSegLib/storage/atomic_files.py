"""Atomic files and folders: they appear complete or not at all.

Everything is written under a temporary name beside its destination, synced to the disk, and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.user_folders import HOME_VARIABLE, NO_HOME

TEMPORARY_PREFIX = ".lightmedseg-tmp-"
STALE_AFTER_SECONDS = 24 * 3600

_MARK_DIGITS, _NAME_DIGITS = 8, 16

_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700

_LONGEST_ENDING = 10
"""Most characters of a suffix that selects a format, such as .seg.nrrd; other names with a dot can be longer."""


@contextlib.contextmanager
def atomic_write(path: str | Path, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path with the same suffixes; after the with-block it becomes path, replacing an old file.

    private: for patient data; only the user may read it, whatever the umask. Otherwise the permissions of an old file
    stay.
    On any exception the temporary file is removed and an old file stays as it was. Raises OutputError if the
    folder is missing or read-only, the disk is full, or path exists and is not a plain file.
    """
    target = Path(path)
    with _explained(target):
        # Through a link: replace the file that it points to, not the link.
        real = Path(os.path.realpath(target))
        if real.exists() and not stat.S_ISREG(real.stat().st_mode):
            raise OutputError(f"{target} cannot be written: it exists and is not a plain file.")
        kept = None if private else _permissions(real)
        temporary = real.with_name(temporary_name(_ending(real)))
        try:
            # Created here, so that a missing folder or permission shows before any work is done.
            temporary.touch(mode=_PRIVATE_FILE if private or kept is not None else 0o666, exist_ok=False)
            yield temporary
            sync(temporary)
            if kept is not None:
                with contextlib.suppress(OSError):  # Not every file system has permissions.
                    temporary.chmod(kept)
            temporary.replace(real)
            sync(real.parent)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


@contextlib.contextmanager
def atomic_folder(path: str | Path, private: bool = False) -> Iterator[Path]:
    """Yield an empty temporary folder beside path; after the with-block it becomes path.

    private: for patient data; only the user may read it, whatever the umask.
    Never replaces anything: FileExistsError if path exists at the start or at the end. Other disk errors raise
    OutputError. On any exception the temporary folder is removed.
    """
    target = Path(path).absolute()
    if target.exists():
        raise FileExistsError(errno.EEXIST, "it exists already", str(target))
    with _explained(target):
        make_folder(target.parent)
        temporary = target.with_name(temporary_name())
        try:
            temporary.mkdir(mode=_PRIVATE_FOLDER if private else 0o777)
            yield temporary
            for item in sorted(temporary.rglob("*")):
                if private:
                    item.chmod(_PRIVATE_FOLDER if item.is_dir() else _PRIVATE_FILE)
                sync(item)
            sync(temporary)
            _rename_new(temporary, target)
            sync(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def sync(path: Path) -> None:
    """Sync a file, or the entries of a folder, to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows neither needs nor offers this for folders.
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and overlay file systems cannot sync folders.
        if path.is_file() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents if they are missing; raises OutputError if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder} cannot be written: it is not a folder.") from None
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {why_not_written(error, folder)}.") from error


def make_private_folder(folder: Path) -> None:
    """Create a folder that only the user can read; an existing folder stays as it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)


def why_not_written(error: OSError, target: Path) -> str:
    """Return, in a few words, why the system refused to write target."""
    if NO_HOME in target.parents:
        return f"this account has no home folder; set {HOME_VARIABLE} to a folder of yours"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "there is no permission to write there"
    if error.errno == errno.EROFS:
        return "the disk is read-only"
    if error.errno == errno.ENAMETOOLONG:
        return "its name is too long for the disk"
    if error.errno == errno.ENOENT:
        return f"the folder {target.parent} does not exist"
    return error.strerror or str(error)


def temporary_name(suffix: str = "") -> str:
    """Return a new hidden name that :func:`remove_stale` recognises."""
    mark = _mark_of_thread.get() or _Mark.of_process
    return f"{TEMPORARY_PREFIX}{mark}{secrets.token_hex((_NAME_DIGITS - len(mark)) // 2)}{suffix}"


class _Mark:
    of_process = ""


_mark_of_thread: ContextVar[str] = ContextVar("mark of temporary names", default="")


def new_mark() -> str:
    """Return a new mark for temporary names."""
    return secrets.token_hex(_MARK_DIGITS // 2)


def mark_temporary_names(mark: str) -> None:
    """Let the temporary names of this process carry a mark, by which :func:`remove_marked` finds them."""
    _Mark.of_process = mark


@contextlib.contextmanager
def temporary_names_with(mark: str) -> Iterator[None]:
    """Let the temporary names of this thread carry a mark in the block, for processes that work for several runs."""
    before = _mark_of_thread.set(mark)
    try:
        yield
    finally:
        _mark_of_thread.reset(before)


def remove_marked(folder: Path, mark: str) -> None:
    """Remove the temporary files and folders in folder that a process, killed, left there with this mark."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}{mark}*"):
        with contextlib.suppress(OSError):
            _remove(path)


def remove_folder(folder: Path) -> None:
    """Remove a folder, if it is there, by one rename, so that its name never stands for half of it.

    Raises OutputError if the disk refuses.
    """
    doomed = folder.with_name(temporary_name())
    with _explained(folder), contextlib.suppress(FileNotFoundError):
        folder.rename(doomed)
    with contextlib.suppress(OSError):
        _remove(doomed)


def replace_folder(fresh: Path, target: Path) -> None:
    """Give the folder fresh, beside target, the name of target; the old folder goes when that is done.

    Raises OutputError if the disk refuses; then the old folder is where it was.
    """
    old = target.with_name(temporary_name())
    with _explained(target):
        with contextlib.suppress(FileNotFoundError):
            target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            with contextlib.suppress(OSError):
                old.rename(target)
            raise
        sync(target.parent)
    with contextlib.suppress(OSError):
        _remove(old)


def is_temporary(path: Path) -> bool:
    """Return whether path is a temporary file or folder of this module."""
    return path.name.startswith(TEMPORARY_PREFIX)


def remove_stale(folder: Path, older_than: float = STALE_AFTER_SECONDS) -> None:
    """Remove temporary files that a crash left in folder; younger ones may belong to a running process."""
    now = time.time()
    for path in folder.iterdir() if folder.is_dir() else ():
        if not is_temporary(path):
            continue
        with contextlib.suppress(OSError):
            inside = path.iterdir() if path.is_dir() and not path.is_symlink() else ()
            newest = max(item.lstat().st_mtime for item in (path, *inside))
            if now - newest > older_than:
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _permissions(path: Path) -> int | None:
    """Return who may read and write a file; None if it does not exist."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return None


def _ending(path: Path) -> str:
    """Return the last two suffixes of path, or the last, or none, so that the temporary name is not too long."""
    endings = ("".join(path.suffixes[-2:]), path.suffix)
    return next((ending for ending in endings if len(ending) <= _LONGEST_ENDING), "")


def _rename_new(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        # Systems report in different ways that another process was faster.
        if target.exists():
            raise FileExistsError(errno.EEXIST, "it exists already", str(target)) from error
        raise


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn the system's errors about target or its temporary file into an OutputError."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        if not _is_about(error, target):
            raise
        raise OutputError(f"{target} cannot be written: {why_not_written(error, target)}.") from error


def _is_about(error: OSError, target: Path) -> bool:
    """Return whether the error names target, its temporary file or a folder above, not a file that is only read."""
    if error.filename is None:
        return True
    real = Path(os.path.realpath(target))
    # Copying names the source first and then what it could not write.
    for name in filter(None, (error.filename, error.filename2)):
        named = Path(os.path.realpath(os.fsdecode(name)))
        if named == real or named in real.parents or any(is_temporary(path) for path in (named, *named.parents)):
            return True
    return False
