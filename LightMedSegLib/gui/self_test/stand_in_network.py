"""A promptable network without a network for the module's self test: it takes what is as bright as the strokes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.interaction.window import View

_NEAR = 60.0
_SURE = 0.9


class BrightnessCompleter:
    """Adds what is as bright as the include prompts, removes what is as bright as the exclude prompts."""

    size = 32

    def __init__(self) -> None:
        self.notes: list[str] = []

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        """Nothing has to be loaded."""

    def probability(self, view: View, cancel: CancelToken | None = None) -> NDArray[np.float32]:
        """The probability (z, y, x) in one window."""
        inside = view.present | _as_bright_as(view.image, view.include)
        inside &= ~_as_bright_as(view.image, view.exclude)
        return np.where(inside, _SURE, 1 - _SURE).astype(np.float32)


def _as_bright_as(image: NDArray[np.float32], prompts: NDArray[np.float32]) -> NDArray[np.bool_]:
    marked = prompts > 0
    if not marked.any():
        return np.zeros(image.shape, dtype=bool)
    result: NDArray[np.bool_] = np.abs(image - np.median(image[marked])) < _NEAR
    return result
