"""How a volume is segmented: the choices of one call in one record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from LightMedSegLib.core.errors import LightMedSegError

if TYPE_CHECKING:
    from LightMedSegLib.core.geometry import Box
    from LightMedSegLib.model.card import Triple

MIRROR_AXES = ("x", "y", "z")
LARGEST_OVERLAP = 0.9


@dataclass(frozen=True)
class SegmentOptions:
    """The choices of one call; None stands for the model card's own, or for torch's number of threads.

    device: "auto", "cpu", "cuda", "cuda:1" or "mps"; an Engine has its own and ignores this one.
    roi: half-open voxel index box ((i0, i1), (j0, j1), (k0, k1)) of the first volume; outside it all is 0.
    overlap: fraction of a window shared with its neighbour, 0 to 0.9.
    mirror: axes of "x", "y", "z" whose mirror images are averaged in; () for none.
    threads: processor threads for the call.
    strict: whether a warning about the volume or the result is an error.
    preview_spacing: (x, y, z) in mm of larger voxels for one quick coarse pass, without mirror images, instead of the
        full one.
    doubt: whether the result has the doubt of every voxel.

    Raises LightMedSegError, with the value, for an overlap, an axis or a number of threads that cannot be.
    """

    device: str = "auto"
    roi: Box | None = None
    overlap: float | None = None
    mirror: Sequence[str] | None = None
    threads: int | None = None
    strict: bool = False
    preview_spacing: Triple | None = None
    doubt: bool = False

    def __post_init__(self) -> None:
        if self.overlap is not None and not 0 <= self.overlap <= LARGEST_OVERLAP:
            raise LightMedSegError(f"The overlap must be between 0 and {LARGEST_OVERLAP:g}, not {self.overlap:g}.")
        if self.mirror is not None:
            unknown = [axis for axis in self.mirror if axis not in MIRROR_AXES]
            if unknown:
                raise LightMedSegError(f"The mirror axis {unknown[0]!r} is unknown; use x, y and z.")
            object.__setattr__(self, "mirror", tuple(dict.fromkeys(self.mirror)))
        if self.threads is not None and self.threads < 1:
            raise LightMedSegError(f"The number of threads must be at least 1, not {self.threads}.")


DEFAULT_OPTIONS = SegmentOptions()
