"""What a disk may hold after the power went off, at any moment of an action.

The changes that an action makes are recorded in order. For every prefix of them two disks are built: one on which
every change of names has arrived but only synced content (what ext4 and XFS may leave), and one on which a change of
names has arrived only if its folder was synced afterwards.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Change:
    """kind: create, mkdir, rename, remove, rmdir, sync. content: of a file that is synced."""

    kind: str
    path: str
    target: str = ""
    content: bytes | None = None


@dataclass
class Recorder:
    """The changes below a folder, relative to it."""

    folder: Path
    changes: list[Change] = field(default_factory=list)
    active: bool = False

    def __post_init__(self) -> None:
        sys.addaudithook(self._hook)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record during the block."""
        real = os.fsync

        def fsync(handle: int) -> None:
            path = Path(f"/proc/self/fd/{handle}").readlink()
            inside = self._inside(path)
            real(handle)
            if inside is not None:
                content = None if path.is_dir() else path.read_bytes()
                self.changes.append(Change("sync", inside, content=content))

        os.fsync, self.active = fsync, True
        try:
            yield
        finally:
            os.fsync, self.active = real, False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active or not arguments:
            return
        path = self._inside(arguments[0])
        if path is None:
            return
        if event == "open" and int(arguments[2] or 0) & os.O_CREAT:
            self.changes.append(Change("create", path))
        elif event == "os.rename":
            target = self._inside(arguments[1])
            assert target is not None, "renamed out of the folder"
            self.changes.append(Change("rename", path, target))
        elif event in ("os.mkdir", "os.remove", "os.rmdir"):
            self.changes.append(Change(event.removeprefix("os."), path))

    def _inside(self, path: Any) -> str | None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return None
        absolute = Path(os.fsdecode(path)).absolute()
        return str(absolute.relative_to(self.folder)) if absolute.is_relative_to(self.folder) else None


def disks(before: Path, changes: list[Change], folder: Path) -> Iterator[tuple[str, Path]]:
    """Every disk that a power cut may leave: a description and its folder, valid until the next one."""
    for count in range(len(changes) + 1):
        done = changes[:count]
        for how, kept in (("all names", done), ("synced names", _with_synced_names(done))):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(before, folder)
            _apply(kept, folder)
            yield f"after {count} of {len(changes)} changes, {how}", folder


def _with_synced_names(done: list[Change]) -> list[Change]:
    """Without the changes of names whose folder was not synced afterwards."""
    kept = []
    for number, change in enumerate(done):
        changed = change.target or change.path
        parent = str(Path(changed).parent)
        synced = any(later.kind == "sync" and later.path == parent for later in done[number + 1 :])
        if change.kind in ("sync", "create", "mkdir") or synced:
            # A name that was created but not synced may be there as well: it is the harder case.
            kept.append(change)
    return kept


def _apply(changes: list[Change], folder: Path) -> None:
    for change in changes:
        path = folder / change.path
        apply: Callable[[], object] = {
            "create": lambda path=path: None if path.exists() else path.write_bytes(b""),
            "mkdir": lambda path=path: path.mkdir(exist_ok=True),
            "rename": lambda path=path, change=change: path.rename(folder / change.target),
            "remove": lambda path=path: path.unlink(),
            "rmdir": lambda path=path: path.rmdir(),
            "sync": lambda path=path, change=change: (
                path.write_bytes(change.content) if change.content is not None else None
            ),
        }[change.kind]
        try:
            apply()
        except OSError:
            # What it would change never arrived on this disk.
            continue
