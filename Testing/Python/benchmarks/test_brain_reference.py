"""The MICCAI 2012 labels as ours: nothing is lost or counted twice; and the scans that a model is tried on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import evaluate_brain
import numpy as np
import pytest
import SimpleITK as sitk
from brain_reference import IGNORED, VERSIONS, degraded, map_labels, read_mapping
from brain_reference import MAPPING as MAPPING_FILE
from model_factory import make_model

from LightMedSegLib.learning.checkpoint import write_weights
from LightMedSegLib.storage.records import record_json
from LightMedSegLib.training.configuration.reader import read_configuration, with_override
from LightMedSegLib.training.networks import build_training_network

MAPPING = read_mapping(MAPPING_FILE)
RECIPE = read_configuration(MAPPING_FILE.with_name("brain-structures-mr.toml"))
VALUES = {str(label["name"]): int(label["value"]) for label in RECIPE.labels}


def image_of(array: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(array)


def test_every_structure_is_mapped_or_said_to_be_left_out():
    assert set(MAPPING["labels"]) | set(MAPPING["not_evaluated"]) == set(VALUES)
    assert not set(MAPPING["labels"]) & set(MAPPING["not_evaluated"])


def test_no_id_is_mapped_twice():
    ids = [number for group in MAPPING["labels"].values() for number in group]
    ids += [number for part in ("midline", "ignored", "background") for number in MAPPING[part]["ids"]]
    assert [number for number, count in Counter(ids).items() if count > 1] == []


def test_the_cortex_is_all_gyri_odd_numbers_left():
    left, right = (set(MAPPING["labels"][f"{side} cerebral cortex"]) for side in ("Left", "Right"))
    assert {number for number in left if number >= 100} == set(range(101, 208, 2))
    assert {number for number in right if number >= 100} == set(range(100, 207, 2))


def test_the_voxels_of_each_structure_are_the_sum_of_its_ids():
    random = np.random.default_rng(0)
    usable = [n for group in MAPPING["labels"].values() for n in group] + MAPPING["ignored"]["ids"] + [0, 46]
    source = random.choice(usable, size=(12, 30, 30)).astype(np.uint8)
    mapped = sitk.GetArrayFromImage(map_labels(image_of(source), MAPPING, VALUES))
    for name, ids in MAPPING["labels"].items():
        assert (mapped == VALUES[name]).sum() == np.isin(source, ids).sum() > 0
    assert (mapped == IGNORED).sum() == np.isin(source, MAPPING["ignored"]["ids"]).sum()
    assert (mapped == VALUES["Cerebrospinal fluid around the brain"]).sum() == 0


def test_the_vermis_goes_to_the_nearer_side():
    source = np.zeros((4, 4, 12), np.uint8)
    source[..., :4], source[..., 4:8], source[..., 8:] = 38, 72, 39
    mapped = sitk.GetArrayFromImage(map_labels(image_of(source), MAPPING, VALUES))
    assert (mapped[..., :6] == VALUES["Right cerebellar cortex"]).all()
    assert (mapped[..., 6:] == VALUES["Left cerebellar cortex"]).all()


def test_an_unknown_id_is_an_error():
    with pytest.raises(ValueError, match="id 90"):
        map_labels(image_of(np.full((2, 2, 2), 90, np.uint8)), MAPPING, VALUES)


def brain_volume() -> tuple[sitk.Image, sitk.Image]:
    """A dark and a bright half (labels 1, 2) in air."""
    array, labels = np.zeros((20, 16, 16), np.float32), np.zeros((20, 16, 16), np.uint8)
    array[2:18, 2:14, 2:8], labels[2:18, 2:14, 2:8] = 40, 1
    array[2:18, 2:14, 8:14], labels[2:18, 2:14, 8:14] = 100, 2
    volumes = [image_of(array), image_of(labels)]
    for volume in volumes:
        volume.SetOrigin((5, -7, 11))
    return volumes[0], volumes[1]


def test_inverting_leaves_air_dark_and_exchanges_the_tissues():
    image, reference = brain_volume()
    shown, truth = degraded("t2-like", image, reference)
    found, labels = sitk.GetArrayFromImage(shown), sitk.GetArrayFromImage(truth)
    assert (found[labels == 0] == 0).all()
    assert found[labels == 1].min() > found[labels == 2].max() > 0


def test_thick_slices_cover_the_same_place_and_take_the_most_frequent_label():
    image, reference = brain_volume()
    shown, truth = degraded("thick-slices", image, reference)
    assert shown.GetSpacing() == pytest.approx((1, 1, 5))
    assert shown.GetSize() == (16, 16, 4)
    assert shown.GetOrigin() == pytest.approx((5, -7, 13))
    found, labels = sitk.GetArrayFromImage(shown), sitk.GetArrayFromImage(truth)
    # The first slice covers planes 0 to 4, of which 2 to 4 are tissue.
    assert labels[0, 8, 4] == 1
    assert found[0, 8, 4] == pytest.approx(40 * 3 / 5)
    assert found[1, 8, 10] == pytest.approx(100)


def test_a_heavy_bias_changes_brightness_several_times_across_the_head():
    image, reference = brain_volume()
    shown, _ = degraded("heavy-bias", image, reference)
    field = sitk.GetArrayFromImage(shown)[2:18, 2:14, 2:8] / 40
    assert field.max() / field.min() > 2.5


def test_an_unknown_version_is_an_error():
    with pytest.raises(ValueError, match="as-is"):
        degraded("upside-down", *brain_volume())


def write_scan(folder: Path) -> None:
    """One scan with white matter on one side, in the layout of the data."""
    image, reference = brain_volume()
    source = np.where(sitk.GetArrayFromImage(reference) == 1, 45, 0).astype(np.uint8)
    wanted = image_of(source)
    wanted.CopyInformation(image)
    for part, volume in (("images", image), ("labels", wanted)):
        (folder / part).mkdir()
        sitk.WriteImage(volume, str(folder / part / "one.nii.gz"))


def test_the_command_scores_every_version_and_records_the_means(tmp_path, capsys):
    codes = {"modifier": None, "region": None, "region_modifier": None}
    labels = [{**label, "terminology": {**codes, **label["terminology"]}} for label in RECIPE.labels]
    model = make_model(tmp_path / "model", labels=labels)
    write_scan(tmp_path)
    arguments = [str(model.folder), str(tmp_path), str(tmp_path / "out"), "--device", "cpu", "--record"]
    assert evaluate_brain.main(arguments) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert set(summary) == set(VERSIONS)
    assert len(summary["as-is"]["dice"]) == 31
    lines = (tmp_path / "out" / "thick-slices.csv").read_text().splitlines()
    assert len(lines) == 1 + 31
    card = json.loads((model.folder / "model.json").read_text())
    assert card["metrics"]["malc2012-t2-like"]["cases"] == 1
    assert "mean Dice" in capsys.readouterr().out


def test_a_run_without_a_package_is_scored_too(tmp_path):
    configuration = with_override(RECIPE, "network.name", "lightmedseg-tiny")
    configuration = with_override(configuration, "input.patch", "[32, 32, 32]")
    run = tmp_path / "run"
    run.mkdir()
    (run / "configuration.json").write_text(json.dumps(record_json(configuration)))
    write_weights(run / "weights.safetensors", build_training_network(configuration).state_dict(), half=True)
    write_scan(tmp_path)
    arguments = [str(run), str(tmp_path), str(tmp_path / "out"), "--device", "cpu", "--versions", "as-is"]
    assert evaluate_brain.main(arguments) == 0
    assert (tmp_path / "out" / "as-is.csv").is_file()


def test_a_model_without_the_structures_is_said_so(tmp_path, capsys):
    model = make_model(tmp_path / "model")
    assert evaluate_brain.main([str(model.folder), str(tmp_path), str(tmp_path / "out")]) == 2
    assert "lacks structures" in capsys.readouterr().err
