"""A completer without a network, for tests of what surrounds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.interaction.rules import connected
from LightMedSegLib.interaction.window import View


class StubCompleter:
    """Grows from the prompts over like intensities: a paint adds them to the mask, an erasure removes them.

    size: of a window; a small one is quick. reach: largest distance in grid points from the newest prompts. calls: how
    many windows it was asked for. notes: as the completer's.
    """

    def __init__(self, size: int = 32, reach: int = 12, tolerance: float = 0.15):
        self.size, self.reach, self.tolerance, self.calls = size, reach, tolerance, 0
        self.notes: list[str] = []

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        """There is nothing to load."""

    def probability(self, view: View, cancel: CancelToken | None = None) -> NDArray[np.float32]:
        if cancel is not None:
            cancel.raise_if_cancelled()
        self.calls += 1
        grown = view.present | self._like(view.image, view.include)
        grown &= ~self._like(view.image, view.exclude)
        grown[view.include >= 1.0] = True
        grown[view.exclude >= 1.0] = False
        return np.where(grown, 0.9, 0.1).astype(np.float32)

    def _like(self, image: NDArray[np.float32], prompts: NDArray[np.float32]) -> NDArray[np.bool_]:
        newest = prompts >= 1.0
        if not newest.any():
            return np.zeros(image.shape, dtype=bool)
        middle, width = float(np.median(image[newest])), self.tolerance * float(np.ptp(image))
        like = (np.abs(image - middle) <= width) & self._near(newest)
        return connected(like, newest & like)

    def _near(self, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        near = np.zeros_like(marked)
        places = np.argwhere(marked)
        first, last = places.min(axis=0) - self.reach, places.max(axis=0) + self.reach + 1
        z, y, x = (slice(max(0, a), b) for a, b in zip(first.tolist(), last.tolist(), strict=True))
        near[z, y, x] = True
        return near
