"""Detection of cases of the same scan by its voxels, whatever its name and corrections.

Each record has hashes of voxels with 64 bits: enough to distinguish a few thousand scans, and no more information than
the stored voxels contain. Spacing, position and type of the voxels do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.finetuning.cases.record import CaseRecord

_BYTES = 8


def volume_hash(volume: sitk.Image) -> str:
    """Return a hash of the voxels of a volume."""
    import SimpleITK as sitk

    return array_hash(sitk.GetArrayViewFromImage(volume))


def array_hash(array: NDArray[Any]) -> str:
    """Return a hash of numbers and shape that does not depend on the type of the numbers."""
    digest = hashlib.blake2b(str(array.shape).encode(), digest_size=_BYTES)
    for plane in array:
        # Plane by plane, because a copy of a large scan takes gigabytes. Adding zero makes -0.0 equal to 0.0.
        digest.update((np.asarray(plane, dtype=np.float32) + np.float32(0)).tobytes())
    return digest.hexdigest()


def same_scan(one: CaseRecord, other: CaseRecord) -> bool:
    """Return whether two cases share a volume, or are the same crop of one."""
    return bool(set(one.scan) & set(other.scan)) or (one.part == other.part != "")


def by_scan(records: Sequence[CaseRecord]) -> list[list[CaseRecord]]:
    """Return the records in their order, grouped by scan."""
    groups: list[list[CaseRecord]] = []
    for record in records:
        joined = [group for group in groups if any(same_scan(record, known) for known in group)]
        if not joined:
            groups.append([record])
            continue
        # A case of two channels can join what seemed to be two scans.
        for group in joined[1:]:
            joined[0].extend(group)
            groups.remove(group)
        joined[0].append(record)
    return groups


def corrected_again(known: Sequence[CaseRecord], new: CaseRecord) -> list[CaseRecord]:
    """Return the known cases of the same part as the new one that have no other reviewed structures."""
    return [
        record
        for record in known
        if record.part == new.part != "" and record.input == new.input and _reviewed(record) <= _reviewed(new)
    ]


def same_scan_notes(stored: Iterable[CaseRecord | None], record: CaseRecord, replaces: str | None) -> list[str]:
    """Return sentences for the user about a case that was just added; replaces: the case that it was to replace."""
    notes = []
    if record.revision > 1 and record.case_id != replaces:
        notes.append(f"This scan was case {record.number} already: the new correction takes the place of the old one.")
    others = [
        str(other.number)
        for other in stored
        if other and other.case_id != record.case_id and other.input == record.input and same_scan(other, record)
    ]
    if others:
        cases = f"case {others[0]}" if len(others) == 1 else f"cases {', '.join(others)}"
        notes.append(f"It is from the same scan as {cases}, so these cases are always held out together.")
    return notes


def _reviewed(record: CaseRecord) -> set[str]:
    return {label.name.casefold() for label in record.labels if label.value in record.reviewed}
