"""The fixed cases of the benchmarks of prompts: which structure of which scan, read one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from brain_reference import map_labels, read_mapping
from numpy.typing import NDArray

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.model.store import resolve_model

LIST = Path(__file__).resolve().parent / "cases.json"
RECIPES = Path(__file__).resolve().parents[3] / "Resources" / "Training"


@dataclass(frozen=True)
class Scan:
    """A scan and its structures by name, truth as masks (z, y, x); model: the one whose prediction is corrected."""

    group: str
    case: str
    image: sitk.Image
    structures: dict[str, NDArray[np.bool_]]
    model: str = ""

    @property
    def grid(self) -> Grid:
        """The lattice of the scan."""
        return Grid.of(self.image)


def case_groups(part: str, path: Path = LIST) -> list[dict[str, Any]]:
    """The groups of a part of the list, "prompts" or "corrections", as they are written there."""
    groups: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))[part]
    return groups


def read_scans(group: Mapping[str, Any], data: Path) -> Iterator[Scan]:
    """Each scan of a group from the folder data; of a partly annotated group without the structures that are absent.

    Raises TrainingDataError where a file or, in another group, a structure is missing.
    """
    for case in group["cases"]:
        image_path, labels_path = (data / group[key].format(case=case) for key in ("image", "labels"))
        for path in (image_path, labels_path):
            if not path.is_file():
                raise TrainingDataError(f"The case {case} needs the file {path}; give the folder that holds it.")
        labelmap = read_volume(labels_path)
        if "mapping" in group:
            names = {label.name: label.value for label in resolve_model(group["model"]).card.labels}
            labelmap = map_labels(labelmap, read_mapping(RECIPES / group["mapping"]), names)
        array = sitk.GetArrayFromImage(labelmap)
        structures = {name: np.isin(array, values) for name, values in group["structures"].items()}
        absent = [name for name, mask in structures.items() if not mask.any()]
        if group.get("partly_annotated"):
            structures = {name: mask for name, mask in structures.items() if name not in absent}
        elif absent:
            raise TrainingDataError(f"The case {case} has no {absent[0]}; take it out of {LIST.name}.")
        yield Scan(group["group"], case, read_volume(image_path), structures, group.get("model", ""))
