"""A fallback location for a computed labelmap that cannot be written to its output."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from LightMedSegLib.core.errors import LightMedSegError, OutputError
from LightMedSegLib.io.segmentation_files import SEGMENTATION_SUFFIXES, write_segmentation
from LightMedSegLib.storage.atomic_files import why_not_written

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.core.labels import Label

RESCUE_SUFFIX = ".seg.nrrd"
"""A format that can store every labelmap: any number of voxels along an axis, and an empty one."""

_LONGEST_STEM = 100
_MOST_NAMES = 1000


@contextlib.contextmanager
def kept_anyway(
    path: Path, labelmap: sitk.Image, labels: Sequence[Label], attributes: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Save labelmap elsewhere if the with-block, which writes it to path, fails; the error says where.

    The place is beside path, else in a new temporary folder. Raises OutputError.
    """
    try:
        yield
    except Exception as error:
        place = _save(path, labelmap, labels, attributes)
        kept = f"the labelmap is saved as {place}" if place else "the labelmap could not be saved elsewhere either"
        raise OutputError(f"{_sentence(error, path).rstrip('.')}; {kept}.") from error


def _sentence(error: Exception, path: Path) -> str:
    if isinstance(error, LightMedSegError):
        return str(error)
    # What other libraries say may hold values of the patient's attributes.
    reason = why_not_written(error, path) if isinstance(error, OSError) else f"a defect ({type(error).__name__})"
    return f"{path} cannot be written: {reason}"


def _save(
    path: Path, labelmap: sitk.Image, labels: Sequence[Label], attributes: Mapping[str, str] | None
) -> Path | None:
    with contextlib.suppress(OSError, OutputError):
        return _saved_in(path.parent, path, labelmap, labels, attributes)
    with contextlib.suppress(OSError, OutputError):
        folder = Path(tempfile.mkdtemp(prefix="lightmedseg-"))
        try:
            return _saved_in(folder, path, labelmap, labels, attributes)
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()  # which only an empty folder lets happen
    return None


def _saved_in(
    folder: Path, path: Path, labelmap: sitk.Image, labels: Sequence[Label], attributes: Mapping[str, str] | None
) -> Path:
    place = _free_name(folder, path.name)
    write_segmentation(place, labelmap, labels, attributes)
    return place


def _free_name(folder: Path, name: str) -> Path:
    suffix = next((end for end in (*SEGMENTATION_SUFFIXES, ".dcm") if name.endswith(end)), "")
    stem = name[: len(name) - len(suffix)][:_LONGEST_STEM]
    names = (folder / f"{stem}{number}{RESCUE_SUFFIX}" for number in ("", *(f"-{n}" for n in range(2, _MOST_NAMES))))
    return next(place for place in names if not place.exists())
