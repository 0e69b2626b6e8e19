"""What a promptable model is shown of a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Region


@dataclass(frozen=True)
class View:
    """A window with the object so far and the prompts; all arrays are (z, y, x) on the window's grid.

    image: in any unit, float32. present: where the object is so far. include, exclude: strokes, 0 to 1, the newest with
    1, float32. inside: the part of the window that lies in the volume. paints: whether the newest stroke includes.
    drawn: of a stroke that corrects a segment, the points of the stroke itself; None for a new object. first: whether a
    new object has no other prompt.
    """

    image: NDArray[np.float32]
    present: NDArray[np.bool_]
    include: NDArray[np.float32]
    exclude: NDArray[np.float32]
    inside: Region
    paints: bool = True
    drawn: NDArray[np.bool_] | None = None
    first: bool = False
