"""Prompts in a JSON file: coordinates, order, and what is wrong with it in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from correction_bench import OBLIQUE, ball_volume

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.interaction.prompt_file import read_prompts

VOLUME = ball_volume((0.8, 1.2, 2.5), OBLIQUE)
GRID = Grid.of(VOLUME)


def written(folder: Path, content: Any) -> Path:
    path = folder / "prompts.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def file_of(*prompts: dict[str, Any], coordinates: str = "IJK") -> dict[str, Any]:
    return {"coordinates": coordinates, "prompts": list(prompts)}


@pytest.mark.parametrize("coordinates", ["IJK", "LPS", "RAS"])
def test_a_place_is_the_same_in_all_coordinates(tmp_path: Path, coordinates: str) -> None:
    index = (12, 30, 7)
    place = np.array(VOLUME.TransformIndexToPhysicalPoint(index))
    point = {"IJK": index, "LPS": place.tolist(), "RAS": (place * [-1, -1, 1]).tolist()}[coordinates]
    path = written(tmp_path, file_of({"include": True, "point": point}, coordinates=coordinates))
    (stroke,) = read_prompts(path, GRID)
    assert stroke.box == ((12, 13), (30, 31), (7, 8)) and stroke.include


def test_strokes_and_points_keep_their_order_kind_and_radius(tmp_path: Path) -> None:
    line = {"include": False, "stroke": [[4, 5, 6], [9, 5, 6]], "radius_mm": 1.0}
    one, two = read_prompts(written(tmp_path, file_of(line, {"include": True, "point": [1, 1, 1]})), GRID)
    assert not one.include and one.box == ((3, 11), (5, 6), (6, 7))
    assert two.include and two.voxels.sum() == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "prompts.json is not valid"),
        (file_of(), "prompts"),
        ({"prompts": [{"include": True, "point": [1, 1, 1]}]}, "coordinates"),
        (file_of({"include": True, "point": [1, 1, 1]}, coordinates="XYZ"), "coordinates"),
        (file_of({"include": True, "point": [1, 1]}), "point"),
        (file_of({"include": "yes", "point": [1, 1, 1]}), "include"),
        (file_of({"point": [1, 1, 1]}), "include"),
        (file_of({"include": True, "pont": [1, 1, 1]}), "pont"),
        (file_of({"include": True, "stroke": []}), "stroke"),
        (file_of({"include": True, "point": [1, 1, 1], "radius_mm": -1}), "radius_mm"),
        (file_of({"include": True}), r"prompts\[0\] needs either a point or a stroke"),
        (file_of({"include": True, "point": [1, 1, 1], "stroke": [[1, 1, 1]]}), "either a point or a stroke"),
        (
            file_of({"include": True, "point": [1, 1, 1]}, {"include": True, "point": [1, 1, 99]}),
            r"prompts\[1\].*outside",
        ),
        ('{"coordinates": "IJK", "prompts": [{"include": true, "point": [NaN, 1, 1]}]}', "NaN"),
    ],
)
def test_what_is_wrong_is_said_with_its_item(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(InputImageError, match=words) as refused:
        read_prompts(written(tmp_path, content), GRID)
    assert "prompts.json" in str(refused.value) and str(refused.value).endswith(".")
