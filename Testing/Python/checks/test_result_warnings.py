"""What a model finds is compared with its card's ranges: volumes, places, and what is cut at a border."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import measure_ranges
import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import make_image, rotation, smooth_noise, stub_model
from model_factory import make_card, make_model
from paths import REPOSITORY

from LightMedSegLib.checks.result_warnings import found_labels, result_warnings
from LightMedSegLib.core.errors import DoubtfulResultError, ModelPackageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.label_ranges import LabelRange
from LightMedSegLib.model.package import load_model
from LightMedSegLib.storage.records import read_record, record_json

RANGES: list[dict[str, Any]] = [
    {"value": 1, "volume_ml": [0.2, 0.4]},
    {"value": 2, "volume_ml": [0.2, 0.4], "origin": 1, "offset_mm": [[8, 12], [-2, 2], [-2, 2]]},
]


def card(ranges: list[dict[str, Any]] | None = None) -> ModelCard:
    return ModelCard.from_json(make_card(ranges=RANGES if ranges is None else ranges))


def two_cubes(first: int = 8, second: int = 18, side: int = 7) -> np.ndarray:
    """Labels (z, y, x): cubes of 0.343 ml whose x begins at first and second."""
    labels = np.zeros((30, 30, 40), dtype=np.uint8)
    labels[10 : 10 + side, 10 : 10 + side, first : first + side] = 1
    labels[10 : 10 + side, 10 : 10 + side, second : second + side] = 2
    return labels


def grid_of(labels: np.ndarray, direction: np.ndarray | None = None) -> Grid:
    return Grid.of(make_image(labels, (1.0, 1.0, 1.0), (5.0, -3.0, 2.0), direction))


def warned(labels: np.ndarray, ranges: list[dict[str, Any]] | None = None) -> str:
    z, y, x = labels.shape
    return "\n".join(result_warnings(labels, grid_of(labels), card(ranges), ((0, x), (0, y), (0, z))))


def test_found_labels_are_those_of_simpleitk() -> None:
    labels = (smooth_noise((14, 15, 16)) > 110).astype(np.uint8) * 3
    labels[2:5, 2:5, 2:5] = 7
    image = make_image(labels, (0.7, 1.1, 2.0), (4.0, 5.0, 6.0), rotation((10, 20, 30)))
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(image)
    found = found_labels(labels, Grid.of(image), ((0, 16), (0, 15), (0, 14)))
    assert sorted(found) == list(statistics.GetLabels()) == [3, 7]
    for value, one in found.items():
        assert one.volume_ml * 1000 == pytest.approx(statistics.GetPhysicalSize(value))
        assert one.centroid == pytest.approx(statistics.GetCentroid(value))
    assert not found[7].cut


def test_what_lies_within_the_ranges_gives_no_warning() -> None:
    assert warned(two_cubes()) == ""
    labels = two_cubes()
    assert result_warnings(labels, grid_of(labels), ModelCard.from_json(make_card()), ((0, 40), (0, 30), (0, 30))) == []


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (two_cubes(side=9), "Structure 1 has 0.729 ml, while 0.2 to 0.4 ml are plausible"),
        (two_cubes(side=5), "Structure 2 has 0.125 ml"),
        (two_cubes(second=28), "Structure 2 lies where it cannot be, seen from Structure 1"),
        (two_cubes(first=18, second=8), "Structure 2 lies where it cannot be"),
        (np.zeros((30, 30, 40), np.uint8), "None of the model's structures was found"),
    ],
    ids=["too large", "too small", "too far", "sides swapped", "nothing"],
)
def test_volume_and_place_are_told_with_the_structures_name(labels: np.ndarray, sentence: str) -> None:
    assert sentence in warned(labels) and "check whether the scan shows" in warned(labels)


def test_what_is_cut_at_the_border_may_be_small_and_elsewhere_but_not_larger() -> None:
    assert warned(two_cubes()[12:]) == ""
    labels = two_cubes()
    assert result_warnings(labels, grid_of(labels), card(), ((0, 40), (0, 30), (16, 30))) == []
    assert "has 0.729 ml" in warned(two_cubes(side=9)[10:])


def test_many_structures_are_told_in_one_sentence() -> None:
    labels = np.zeros((30, 30, 40), dtype=np.uint8)
    for value in range(1, 13):
        labels[2 * value : 2 * value + 1, 4:9, 4:9] = value
    wide = ModelCard.from_json(
        make_card(labels=12, ranges=[{"value": value, "volume_ml": [1, 2]} for value in range(1, 13)])
    )
    (sentence,) = result_warnings(labels, grid_of(labels), wide, ((0, 40), (0, 30), (0, 30)))
    assert sentence.startswith("12 structures have") and "Structure 8 and 4 more" in sentence


@pytest.mark.parametrize(
    ("ranges", "reason"),
    [
        ([{"value": 3, "volume_ml": [1, 2]}], "names label 3, but the labels end at 2"),
        ([{"value": 1, "volume_ml": [2, 1]}], "lower limit 2 is not below"),
        ([{"value": 1, "volume_ml": [1, 2]}] * 2, "second one for label 1"),
        ([{"value": 1, "volume_ml": [1, 2], "origin": 2}], "offset_mm together with an origin"),
        ([{"value": 1, "volume_ml": [1, 2], "origin": 1, "offset_mm": [[0, 1]] * 3}], "which is another label"),
        ([{"value": 1, "volume_ml": [1, 2], "origin": 2, "offset_mm": [[0, 1], [0, 1], [1, 1]]}], "lower limit 1"),
        ([{"value": 1}], "volume_ml"),
        ([], "ranges"),
    ],
)
def test_ranges_that_contradict_themselves_are_refused(ranges: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(ModelPackageError, match=reason):
        card(ranges)


def test_a_card_keeps_its_ranges() -> None:
    assert card().to_json()["ranges"] == RANGES
    assert ModelCard.from_json(card().to_text()) == card()
    assert "ranges" not in ModelCard.from_json(make_card()).to_json()


def blobs() -> sitk.Image:
    array = np.zeros((24, 24, 32), dtype=np.float32)
    array[6:13, 6:13, 6:13], array[6:13, 6:13, 16:23] = 100, 200
    # Without noise, the volume would look like a labelmap.
    return make_image(array + np.random.default_rng(0).normal(0, 0.1, array.shape).astype(np.float32))


def engine(ranges: list[dict[str, Any]]) -> Engine:
    model = stub_model()
    entries = tuple(read_record(LabelRange, entry) for entry in ranges)
    return Engine(dataclasses.replace(model, card=dataclasses.replace(model.card, ranges=entries)), device="cpu")


def test_the_engine_tells_and_a_strict_call_raises() -> None:
    assert engine(RANGES).segment(blobs()).notes == []
    wrong = engine([{"value": 1, "volume_ml": [5, 6]}])
    result = wrong.segment(blobs())
    assert result.warnings == result.notes and "Structure 1 has 0.343 ml" in result.notes[0]
    with pytest.raises(DoubtfulResultError, match="Structure 1 has"):
        wrong.segment(blobs(), SegmentOptions(strict=True))
    assert engine(RANGES).segment(blobs(), SegmentOptions(strict=True)).warnings == []


def test_a_strict_call_refuses_a_doubtful_volume_before_any_computing() -> None:
    coarse = blobs()
    coarse.SetSpacing((3.0, 3.0, 3.0))
    one = engine(RANGES)
    with pytest.raises(DoubtfulResultError, match=r"up to 3\.0 mm long"):
        one.segment(coarse, SegmentOptions(strict=True))
    assert one.model.built == 0


def test_the_ranges_of_a_card_are_measured_from_its_training_cases(tmp_path: Path) -> None:
    """Twelve cases for training, and one, for testing, with a structure ten times as large."""
    rows, names = [], [f"case{number:02d}" for number in range(13)]
    for number, name in enumerate(names):
        labels = two_cubes(first=8, second=18 + number % 3, side=7 if number < 12 else 9)
        if number == 0:
            labels = labels[12:]  # cut: neither its volume nor its place counts
        sitk.WriteImage(make_image(labels), str(tmp_path / f"{name}.nii.gz"))
        rows.append([name, f"{name}.nii.gz", f"{name}.nii.gz", "1 2" if number != 1 else "2"])
    with (tmp_path / "cases.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["case", "image", "labelmap", "labelled"], *rows])
    split = {"train": names[:12], "validation": [], "test": names[12:]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    recipe = tmp_path / "recipe.toml"
    source = REPOSITORY / "Resources" / "Training" / "hippocampus-t1-mr.toml"
    text = source.read_text().replace("hippocampus-t1-mr.split.json", "split.json")
    recipe.write_text(text.replace('layout = "decathlon"', 'layout = "csv"'))
    model = make_model(tmp_path / "model")
    words = [str(model.folder), "--config", str(recipe), "--data", str(tmp_path / "cases.csv")]
    sys.argv = ["measure_ranges.py", *words]
    assert measure_ranges.main() == 0
    first, second = load_model(model.folder).card.ranges
    assert first.volume_ml[0] < 0.343 < first.volume_ml[1] < 0.343 * 3
    assert second.origin == 1 and second.offset_mm is not None
    (x0, x1), (y0, y1), _ = second.offset_mm
    assert -10 < x0 < 10 < 12 < x1 < 30 and y0 < 0 < y1
    assert load_model(model.folder).card.to_json() == {
        **model.card.to_json(),
        "ranges": [record_json(first), record_json(second)],
    }


def test_a_structure_that_few_cases_show_gets_no_range() -> None:
    labels = two_cubes()
    z, y, x = labels.shape
    found = found_labels(labels, grid_of(labels), ((0, x), (0, y), (0, z)))
    assert measure_ranges.ranges([found] * 7, [1, 2]) == []
    assert [entry.value for entry in measure_ranges.ranges([found] * 8, [1, 2])] == [1, 2]


@pytest.mark.parametrize("name", ["brain-structures-mr", "headneck-oar-ct", "hippocampus-t1-mr"])
def test_every_structure_of_a_shipped_model_has_a_range(name: str) -> None:
    shipped = load_model(REPOSITORY / "Resources" / "Models" / name).card
    assert [entry.value for entry in shipped.ranges] == [label.value for label in shipped.labels]
