"""The training files that ship with the source: complete, consistent, and with codes that DICOM knows."""

from __future__ import annotations

import dataclasses

import pytest
from paths import REPOSITORY
from pydicom.sr._concepts_dict import concepts

from LightMedSegLib.learning.labelmap_indices import ids_in_order
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.training.configuration.reader import read_configuration
from LightMedSegLib.training.networks import build_training_network, check_patch
from LightMedSegLib.training.packaging import card_content
from LightMedSegLib.training.split import read_split

FOLDER = REPOSITORY / "Resources" / "Training"
RECIPES = sorted(path.name for path in FOLDER.glob("*.toml"))
DICOM_CODES = {scheme: {code for entry in names.values() for code in entry} for scheme, names in concepts.items()}
SLICER_CODES = {"123037004", "255549009", "255551008"}
"""Anatomical structure, anterior, posterior: from Slicer's own lists; pydicom's excerpt lacks them."""


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_makes_a_valid_card(name):
    configuration = read_configuration(FOLDER / name)
    split = read_split(FOLDER / configuration.data.split)
    weights = {"file": "weights.safetensors", "sha256": "0" * 64, "bytes": 8}
    card = ModelCard.from_json({**card_content(configuration, split, {}), "weights": weights})
    assert card.num_classes == configuration.num_classes
    assert name == f"{card.name}.toml"


@pytest.mark.parametrize("name", RECIPES)
def test_the_codes_of_a_recipe_are_in_dicom_s_dictionary(name):
    for label in read_configuration(FOLDER / name).labels:
        for code in label["terminology"].values():
            if code["value"] not in SLICER_CODES:
                assert code["value"] in DICOM_CODES[code["scheme"]], code


@pytest.mark.parametrize("name", RECIPES)
def test_left_and_right_have_their_modifier_and_change_places_when_mirrored(name):
    configuration = read_configuration(FOLDER / name)
    sides = {"Left": "7771000", "Right": "24028007"}
    pairs = []
    values = {label["name"]: label["value"] for label in configuration.labels}
    for label in configuration.labels:
        side = label["name"].split()[0]
        modifier = label["terminology"].get("modifier", {}).get("value")
        assert (modifier in sides.values()) == (side in sides)
        if side in sides:
            assert modifier == sides[side]
            other = label["name"].replace(side, "Right" if side == "Left" else "Left")
            pairs.append(tuple(sorted((label["value"], values[other]))))
    swaps = configuration.augmentation.mirror_label_swaps
    assert {tuple(sorted(pair)) for pair in swaps} == set(pairs)


@pytest.mark.parametrize("name", RECIPES)
def test_the_patch_of_a_recipe_suits_its_network(name):
    configuration = read_configuration(FOLDER / name)
    check_patch(build_training_network(configuration), configuration.patch)


def test_the_brain_recipe_names_32_structures_of_freesurfer_s_ids():
    configuration = read_configuration(FOLDER / "brain-structures-mr.toml")
    names = [label["name"] for label in configuration.labels]
    assert len(names) == len(set(names)) == 32
    ids = dict(zip(names, configuration.synthesis.label_ids, strict=True))
    assert (ids["Left hippocampus"], ids["Right hippocampus"], ids["Brain stem"]) == (17, 53, 16)
    assert len(ids_in_order(configuration.synthesis)) == 54
    for first, second in configuration.augmentation.mirror_label_swaps:
        pair = {configuration.synthesis.label_ids[value - 1] for value in (first, second)}
        groups = [set(group) for tissue in configuration.synthesis.tissues for group in tissue.classes]
        assert any(pair <= group for group in groups), "mirrored structures must look alike"


def test_the_brain_split_leaves_labelmaps_for_validation_and_test():
    split = read_split(FOLDER / "brain-structures-mr.split.json")
    assert [len(split.train), len(split.validation), len(split.test)] == [16, 2, 2]


def test_the_head_and_neck_split_tests_on_at_least_thirty_patients():
    split = read_split(FOLDER / "headneck-oar-ct.split.json")
    assert [len(split.train), len(split.validation), len(split.test)] == [153, 17, 33]
    # OpenKBP numbers its training patients 1 to 200 and its validation patients 201 to 240.
    assert all(int(case.removeprefix("pt_")) > 200 for case in split.test)
    assert all(int(case.removeprefix("pt_")) <= 200 for case in split.train + split.validation)


def test_the_ventricle_split_is_by_patient_and_leaves_out_those_that_test_the_volumes():
    split = read_split(FOLDER / "left-ventricle-cine-mr.split.json")
    patients = [{case.rpartition("_")[0] for case in part} for part in (split.train, split.validation, split.test)]
    assert [len(part) for part in patients] == [20, 5, 15]
    everybody = set.union(*patients)
    assert len(everybody) == 40
    assert not everybody & {f"SC-HF-I-0{number}" for number in (1, 2, 4, 5, 6)}


def test_an_overridden_resolution_keeps_the_recipe_valid():
    configuration = read_configuration(FOLDER / "brain-structures-mr.toml")
    card_input = {**configuration.input, "spacing_mm": [1.5, 1.5, 1.5], "patch": [112, 128, 112]}
    coarser = dataclasses.replace(configuration, input=card_input)
    check_patch(build_training_network(coarser), coarser.patch)
