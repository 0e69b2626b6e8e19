"""What the correction of a result has taken so far, as the scene keeps it."""

from __future__ import annotations

from typing import Any

from LightMedSegLib.finetuning.cases.effort import Effort
from LightMedSegLib.mrml.segmentations.result_record import PREFIX, ResultRecord, result_key

_ATTRIBUTE = PREFIX + "Effort"


def is_counted(node: Any) -> bool:
    """Return whether the correction of a segmentation can be counted: of a result that is no preview."""
    record = ResultRecord.read(node)
    return record is not None and not record.preview


def kept_effort(node: Any) -> Effort:
    """Return what was kept for the present result of a node; nothing for a new one."""
    seconds, _, rest = (node.GetAttribute(_ATTRIBUTE) or "").partition(" ")
    strokes, _, key = rest.partition(" ")
    if key != result_key(node) or not (seconds.isdecimal() and strokes.isdecimal()):
        return Effort(0, 0)
    return Effort(int(seconds), int(strokes))


def keep_effort(node: Any, effort: Effort) -> None:
    """Store what the correction of the present result of a node has taken."""
    text = f"{effort.seconds} {effort.strokes} {result_key(node)}"
    # Unchanged, it must not make the scene look as if it had to be saved.
    if text != node.GetAttribute(_ATTRIBUTE) and effort != Effort(0, 0):
        node.SetAttribute(_ATTRIBUTE, text)


def forget_effort(node: Any) -> None:
    """Remove what was kept in a node, which holds a new result."""
    node.RemoveAttribute(_ATTRIBUTE)
