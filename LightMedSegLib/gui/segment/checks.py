"""Checks before a run: warnings that say what is wrong and what to do. None of them prevents the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.checks.scan_facts import ScanFacts, look_at
from LightMedSegLib.checks.scan_warnings import scan_warnings
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.process import available_memory
from LightMedSegLib.inference.memory import needed_bytes
from LightMedSegLib.mrml.dicom_tags import node_tags
from LightMedSegLib.mrml.file_geometry import file_contradiction
from LightMedSegLib.mrml.regions import roi_index_box
from LightMedSegLib.mrml.segmentations.result_record import is_unedited
from LightMedSegLib.mrml.volumes import VolumeState, check_volume_node, volume_grid, voxels

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard

_KEPT = 8
_seen: dict[str, tuple[Any, ScanFacts]] = {}


def warnings_before_run(
    volumes: Sequence[Any], card: ModelCard, roi: Any = None, output: Any = None, overwrite: bool = False
) -> list[str]:
    """The warnings about volumes (one node per channel) before they are segmented, most important first.

    Fast enough for every change of the panel, because only a sparse sample of the voxels is read.
    """
    problem = input_problem(volumes, roi)
    if problem:
        return [problem]
    shape = region_shape(volumes[0], roi)
    same = len({volume.GetID() for volume in volumes}) < len(volumes)
    warnings = [line for volume in volumes if (line := file_contradiction(volume))]
    warnings += scan_warnings([_facts(volume) for volume in volumes], card, shape if roi is not None else None, same)
    warnings += _memory_warnings(volumes[0], shape, card)
    warnings += _shown_volume_warnings(volumes[0])
    warnings += _output_warnings(output, overwrite)
    return warnings


def input_problem(volumes: Sequence[Any], roi: Any = None) -> str:
    """The reason why these volumes and this region cannot be segmented; "" if they can."""
    try:
        for volume in volumes:
            check_volume_node(volume)
        if roi is not None:
            roi_index_box(roi, volumes[0])
    except InputImageError as error:
        return str(error)
    return ""


def region_shape(volume: Any, roi: Any) -> tuple[int, int, int]:
    """The size (i, j, k) in voxels of the region that will be segmented."""
    if roi is None:
        i, j, k = volume.GetImageData().GetDimensions()
        return (i, j, k)
    (i0, i1), (j0, j1), (k0, k1) = roi_index_box(roi, volume)
    return (i1 - i0, j1 - j0, k1 - k0)


def _facts(volume: Any) -> ScanFacts:
    """The facts about a volume; determined again only after its voxels or geometry have changed."""
    key = (VolumeState.of(volume), volume_grid(volume), node_tags(volume))
    if _seen.get(volume.GetID(), (None,))[0] != key:
        if len(_seen) >= _KEPT:
            _seen.clear()
        _seen[volume.GetID()] = (key, look_at(voxels(volume), key[1], key[2]))
    facts: ScanFacts = _seen[volume.GetID()][1]
    return facts


def _memory_warnings(volume: Any, shape: Sequence[int], card: ModelCard) -> Iterator[str]:
    spacing = volume_grid(volume).spacing
    needed = needed_bytes(shape, spacing, card, volume.GetImageData().GetScalarSize())
    free = available_memory.available_bytes()
    if free is not None and needed > free:
        yield _(
            "This needs about {needed:.1f} GB of memory, but only {free:.1f} GB are free; close other programs or "
            "choose a region of interest."
        ).format(needed=needed / 1e9, free=free / 1e9)


def _shown_volume_warnings(volume: Any) -> Iterator[str]:
    if len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) < 2:
        return
    shown = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
    node = slicer.mrmlScene.GetNodeByID(shown) if shown else None
    if node is not None and node is not volume:
        yield _("'{volume}' will be segmented, while the slice views show '{shown}'.").format(
            volume=volume.GetName(), shown=node.GetName()
        )


def _output_warnings(output: Any, overwrite: bool) -> Iterator[str]:
    if output is None or output.GetSegmentation().GetNumberOfSegments() == 0 or is_unedited(output):
        return
    if overwrite:
        yield _("'{output}' holds edits, which this run will replace.").format(output=output.GetName())
    else:
        yield _("'{output}' holds edits and stays as it is; the result goes into a new segmentation.").format(
            output=output.GetName()
        )
