"""Segments that are not selected now, but were: their corrections go on following them."""

from __future__ import annotations

from typing import Any

from LightMedSegLib.mrml.strokes.correction import SegmentCorrection
from LightMedSegLib.mrml.strokes.watch import News

_MOST_VOXELS = 2**27
"""Of all of them together; a voxel takes two bytes."""


class Parking:
    """Corrections of one segmentation on one volume, by segment.

    Undo and overlapping segments change segments that are not selected, too: what the user marked there must follow.
    """

    def __init__(self) -> None:
        self._scan: tuple[Any, ...] = ()
        self._parked: dict[str, SegmentCorrection] = {}

    def keep_to(self, scan: tuple[Any, ...]) -> None:
        """Forget all corrections if they are not those of this scan."""
        if scan != self._scan:
            self._scan, self._parked = scan, {}

    def park(self, correction: SegmentCorrection) -> None:
        """Go on following a segment. The oldest are forgotten when there are too many."""
        if correction.ready and correction.voxels.exists:
            self._parked[correction.voxels.segment_id] = correction
            most = max(1, _MOST_VOXELS // correction.session.mask.size)
            for segment_id in list(self._parked)[:-most]:
                del self._parked[segment_id]

    def fetch(self, segment_id: str) -> SegmentCorrection | None:
        """The correction of a segment that is selected again; None if there is none."""
        return self._parked.pop(segment_id, None)

    def take(self, news: News) -> None:
        """Bring all of them in line with their segments after events."""
        for correction in self._parked.values():
            if correction.voxels.exists:
                correction.take(news)

    def take_completion(self) -> None:
        """Bring all of them in line after a completion, which may have taken voxels from them."""
        for correction in self._parked.values():
            if correction.voxels.exists:
                correction.take_from_neighbour()

    def forget(self, segment_id: str) -> None:
        """Forget a segment that was removed; "": all."""
        if segment_id:
            self._parked.pop(segment_id, None)
        else:
            self._parked = {}
