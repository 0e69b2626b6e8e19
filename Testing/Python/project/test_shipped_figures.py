"""The published figures of the shipped models come out again, on the processor, by the commands that users have.

Slow, and only where the environment variable LIGHTMEDSEG_DATA names the folder of the labelled scans: two cases of
each model's test, compared with the lines of Documentation/results.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from paths import REPOSITORY

from LightMedSegLib.cli import main
from LightMedSegLib.model.store import resolve_model

RESULTS = REPOSITORY / "Documentation" / "results"
TOLERANCE = 0.005
"""Other processors round otherwise, and a labelled organ may have few voxels."""

pytestmark = pytest.mark.skipif(not os.environ.get("LIGHTMEDSEG_DATA"), reason="needs LIGHTMEDSEG_DATA")


def as_it_is(reference: Path, prediction: Path, folder: Path) -> tuple[Path, Path]:
    return reference, prediction


def of_the_atlas(reference: Path, prediction: Path, folder: Path) -> tuple[Path, Path]:
    """The atlas's labels as the model's, both without the voxels that the mapping leaves out."""
    from brain_reference import IGNORED, map_labels, read_mapping

    mapping = read_mapping(REPOSITORY / "Resources" / "Training" / "malc2012-to-brain-structures.json")
    values = {label.name: label.value for label in resolve_model("brain-structures-mr").card.labels}
    mapped = map_labels(sitk.ReadImage(str(reference)), mapping, values)
    unknown = sitk.GetArrayFromImage(mapped) == IGNORED
    paths = []
    for name, image in (("reference", mapped), ("prediction", sitk.ReadImage(str(prediction)))):
        array = np.where(unknown, 0, sitk.GetArrayFromImage(image)).astype(np.uint8)
        cleaned = sitk.GetImageFromArray(array)
        cleaned.CopyInformation(mapped)
        paths.append(folder / f"{name}.nrrd")
        sitk.WriteImage(cleaned, paths[-1])
    return paths[0], paths[1]


@pytest.mark.parametrize(
    ("model", "data", "figures", "comparable"),
    [
        ("hippocampus-t1-mr", "msd-hippocampus-mr", "lightmedseg.csv", as_it_is),
        ("headneck-oar-ct", "openkbp-headneck-ct", "lightmedseg.csv", as_it_is),
        ("left-ventricle-cine-mr", "sunnybrook-lv-cine-mr", "lightmedseg.csv", as_it_is),
        ("brain-structures-mr", "malc2012-brain-mr-t1", "as-is.csv", of_the_atlas),
    ],
)
def test_two_test_cases_give_the_published_figures_again(
    model: str, data: str, figures: str, comparable: Callable[[Path, Path, Path], tuple[Path, Path]], tmp_path: Path
) -> None:
    folder = Path(os.environ["LIGHTMEDSEG_DATA"]) / data
    with (RESULTS / model / figures).open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    for case in list(dict.fromkeys(line["case"] for line in lines))[:2]:
        file = f"{case}.nii.gz"
        predicted = tmp_path / f"{case}.nrrd"
        assert (
            main(["segment", str(folder / "images" / file), str(predicted), "--model", model, "--device", "cpu"]) == 0
        )
        reference, prediction = comparable(folder / "labels" / file, predicted, tmp_path)
        report = tmp_path / f"{case}.json"
        words = ["evaluate", str(prediction), str(reference), "--model", model, "--json", str(report)]
        assert main(words) == 0
        found = {entry["name"]: entry["dice"] for entry in json.loads(report.read_text(encoding="utf-8"))["labels"]}
        expected = {line["label"]: float(line["dice"]) for line in lines if line["case"] == case}
        assert expected
        for label, dice in expected.items():
            if not np.isnan(dice):
                assert found[label] == pytest.approx(dice, abs=TOLERANCE), f"{case}, {label}"
