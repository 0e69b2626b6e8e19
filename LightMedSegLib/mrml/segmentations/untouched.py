"""The untouched prediction of a result node: corrections change the segments, but never this.

The node, and with it the scene file, only has the key of a file in the user's data folder. On another computer the file
is missing, and the model segments again if the prediction is needed. A hash in the node of what was written proves that
the labels are those of this result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.mrml.segmentations.kept_predictions import recall
from LightMedSegLib.mrml.segmentations.result_record import PREFIX, ResultRecord, content_hash, written_content

_ATTRIBUTE = PREFIX + "Untouched"


def remember_untouched(node: Any, key: str) -> None:
    """Store in a result node the key of the labels that were just written into it; "" if they were not stored."""
    node.SetAttribute(_ATTRIBUTE, key or None)


def untouched_text(node: Any) -> str:
    """Return the text for :func:`untouched_labels` in any thread; "" without a prediction or with only a preview."""
    record = ResultRecord.read(node)
    if record is None or record.preview:
        return ""
    return f"{written_content(node)} {node.GetAttribute(_ATTRIBUTE) or ''}"


def untouched_labels(text: str, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    """The untouched labels (z, y, x) from :func:`untouched_text`.

    None if they are unknown, of another size, or not on this computer.
    """
    content, _, key = text.partition(" ")
    labels = recall(key, shape)
    return labels if labels is not None and content_hash(labels) == content else None
