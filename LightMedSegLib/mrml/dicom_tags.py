"""DICOM tags of the series that a volume node was loaded from, read from Slicer's database."""

from __future__ import annotations

from typing import Any

import slicer

from LightMedSegLib.io.scan_tags import ScanTags, scan_tags


def node_tags(volume_node: Any) -> ScanTags:
    """Return modality and body part; both are empty if the node does not come from Slicer's DICOM database."""
    uids = (volume_node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None:
        return ScanTags()
    return scan_tags(lambda key: str(database.instanceValue(uids[0], key.replace("|", ",")) or ""))
