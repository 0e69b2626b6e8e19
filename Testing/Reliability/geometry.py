"""Labels lie where the structures are, for random volumes: spacing, position, orientation, size, transforms, regions.

The network is a stand-in that labels a voxel by its intensity, and the intensities are a known function of the place
in space, so the true label of every voxel is known. Both ways are tried: the library on images, and the bridge on
volume nodes under transforms with regions of interest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hypothesis import HealthCheck, given, seed, settings

from LightMedSegLib.core.process.native_messages import without_native_messages
from Reliability import geometry_cases as cases
from Reliability import geometry_properties as properties
from Reliability.surroundings import own_folder
from Reliability.tally import Tally, main

ROW, COUNT = "geometry", 2000

PROPERTIES: tuple[tuple[str, object, Callable[..., None], float], ...] = (
    ("image: every voxel has the label of its place", cases.image_cases(), properties.labels_lie_in_place, 0.35),
    ("image: ml agree with the shape", cases.ball_cases(), properties.volumes_agree, 0.2),
    ("scene: every voxel has the label of its place", cases.scene_cases(), properties.scene_labels_lie_in_place, 0.35),
    ("scene: mirrored, sheared and warped places are refused", cases.refused_cases(), properties.is_refused, 0.1),
)
"""Name, inputs, property, share of the attempts."""


def check(count: int, start: int) -> Tally:
    """count attempts, shared out among the properties."""
    tally = Tally()
    with own_folder() as folder, without_native_messages():
        for name, inputs, holds, share in PROPERTIES:
            tally.add(_try_property(name, inputs, holds, max(5, round(count * share)), start, folder))
    return tally


def _try_property(name: str, inputs: object, holds: Callable[..., None], count: int, start: int, folder: Path) -> Tally:
    tally = Tally()

    @seed(start)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs)  # type: ignore[arg-type]
    def attempt(case: object) -> None:
        tally.tried += 1
        holds(case, folder)
        tally.outcomes[name] += 1

    try:
        attempt()
    except Exception as error:
        # Several different failures come as a group.
        tally.failures += [f"{name}: {_told(one)}" for one in getattr(error, "exceptions", (error,))]
    return tally


def _told(error: BaseException) -> str:
    return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
