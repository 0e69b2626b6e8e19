"""Reading labelmaps from files, for all parts of the program."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.io.labelmaps.layers import one_layer
from LightMedSegLib.io.labelmaps.matching import label_values
from LightMedSegLib.io.labelmaps.placing import on_grid
from LightMedSegLib.io.labelmaps.segments import Segment, segments_of
from LightMedSegLib.io.labelmaps.values import as_labelmap, check_known, present_values

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.core.labels import Label


@dataclass(frozen=True)
class Labelmap:
    """A checked labelmap.

    image: UInt8 or UInt16. names: the names of its values, if known. cut: outside it is background, so it may be
    smaller than its volume. notes: sentences about unexpected content, with the name of the file.
    """

    image: sitk.Image
    names: dict[int, str]
    cut: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Meaning:
    """The labels that a labelmap is expected to have.

    labels: of the model. named: value and name of a dataset's labels, for files without names; source: the file with
    these names. others: further allowed values, such as the one for unknown truth.
    """

    labels: Sequence[Label]
    named: Mapping[int, str] | None = None
    source: str = ""
    others: Collection[int] = ()


def read_labelmap(path: str | Path, volume: sitk.Image | None = None, meaning: Meaning | None = None) -> Labelmap:
    """Return the labelmap in a file, on the grid of volume and with the label values of meaning, if these are given.

    Segments of a .seg.nrrd file match labels by name. Its layers are merged if they do not overlap. If 3D Slicer has
    cropped it to its segments, it is placed on the grid of the volume. Plain labelmaps are read by value, and must
    have the grid of the volume. An empty labelmap is valid.

    Raises InputImageError, naming the file, for a file that cannot be read, values that are not whole numbers from 0 to
    65535, values or segments without a label, overlapping segments, another grid, and labelled voxels outside the
    volume.
    """
    from LightMedSegLib.io.headers.header_geometry import NIFTI_SUFFIXES
    from LightMedSegLib.io.nifti_header import count_not_finite
    from LightMedSegLib.io.volume_files import read_image

    path = Path(path)
    image = read_image(path, layout=_layout_of_segments)
    wrong = count_not_finite(path) if path.name.lower().endswith(NIFTI_SUFFIXES) else 0
    if wrong:
        raise InputImageError(f"{path} is no segmentation: {wrong} voxel(s) are NaN or infinite; give them labels.")
    return labelmap_of(image, str(path), volume, meaning)


def labelmap_of(
    image: sitk.Image, name: str, volume: sitk.Image | None = None, meaning: Meaning | None = None
) -> Labelmap:
    """Return the labelmap of an image in memory, as read_labelmap; name begins the messages."""
    from LightMedSegLib.io.volume_checks import check_geometry, check_layout

    segments = segments_of({key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}, name)
    if not segments:
        check_layout(image.GetDimension(), image.GetSize(), image.GetNumberOfComponentsPerPixel(), name)
    labelmap, segments = one_layer(image, segments, name)
    check_geometry(labelmap.GetSpacing(), labelmap.GetOrigin(), labelmap.GetDirection(), name)
    notes: list[str] = []
    if meaning is not None:
        labelmap, notes = _with_values_of(labelmap, segments, meaning, name)
        names = {label.value: label.name for label in meaning.labels}
    else:
        names = {segment.value: segment.name for segment in segments}
    if volume is not None:
        labelmap = on_grid(labelmap, Grid.of(volume), name, bool(segments))
    return Labelmap(labelmap, dict(sorted(names.items())), bool(segments), tuple(notes))


def _with_values_of(
    labelmap: sitk.Image, segments: Sequence[Segment], meaning: Meaning, name: str
) -> tuple[sitk.Image, list[str]]:
    present = [value for value in present_values(labelmap) if value not in meaning.others]
    named, source = segments, name
    if not segments and meaning.named:
        named, source = [Segment(value, text) for value, text in meaning.named.items() if value], meaning.source
    if not named:
        check_known(labelmap, {*(label.value for label in meaning.labels), *meaning.others}, name)
        return labelmap, []
    unnamed = [value for value in present if value not in [segment.value for segment in named]]
    if unnamed:
        raise InputImageError(f"{name} holds the value {unnamed[0]}, which no label has in {source}.")
    used = [segment for segment in named if segment.value in present]
    values, notes = label_values(used, meaning.labels, source)
    changes = {segment.value: value for segment, value in zip(used, values, strict=True)}
    return with_values(labelmap, changes), notes


def with_values(labelmap: sitk.Image, changes: Mapping[int, int]) -> sitk.Image:
    """Return the labelmap with some values changed; all others stay."""
    import SimpleITK as sitk

    if all(old == new for old, new in changes.items()):
        return labelmap
    array = sitk.GetArrayViewFromImage(labelmap)
    table = np.arange(max(int(array.max()), *changes) + 1, dtype=np.uint16)
    table[list(changes)] = list(changes.values())
    return as_labelmap(Grid.of(labelmap).image(table[array]), "The labelmap")


def _layout_of_segments(dimension: int, size: Sequence[int], components: int, name: str) -> None:
    """Let the layers of a segmentation pass, and one that was cut to a single slice; the others are refused later."""
