"""Prompts from a JSON file, for scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.core.records.limits import Limits
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.storage.records import read_record, refused_as
from LightMedSegLib.storage.strict_json import parse_json
from LightMedSegLib.storage.text_files import read_text

Point = tuple[float, float, float]
Radius = Annotated[float, Limits(minimum=0, maximum=100)]

_MOST_PROMPTS = 1000
_LARGEST_FILE = 2**24


@dataclass(frozen=True)
class Prompt:
    """A point, or a stroke through points: include what it marks in the object, or exclude it.

    radius_mm: of the ball or tube that it marks; 0: only the nearest voxels.
    """

    include: bool
    point: Point | None = field(default=None, metadata={"omit_empty": True})
    stroke: Annotated[tuple[Point, ...], Limits(minItems=1, maxItems=10_000)] | None = field(
        default=None, metadata={"omit_empty": True}
    )
    radius_mm: Radius = 0.0


@dataclass(frozen=True)
class Prompts:
    """Prompts in their order. coordinates: LPS and RAS are mm, IJK are voxel indices, from 0."""

    prompts: Annotated[tuple[Prompt, ...], Limits(minItems=1, maxItems=_MOST_PROMPTS)]
    coordinates: Literal["LPS", "RAS", "IJK"]


def read_prompts(path: Path, grid: Grid) -> list[Stroke]:
    """Return the strokes of a file of prompts, in their order, as voxels of a volume.

    Raises InputImageError, naming the file and the prompt, for a file that is not valid, a prompt that is neither a
    point nor a stroke, and a prompt outside the volume; OSError for a file that cannot be read.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise InputImageError(f"{path} is too large for a file of prompts; write at most {_MOST_PROMPTS} prompts.")
    with refused_as(InputImageError, str(path)):
        content = read_record(Prompts, parse_json(read_text(path)))
        for number, prompt in enumerate(content.prompts):
            if (prompt.point is None) == (prompt.stroke is None):
                raise ValueError(f"prompts[{number}] needs either a point or a stroke")
    strokes = []
    for number, prompt in enumerate(content.prompts):
        points = [prompt.point] if prompt.point is not None else prompt.stroke or ()
        indices = [_index(point, content.coordinates, grid) for point in points]
        try:
            strokes.append(Stroke.line(prompt.include, indices, prompt.radius_mm, grid))
        except InputImageError as error:
            raise InputImageError(f"{path}: prompts[{number}]: {error}") from None
    return strokes


def _index(point: Point, coordinates: str, grid: Grid) -> tuple[float, float, float]:
    """The continuous index of a point."""
    if coordinates == "IJK":
        return point
    world = np.array(point) * ([-1, -1, 1] if coordinates == "RAS" else [1, 1, 1])
    x, y, z = np.linalg.solve(np.reshape(grid.direction, (3, 3)), world - grid.origin) / grid.spacing
    return (float(x), float(y), float(z))
