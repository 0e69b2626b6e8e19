"""The untouched prediction, kept with its result node: corrections change the segments, but never this.

It is an attribute of the node, so that it is still there after the scene was saved and loaded. Its hash is the one
that the node keeps of what was written: labels that belong to another result are not taken for it.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.mrml.result_record import PREFIX, ResultRecord, bounding_box, content_hash, written_content

_ATTRIBUTE = PREFIX + "Untouched"
_LONGEST = 4 * 2**20
"""Characters; what is larger would slow down saving the scene, and segmenting again takes only seconds."""


def packed_labels(labels: NDArray[np.uint8]) -> str:
    """Labels (z, y, x) as text, "" if that would be too long; computed in any thread."""
    box = bounding_box(labels)
    numbers = [*labels.shape, *(edge for part in box for edge in (part.start or 0, part.stop))]
    content = zlib.compress(np.ascontiguousarray(labels[box], dtype=np.uint8).tobytes(), level=1)
    text = " ".join([*(str(number) for number in numbers), base64.b64encode(content).decode("ascii")])
    return text if len(text) <= _LONGEST else ""


def remember_untouched(node: Any, packed: str) -> None:
    """Keep :func:`packed_labels` of what was just written into a result node."""
    node.SetAttribute(_ATTRIBUTE, packed or None)


def untouched_text(node: Any) -> str:
    """What :func:`untouched_labels` unpacks in any thread; "" where nothing, or only a coarse preview, is known."""
    record = ResultRecord.read(node)
    if record is None or record.preview:
        return ""
    return f"{written_content(node)} {node.GetAttribute(_ATTRIBUTE) or ''}"


def untouched_labels(text: str, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    """The untouched labels (z, y, x) from :func:`untouched_text`; None if they are unknown or of another size."""
    content, *numbers, packed = text.split(" ") if text else ("", "")
    try:
        z, y, x, z0, z1, y0, y1, x0, x1 = (int(number) for number in numbers)
        size = (z1 - z0, y1 - y0, x1 - x0)
        part = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.uint8).reshape(size)
        labels = np.zeros((z, y, x), dtype=np.uint8)
        labels[z0:z1, y0:y1, x0:x1] = part
    except (ValueError, zlib.error):
        # Attributes of a scene file can be edited by anybody.
        return None
    return labels if labels.shape == shape and content_hash(labels) == content else None
