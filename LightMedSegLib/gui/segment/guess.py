"""What kind of scan a volume is: from its DICOM headers if Slicer knows them, else from its intensities."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from LightMedSegLib.mrml.volumes import voxels

MODALITY_TAG, BODY_PART_TAG = "0008,0060", "0018,0015"

_SAMPLES_PER_AXIS = 48
_AIR_BELOW, _AIR_FRACTION = -500, 0.01


def dicom_value(volume_node: Any, tag: str) -> str:
    """A header value of the series a volume was loaded from, "" if Slicer's DICOM database does not know it."""
    uids = (volume_node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None:
        return ""
    return str(database.instanceValue(uids[0], tag) or "").strip()


def modality(volume_node: Any) -> str:
    """DICOM's code such as "CT" or "MR"; by intensities only "CT", "not CT", or "" where they do not tell."""
    return dicom_value(volume_node, MODALITY_TAG) or modality_by_intensity(volume_node)


def modality_by_intensity(volume_node: Any) -> str:
    """Only CT has air near -1000, and only a CT stored without its rescaling has no negative values."""
    array = voxels(volume_node)
    # A few planes and rows of a large scan are enough, and take no time.
    steps = [max(1, size // _SAMPLES_PER_AXIS) for size in array.shape]
    sample = array[:: steps[0], :: steps[1], :: steps[2]]
    if sample.min() >= 0:
        return "not CT"
    air = float(np.count_nonzero(sample < _AIR_BELOW)) / sample.size
    return "CT" if air >= _AIR_FRACTION else ""
