"""The doubtful places of a result, as the scene keeps them: attributes of the doubt volume."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import slicer

from LightMedSegLib.core.records.limits import Limits
from LightMedSegLib.mrml.segmentations.result_record import PREFIX
from LightMedSegLib.mrml.volumes import array_to_world
from LightMedSegLib.storage.records import read_record, record_json
from LightMedSegLib.storage.strict_json import parse_json

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.doubt.places import Candidate, DoubtfulPlace

_PLACES, _LOOKED = PREFIX + "Places", PREFIX + "LookedAt"

Index = Annotated[int, Limits(minimum=0)]
Name = Annotated[str, Limits(maxLength=200)]


@dataclass(frozen=True)
class Place:
    """A doubtful place.

    voxel: index (x, y, z) into the volume's array. structure, candidates: names of labels, "" for the background.
    errors: how many voxels are expected to be wrong. share: of all that are expected to be wrong in the scan.
    """

    voxel: tuple[Index, Index, Index]
    structure: Name
    candidates: tuple[Name, Name]
    errors: Annotated[float, Limits(minimum=0)]
    share: Annotated[float, Limits(minimum=0, maximum=1)]

    @classmethod
    def of(cls, place: DoubtfulPlace, doubt: sitk.Image) -> Place:
        """Return a place of the library in the voxels of the doubt."""
        x, y, z = doubt.TransformPhysicalPointToIndex(place.center)
        first, second = place.candidates
        share = round(min(place.share, 1.0), 5)
        names = (_name(first), _name(second))
        return cls((x, y, z), _name(place.structure), names, round(place.mass, 1), share)


@dataclass(frozen=True)
class _Kept:
    places: Annotated[tuple[Place, ...], Limits(maxItems=1000)]


def places_text(places: Iterable[Place]) -> str:
    """Return places as the text that a node keeps; in any thread."""
    return json.dumps(record_json(_Kept(tuple(places))), separators=(",", ":"), ensure_ascii=False)


def keep_places(doubt_node: Any, text: str) -> None:
    """Store new places in a doubt volume; none of them has been looked at."""
    doubt_node.SetAttribute(_PLACES, text)
    doubt_node.SetAttribute(_LOOKED, None)


def kept_text(doubt_node: Any) -> str:
    """Return the text of the places of a doubt volume; "" without any."""
    return doubt_node.GetAttribute(_PLACES) or ""


def kept_places(doubt_node: Any) -> tuple[Place, ...]:
    """Return the places of a doubt volume, the largest first; none if the text is damaged or out of the volume."""
    try:
        places = read_record(_Kept, parse_json(kept_text(doubt_node).encode("utf-8"))).places
    except ValueError:
        # Attributes of a scene file can be edited by anybody.
        return ()
    image = doubt_node.GetImageData()
    size = image.GetDimensions() if image is not None else (0, 0, 0)
    return places if all(index < n for place in places for index, n in zip(place.voxel, size, strict=True)) else ()


def looked_at(doubt_node: Any) -> set[int]:
    """Return the numbers of the places, from 0, that the user has looked at."""
    words = (doubt_node.GetAttribute(_LOOKED) or "").split()
    return {int(word) for word in words if word.isdecimal()}


def keep_looked_at(doubt_node: Any, numbers: Iterable[int]) -> None:
    """Store which places the user has looked at."""
    doubt_node.SetAttribute(_LOOKED, " ".join(str(number) for number in sorted(numbers)) or None)


def jump_to(doubt_node: Any, place: Place) -> None:
    """Show a place in the middle of all slice views."""
    kind = slicer.vtkMRMLSliceNode
    kind.JumpAllSlices(doubt_node.GetScene(), *place_in_world(doubt_node, place), kind.CenteredJumpSlice)


def place_in_world(doubt_node: Any, place: Place) -> tuple[float, float, float]:
    """Return the middle of a place in the world: RAS, mm, parent transform included."""
    x, y, z = (array_to_world(doubt_node) @ np.array([*place.voxel, 1.0]))[:3].tolist()
    return x, y, z


def _name(candidate: Candidate) -> str:
    return candidate.name[:200] if candidate.value else ""
