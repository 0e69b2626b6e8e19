"""Places where writing fails, and processes that end in the middle of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import LightMedSegError

DONE, REFUSED, KILLED, WRONG = "done", "refused in a sentence", "killed", "wrong"
_CODES = {0: DONE, 3: REFUSED, 4: WRONG, -9: KILLED}

_CHANGES = frozenset(
    ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "shutil.copyfile", "shutil.rmtree")
)


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path | None]:
    """An empty file system of its own; None where mounting is not allowed."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0755", "lightmedseg-test", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def read_only(mounted: Path) -> Iterator[None]:
    """A mounted file system that cannot be written for a while."""
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(mounted)], check=True)


@contextlib.contextmanager
def filled_up(folder: Path, free_kilobytes: int) -> Iterator[None]:
    """Only so much room is left on the disk of folder."""
    filler = folder / "filler"
    room = os.statvfs(folder)
    with filler.open("wb") as stream:
        stream.write(bytes(max(0, room.f_bavail * room.f_frsize - free_kilobytes * 1024)))
    try:
        yield
    finally:
        filler.unlink()


def in_a_process(action: Callable[[], object], before: Callable[[], None] = lambda: None) -> tuple[str, str]:
    """Do before and action in a forked process; how it ended, and the message or traceback."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code, text = 4, ""
        try:
            before()
            action()
            code = 0
        except LightMedSegError as error:
            text = str(error)
            code = 3 if "\n" not in text and text.endswith(".") else 4
        except BaseException:
            text = traceback.format_exc()
        finally:
            os.write(writer, text.encode()[:60000])
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read().decode()
    return _CODES[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])], text


def become_nobody() -> None:
    """Give root's rights up: root may write everywhere."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def die_at(step: int, folder: Path) -> Callable[[], None]:
    """For in_a_process: kill it at its step-th change below folder."""
    return _at_change(step, folder, lambda: os.kill(os.getpid(), 9))


def interrupt_at(step: int, folder: Path) -> Callable[[], None]:
    """For in_a_process: Ctrl+C at its step-th change below folder."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    return _at_change(step, folder, interrupt)


def _at_change(step: int, folder: Path, act: Callable[[], None]) -> Callable[[], None]:
    def watch() -> None:
        seen = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event in _CHANGES and any(str(folder) in str(argument) for argument in arguments):
                seen += 1
                if seen == step:
                    act()

        sys.addaudithook(hook)

    return watch
