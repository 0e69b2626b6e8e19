"""The models that ship: their packages, their figures and what they make of the shipped sample."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from paths import REPOSITORY

from LightMedSegLib import segment
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.inference.postprocessing import postprocess
from LightMedSegLib.inference.preprocessing import prepare
from LightMedSegLib.model.package import load_model
from LightMedSegLib.network.complexity import count_parameters
from LightMedSegLib.network.layers.subvoxel import space_to_depth

MODELS = sorted(folder for folder in (REPOSITORY / "Resources" / "Models").iterdir() if folder.is_dir())
HIPPOCAMPUS = REPOSITORY / "Resources" / "Models" / "hippocampus-t1-mr"
SAMPLE = REPOSITORY / "Resources" / "SampleData" / "mni152-t1-left-hippocampus.nii.gz"


def folder_name(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("folder", MODELS, ids=folder_name)
def test_a_shipped_model_is_small_complete_and_intact(folder):
    model = load_model(folder)
    assert model.card.name == folder.name
    assert sum(file.stat().st_size for file in folder.iterdir()) < 3_000_000
    assert count_parameters(model.build_network()) == pytest.approx(0.48e6, abs=0.01e6)
    assert (folder / "README.md").is_file() and (folder / "training.toml").is_file()


@pytest.mark.parametrize("folder", MODELS, ids=folder_name)
def test_the_readme_of_a_model_gives_the_figures_of_its_card(folder):
    card = load_model(folder).card
    text = (folder / "README.md").read_text(encoding="utf-8")
    # Of the promptable model the benchmark of prompts gives the figures of test cases.
    own = "validation" if card.promptable else "test"
    tests = {part: figures for part, figures in card.metrics.items() if part == own or part.startswith("malc2012")}
    assert tests
    for part, figures in tests.items():
        means = figures["dice"] if part == own else {part: figures["dice_mean"]}
        for name, dice in means.items():
            assert f"{dice:.3f}" in text, f"{name}: {dice:.3f} is not in README.md"
    for licence in ("weights", "data"):
        assert card.licenses[licence] in text


def test_shipped_models_segment_anatomy_of_the_head_the_neck_and_the_heart():
    """README.md says that they find no disease, and which parts of the body have no model."""
    cards = [load_model(folder).card for folder in MODELS]
    assert {card.body_region for card in cards if not card.promptable} == {"Head", "Head and neck", "Heart"}
    (heart,) = (card for card in cards if card.body_region == "Heart")
    assert len(heart.labels) == 1
    # SNOMED CT has other categories for what is abnormal.
    categories = {label.terminology.category.meaning for card in cards for label in card.labels}
    assert categories == {"Anatomical Structure"}


@pytest.mark.parametrize("folder", MODELS, ids=folder_name)
def test_left_and_right_are_cleaned_up_alike_and_change_places_in_a_mirror_image(folder):
    card = load_model(folder).card
    values = {label.name: label.value for label in card.labels}
    other = {"Left": "Right", "Right": "Left"}
    sides = {
        values[name]: values[f"{other[first]} {rest}"]
        for name in values
        for first, _, rest in [name.partition(" ")]
        if first in other
    }
    assert dict(card.mirror_label_swaps) | {b: a for a, b in card.mirror_label_swaps} == sides
    for step in card.postprocessing:
        assert {sides.get(value, value) for value in step["labels"]} == set(step["labels"]), step["operation"]


def test_the_split_of_the_hippocampus_model_is_fixed_disjoint_and_large_enough():
    split = json.loads((REPOSITORY / "Resources" / "Training" / "hippocampus-t1-mr.split.json").read_text())
    parts = [set(split[part]) for part in ("train", "validation", "test")]
    assert len(parts[2]) >= 40
    assert sum(map(len, parts)) == len(set.union(*parts))
    cases = load_model(HIPPOCAMPUS).card.training["cases"]
    assert [cases["train"], cases["validation"], cases["test"]] == [len(part) for part in parts]


@cache
def labels_of_the_sample() -> sitk.Image:
    return segment(sitk.ReadImage(str(SAMPLE)), HIPPOCAMPUS, device="cpu").labelmap


def test_the_sample_gets_no_stray_islands():
    array = sitk.GetArrayFromImage(labels_of_the_sample())
    stray = array.copy()
    stray[:3, :3, :3] = 2
    postprocess(stray, load_model(HIPPOCAMPUS).card.postprocessing, 0.001)
    assert np.array_equal(stray, array), "the card's clean-up takes away what the network finds in a corner"
    for structure in (array > 0, array == 1, array == 2):
        parts = sitk.ConnectedComponent(sitk.GetImageFromArray(structure.astype(np.uint8)), True)
        sizes = np.bincount(sitk.GetArrayFromImage(parts).ravel())[1:]
        assert sizes.max() == sizes.sum() > 500, sizes


def test_the_sample_gets_both_parts_of_the_hippocampus_in_the_right_order_and_size():
    labelmap = labels_of_the_sample()
    assert Grid.of(labelmap) == Grid.of(sitk.ReadImage(str(SAMPLE)))
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(labelmap)
    assert set(statistics.GetLabels()) == {1, 2}
    for label in (1, 2):
        assert 700 < statistics.GetPhysicalSize(label) < 3500  # mm3; an adult's half hippocampus is 1 to 2 ml
    anterior, posterior = (statistics.GetCentroid(label)[1] for label in (1, 2))
    assert anterior < posterior - 5  # LPS: y grows towards the back


def test_after_training_the_texture_map_is_higher_on_edges_than_in_flat_regions():
    model = load_model(HIPPOCAMPUS)
    array, _ = prepare(sitk.ReadImage(str(SAMPLE)), model.card.input)
    network = model.build_network()
    with torch.inference_mode():
        volume = torch.from_numpy(array[None, :, :32, :48, :32].copy())
        features = network.stem(space_to_depth(volume))
        texture = network.structural_prior.texture(features)[0, 0].numpy()
    coarse = torch.nn.functional.avg_pool3d(volume, 2)[0, 0].numpy()
    gradient = np.sqrt(sum(part**2 for part in np.gradient(coarse)))
    edges, flat = gradient > np.quantile(gradient, 0.8), gradient < np.quantile(gradient, 0.2)
    assert texture[edges].mean() > texture[flat].mean() + 0.02


def test_the_trained_anchors_move_with_the_anatomy():
    model = load_model(HIPPOCAMPUS)
    array, _ = prepare(sitk.ReadImage(str(SAMPLE)), model.card.input)
    padded = np.pad(array, ((0, 0), (8, 8), (8, 8), (8, 8)), mode="edge")
    network = model.build_network()

    def anchors(shift: int) -> np.ndarray:
        crop = padded[None, :, 4 : 4 + 48, shift : shift + 64, 4 : 4 + 48]
        with torch.inference_mode():
            return network.find_anchors(network.stem(space_to_depth(torch.from_numpy(crop.copy()))))[0].numpy()

    moved = (anchors(0) - anchors(6))[:, 1]  # the anatomy lies 6 of 64 voxels further back in the first crop
    assert moved.max() > 0.02


TESTED = {
    "hippocampus-t1-mr": "test",
    "headneck-oar-ct": "test",
    "brain-structures-mr": "malc2012-as-is",
    "left-ventricle-cine-mr": "test",
}
"""The part of the card's metrics that the pages quote."""


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("page", ["README.md", "Resources/Models/{}/README.md"])
def test_the_pages_give_the_dice_of_the_card(name: str, page: str) -> None:
    card = json.loads((REPOSITORY / "Resources" / "Models" / name / "model.json").read_text(encoding="utf-8"))
    text = (REPOSITORY / page.format(name)).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if page != "README.md" or f"Resources/Models/{name}/README.md" in line]
    assert f"{card['metrics'][TESTED[name]]['dice_mean']:.3f}" in "\n".join(lines)
