"""The marks and strokes of a session as small arrays, for scenes, autosave and fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box, bounding_box, box_of, region_of
from LightMedSegLib.interaction.history import Bits, Hard
from LightMedSegLib.interaction.strokes import Stroke


def to_arrays(hard: NDArray[np.int8], strokes: Sequence[Stroke], new_object: bool) -> dict[str, NDArray[Any]]:
    """Return what from_arrays reads, by name.

    shape (z, y, x), hard_box, painted and erased (bits in that box), stroke_boxes, stroke_include, stroke_bits (each
    stroke begins with a byte of its own) and new_object.
    """
    region = bounding_box(hard != 0)
    marks = Hard.of(hard[region])
    bits = [Bits.of(stroke.voxels).packed for stroke in strokes]
    return {
        "shape": np.array(hard.shape, dtype=np.int64),
        "hard_box": np.array(box_of(region), dtype=np.int64),
        "painted": marks.painted.packed,
        "erased": marks.erased.packed,
        "stroke_boxes": np.array([stroke.box for stroke in strokes], dtype=np.int64).reshape(-1, 3, 2),
        "stroke_include": np.array([stroke.include for stroke in strokes], dtype=np.uint8),
        "stroke_bits": np.concatenate(bits) if bits else np.zeros(0, dtype=np.uint8),
        "new_object": np.array([new_object], dtype=np.uint8),
    }


def from_arrays(
    state: Mapping[str, NDArray[Any]], shape: tuple[int, int, int]
) -> tuple[NDArray[np.int8], list[Stroke], bool]:
    """Return the marks (z, y, x), the strokes and new_object of a state.

    Raises InputImageError if the state is damaged or of a volume with another shape.
    """
    try:
        if tuple(state["shape"].tolist()) != shape:
            raise InputImageError(
                f"The saved corrections are of a volume of {tuple(state['shape'].tolist())} voxels (z, y, x), not of "
                f"{shape}; choose the volume they were made on."
            )
        hard = np.zeros(shape, dtype=np.int8)
        part = hard[region_of(box_from(state["hard_box"]))]
        part[...] = Hard(Bits(part.shape, state["painted"]), Bits(part.shape, state["erased"])).array
        strokes, first = [], 0
        for numbers, include in zip(state["stroke_boxes"], state["stroke_include"], strict=True):
            box = box_from(numbers)
            size = hard[region_of(box)].shape
            last = first + (int(np.prod(size)) + 7) // 8
            strokes.append(Stroke(bool(include), box, Bits(size, state["stroke_bits"][first:last]).mask))
            first = last
        return hard, strokes, bool(state["new_object"][0])
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InputImageError("The saved corrections are damaged; start a new correction.") from error


def box_from(numbers: NDArray[Any]) -> Box:
    """Return the box whose ranges along x, y and z an array (3, 2) has."""
    x, y, z = ((int(first), int(last)) for first, last in numbers)
    return (x, y, z)
