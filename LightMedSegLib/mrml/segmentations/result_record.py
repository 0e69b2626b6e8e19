"""The provenance of a result, stored in its node, and the detection of edits."""

from __future__ import annotations

import datetime
import hashlib
import json
import uuid
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib import __version__
from LightMedSegLib.core.geometry import bounding_box
from LightMedSegLib.mrml.segmentations.shared_labelmap import layer_array, layers

if TYPE_CHECKING:
    from LightMedSegLib.core.geometry import Box
    from LightMedSegLib.model.card import ModelCard

PREFIX = "LightMedSeg."
_CONTENT, _SEGMENTS, _STAMP, _EDITED = (PREFIX + name for name in ("Content", "Segments", "Stamp", "EditedStamp"))
_SESSION = uuid.uuid4().hex


@dataclass(frozen=True)
class ResultRecord:
    """The provenance of a result, stored as node attributes ``LightMedSeg.Model`` and so on; all text.

    region: the box of voxels that was segmented, "" for the whole volume. preview: "1" for a coarse first result.
    """

    model: str
    version: str
    weights_sha256: str
    created: str
    program: str
    region: str = ""
    preview: str = ""

    @classmethod
    def of(cls, card: ModelCard, region: Box | None = None, *, preview: bool = False) -> ResultRecord:
        """Return the record of a new result."""
        return cls(
            model=card.name,
            version=card.version,
            weights_sha256=card.weights.sha256,
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            program=__version__,
            region=region_text(region),
            preview="1" if preview else "",
        )

    def write(self, node: Any) -> None:
        """Store as attributes of a node."""
        for name, text in asdict(self).items():
            node.SetAttribute(_attribute(name), text or None)

    @classmethod
    def read(cls, node: Any) -> ResultRecord | None:
        """Return the record of a node; None if the node is no LightMedSeg result."""
        if not node.GetAttribute(_attribute("model")):
            return None
        return cls(**{item.name: node.GetAttribute(_attribute(item.name)) or "" for item in fields(cls)})


def region_text(region: Box | None) -> str:
    """Return a box of voxels as text, "" for None."""
    return "" if region is None else " ".join(str(int(value)) for pair in region for value in pair)


def region_box(text: str) -> Box | None:
    """Return the box in a text of :func:`region_text`; None for the whole volume and for any other text."""
    try:
        i0, i1, j0, j1, k0, k1 = (int(number) for number in text.split())
    except ValueError:
        # Attributes of a scene file can be edited by anybody.
        return None
    return ((i0, i1), (j0, j1), (k0, k1))


def content_hash(labels: NDArray[Any]) -> str:
    """Return a hash of the labels (z, y, x) inside their bounding box; the background around it does not count."""
    box = bounding_box(labels)
    part = np.ascontiguousarray(labels[box], dtype=np.uint8)
    digest = hashlib.blake2b(str(part.shape).encode(), digest_size=16)
    digest.update(part.data)
    return digest.hexdigest()


def remember_content(node: Any, content: str) -> None:
    """Store the state of a result node, so that :func:`is_unedited` can detect edits later.

    content: :func:`content_hash` of the labels that were written.
    """
    node.SetAttribute(_CONTENT, content)
    node.SetAttribute(_SEGMENTS, _segments_hash(node.GetSegmentation()))
    node.SetAttribute(_STAMP, _stamp(layers(node.GetSegmentation())))


def written_content(node: Any) -> str:
    """The :func:`content_hash` of what was written into a result node, edited or not since; "" for other nodes."""
    return node.GetAttribute(_CONTENT) or ""


def result_key(node: Any) -> str:
    """Return what tells successive results in one node apart, even those with equal labels; "" for other nodes."""
    record = ResultRecord.read(node)
    return f"{written_content(node)} {record.created}" if record is not None else ""


def is_unedited(node: Any) -> bool:
    """Return whether the node is a LightMedSeg result with the voxels, segment names, colours and codes as written.

    Immediate for a result of this session; otherwise the voxels are compared by their hash, once until they change.
    """
    content, segmentation = node.GetAttribute(_CONTENT), node.GetSegmentation()
    if not content or node.GetAttribute(_SEGMENTS) != _segments_hash(segmentation):
        return False
    images = layers(segmentation)
    if len(images) != 1:
        return False
    stamp = _stamp(images)
    if stamp in (node.GetAttribute(_STAMP), node.GetAttribute(_EDITED)):
        return bool(stamp == node.GetAttribute(_STAMP))
    labels = layer_array(images[0])
    in_range = labels.size == 0 or (labels.min() >= 0 and labels.max() <= 255)
    unedited = bool(in_range) and content_hash(labels) == content
    # The panel asks at every change, and a large labelmap takes long to hash.
    node.SetAttribute(_STAMP if unedited else _EDITED, stamp)
    return unedited


def _attribute(name: str) -> str:
    return PREFIX + "".join(part.upper() if part == "sha256" else part.capitalize() for part in name.split("_"))


def _segments_hash(segmentation: Any) -> str:
    rows = []
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        rows.append(
            [
                segmentation.GetNthSegmentID(index),
                segment.GetName(),
                segment.GetLabelValue(),
                # A file keeps colours with a few decimals only.
                [round(part * 255) for part in segment.GetColor()],
                segment.GetTerminology(),
            ]
        )
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=16).hexdigest()


def _stamp(images: list[Any]) -> str:
    """VTK's modification times are unique, but only within one run of the program."""
    return f"{_SESSION}:{','.join(str(image.GetMTime()) for image in images)}"
