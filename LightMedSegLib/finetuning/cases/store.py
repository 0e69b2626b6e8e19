"""The user's corrected cases: de-identified, versioned, deletable.

Layout: ``cases/<random id>/<revision>/case.json`` and ``case.safetensors``. A revision is written whole under a
temporary name and renamed; correcting a case again adds a revision, and the newest one counts.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from LightMedSegLib.core.errors import ModelPackageError, OutputError, TrainingDataError
from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.finetuning.cases.record import ID_PATTERN, CaseRecord
from LightMedSegLib.finetuning.cases.same_scan import array_hash, corrected_again
from LightMedSegLib.finetuning.cases.stored_case import StoredCase
from LightMedSegLib.storage.atomic_files import (
    atomic_folder,
    is_temporary,
    make_private_folder,
    remove_stale,
    temporary_name,
)
from LightMedSegLib.storage.file_lock import exclusive
from LightMedSegLib.storage.safetensors_file import read_tensors, write_tensors

RECORD_FILE, TENSOR_FILE = "case.json", "case.safetensors"

_LOCK_FILE = ".lock"
_LARGEST_RECORD = 1024 * 1024


@dataclass(frozen=True)
class CaseEntry:
    """One case of the list. problem: why it cannot be used, in one sentence (None: it can). size: bytes."""

    case_id: str
    record: CaseRecord | None
    size: int
    problem: str | None = None


_Entries = list[CaseEntry]  # Inside the class, "list" is its method.


class CaseStore:
    """Cases in a folder; None means "cases" in the user's data folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else user_data_folder() / "cases"

    def list(self) -> _Entries:
        """Return all cases in the order of adding; damaged ones, which have a problem, are last."""
        entries = [self._entry(folder) for folder in self._case_folders()]
        return sorted(entries, key=lambda entry: entry.record.number if entry.record else math.inf)

    @property
    def size(self) -> int:
        """Return the bytes on the disk of all revisions."""
        return sum(entry.size for entry in self.list())

    def add(self, case: StoredCase, replaces: str | None = None) -> CaseRecord:
        """Store a new case, or a new revision of the case called replaces; returns its record with id and hash.

        Without replaces, another correction of a stored scan also becomes a revision of its case, if it covers all
        voxels that were reviewed there.
        Raises OutputError if the disk refuses, TrainingDataError if there is no case to replace.
        """
        if replaces is not None and replaces not in {folder.name for folder in self._case_folders()}:
            raise TrainingDataError(f"There is no case {replaces} to replace; add the case as a new one.")
        with self._locked():
            known = [entry.record for entry in self.list() if entry.record]
            case_id = replaces or self._corrected_case(known, case) or secrets.token_hex(8)
            numbers = {record.case_id: record.number for record in known}
            number = numbers.get(case_id, max(numbers.values(), default=0) + 1)
            revision = self._newest(self.folder / case_id) + 1
            with atomic_folder(self.folder / case_id / f"{revision:04d}", private=True) as temporary:
                reviewed = np.packbits(case.reviewed)
                write_tensors(
                    temporary / TENSOR_FILE, {"image": case.image, "labels": case.labels, "reviewed": reviewed}
                )
                digest = hashlib.sha256((temporary / TENSOR_FILE).read_bytes()).hexdigest()
                record = replace(case.record, case_id=case_id, number=number, revision=revision, tensors_sha256=digest)
                text = json.dumps(record.to_json(), indent=1, ensure_ascii=False) + "\n"
                CaseRecord.from_json(text.encode("utf-8"))
                (temporary / RECORD_FILE).write_text(text, encoding="utf-8", newline="\n")
        return record

    def load(self, case_id: str) -> StoredCase:
        """Return the newest revision of a case; raises TrainingDataError if there is none or it is damaged."""
        folder = self.folder / case_id
        if not ID_PATTERN.fullmatch(case_id) or not self._newest(folder):
            raise TrainingDataError(f"There is no case {case_id}.")
        try:
            record = self._read_record(folder)
            tensors = read_tensors(folder / f"{record.revision:04d}" / TENSOR_FILE)
            digest = hashlib.sha256((folder / f"{record.revision:04d}" / TENSOR_FILE).read_bytes()).hexdigest()
            if digest != record.tensors_sha256:
                raise ValueError("its voxels were changed")
            voxels = int(np.prod(record.shape))
            reviewed = np.unpackbits(tensors["reviewed"])[:voxels].astype(bool).reshape(record.shape)
            image, labels = tensors["image"], tensors["labels"]
            if image.shape[1:] != record.shape or labels.shape != record.shape:
                raise ValueError("its arrays differ in size")
        except (OSError, ValueError, KeyError, ModelPackageError) as error:
            raise TrainingDataError(f"The case {case_id} is damaged ({error}); delete it.") from None
        return StoredCase(record, image, labels, reviewed)

    def remove(self, case_id: str) -> None:
        """Delete a case with all its revisions; raises TrainingDataError if there is none."""
        if not ID_PATTERN.fullmatch(case_id) or not (self.folder / case_id).is_dir():
            raise TrainingDataError(f"There is no case {case_id}.")
        with self._locked():
            # One rename takes it off the list, however long deleting its files takes.
            doomed = self.folder / temporary_name()
            try:
                (self.folder / case_id).rename(doomed)
            except OSError as error:
                raise OutputError(f"The case {case_id} cannot be deleted: {error.strerror or error}.") from error
            shutil.rmtree(doomed, ignore_errors=True)

    def clean(self) -> None:
        """Remove unfinished files that a crash left, unless a process is writing."""
        with contextlib.suppress(OutputError), self._locked(wait_seconds=0.0) as alone:
            if not alone:
                return
            remove_stale(self.folder, older_than=-1.0)
            for folder in self._folders():
                remove_stale(folder, older_than=-1.0)
                with contextlib.suppress(OSError):
                    folder.rmdir()  # only succeeds where no revision was finished

    def _corrected_case(self, known: Sequence[CaseRecord], case: StoredCase) -> str | None:
        for record in corrected_again(known, case.record):
            with contextlib.suppress(TrainingDataError):
                if not (self.load(record.case_id).reviewed & ~case.reviewed).any():
                    return record.case_id
        return None

    @contextlib.contextmanager
    def _locked(self, wait_seconds: float = 30.0) -> Iterator[bool]:
        # Where that fails, taking the lock says why.
        with contextlib.suppress(OSError):
            make_private_folder(self.folder)
        with exclusive(self.folder / _LOCK_FILE, wait_seconds) as alone:
            yield alone

    def _case_folders(self) -> _Folders:
        # A folder without a revision is one whose first was never finished.
        return [folder for folder in self._folders() if self._newest(folder)]

    def _folders(self) -> _Folders:
        try:
            if not self.folder.is_dir():
                return []
            return sorted(item for item in self.folder.iterdir() if item.is_dir() and ID_PATTERN.fullmatch(item.name))
        except OSError as error:
            raise TrainingDataError(f"The cases in {self.folder} cannot be read: {error.strerror or error}.") from error

    def _newest(self, folder: Path) -> int:
        try:
            return max((int(item.name) for item in folder.iterdir() if item.name.isdigit()), default=0)
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def _entry(self, folder: Path) -> CaseEntry:
        size = _finished_bytes(folder)
        try:
            return CaseEntry(folder.name, self._read_record(folder), size)
        except (OSError, ValueError) as error:
            return CaseEntry(folder.name, None, size, f"The case {folder.name} is damaged ({error}); delete it.")

    def _read_record(self, folder: Path) -> CaseRecord:
        with (folder / f"{self._newest(folder):04d}" / RECORD_FILE).open("rb") as stream:
            record = CaseRecord.from_json(stream.read(_LARGEST_RECORD))
        if record.case_id != folder.name or record.revision != self._newest(folder):
            raise ValueError("its record belongs to another case")
        if record.part:
            return record
        tensors = folder / f"{record.revision:04d}" / TENSOR_FILE
        return replace(record, part=_part_hash(tensors, record.tensors_sha256))


def _finished_bytes(folder: Path) -> int:
    """Return the bytes of the files in folder that are not being written."""
    size = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_temporary(Path(name))]
        for file in (Path(place, name) for name in files):
            # Another process may rename or remove it meanwhile.
            with contextlib.suppress(OSError):
                size += 0 if is_temporary(file) else file.stat().st_size
    return size


@functools.lru_cache(maxsize=1000)
def _part_hash(tensors: Path, digest: str) -> str:
    """Return the hash for older records without one; "" for damaged files. digest: key of the cache."""
    try:
        return array_hash(read_tensors(tensors)["image"])
    except (OSError, KeyError, ModelPackageError):
        return ""


_Folders = list[Path]
