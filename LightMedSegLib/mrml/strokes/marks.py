"""What the user painted and erased, kept in the scene: a hidden text node beside the segmentation.

Its text is JSON, a few kilobytes a segment; the scene stores it in a file of its own.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = Mapping[str, NDArray[Any]]
"""What CorrectionSession.state() returns, with "completed_boxes" (n, 3, 2): where the network completed strokes."""

MARKS_ROLE = "LightMedSeg.Marks"
_FORMAT = "LightMedSeg marks 1"
_MOST_BYTES = 2**28


def keep_marks(segmentation_node: Any, segment_id: str, state: State | None) -> None:
    """Store the marks of a segment in the scene; None removes them."""
    node = segmentation_node.GetNodeReference(MARKS_ROLE)
    segments = _segments(node)
    if state is None:
        if segments.pop(segment_id, None) is None:
            return
    else:
        segments[segment_id] = {name: _packed(array) for name, array in state.items()}
    if node is None:
        scene = segmentation_node.GetScene()
        node = scene.CreateNodeByClass("vtkMRMLTextNode")
        node.UnRegister(None)
        node.SetName(scene.GenerateUniqueName(f"{segmentation_node.GetName()} marks"))
        node.SetHideFromEditors(True)
        node = scene.AddNode(node)
        segmentation_node.SetNodeReferenceID(MARKS_ROLE, node.GetID())
    node.SetText(json.dumps({"format": _FORMAT, "segments": segments}))


def kept_marks(segmentation_node: Any) -> dict[str, dict[str, NDArray[Any]]]:
    """The marks of each segment by its identifier; damaged ones are left out."""
    found = {}
    for segment_id, packed in _segments(segmentation_node.GetNodeReference(MARKS_ROLE)).items():
        try:
            found[segment_id] = {name: _unpacked(item) for name, item in packed.items()}
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error):
            # Texts of a scene can be edited by anybody.
            continue
    return found


def forget_marks(segmentation_node: Any) -> None:
    """Remove the marks of all segments from the scene."""
    node = segmentation_node.GetNodeReference(MARKS_ROLE)
    if node is not None and node.GetScene() is not None:
        node.GetScene().RemoveNode(node)


def _segments(node: Any) -> dict[str, Any]:
    try:
        content = json.loads(node.GetText() or "{}") if node is not None else {}
    except ValueError:
        return {}
    segments = content.get("segments") if isinstance(content, dict) and content.get("format") == _FORMAT else None
    return segments if isinstance(segments, dict) else {}


def _packed(array: NDArray[Any]) -> dict[str, Any]:
    array = np.ascontiguousarray(array)
    data = base64.b64encode(zlib.compress(array.tobytes(), level=1)).decode("ascii")
    return {"type": array.dtype.str, "shape": list(array.shape), "data": data}


def _unpacked(item: Mapping[str, Any]) -> NDArray[Any]:
    kind = np.dtype(item["type"])
    if kind.kind not in "iu":
        raise ValueError("no integers")
    content = zlib.decompressobj().decompress(base64.b64decode(item["data"], validate=True), _MOST_BYTES)
    return np.frombuffer(content, dtype=kind).reshape(item["shape"])
