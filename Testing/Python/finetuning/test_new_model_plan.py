"""The plan of a new model: voxels, patch, intensities and clean-up by its scans."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from model_factory import make_card, merged

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.new_model.plan import training_settings
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.training.planning.input_plan import clean_up, modality_of, plan_input
from LightMedSegLib.training.planning.scan_facts import ScanFacts, scan_facts

STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
SAGITTAL = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""x of the array runs along y of the body, y along z, and z along x."""


def facts(size: tuple[float, float, float], extent: tuple[float, float, float], spacing: float = 1.0) -> ScanFacts:
    values = np.linspace(0, 100, 1000, dtype=np.float32)
    return ScanFacts("MR", (spacing,) * 3, size, extent, values, values, frozenset({1}))


def card_of(scans: list[ScanFacts]) -> ModelCard:
    return ModelCard.from_json(make_card(version="1.0.0-draft", input=plan_input(scans)))


def test_facts_are_along_the_axes_of_the_body() -> None:
    labels = np.zeros((20, 30, 40), dtype=np.uint8)
    labels[2:6, 10:20, 5:25] = 1
    labels[10:12, 0:3, 0:2], labels[15:17, 0:3, 0:2] = 2, 2
    array = np.where(labels > 0, 500.0, 100.0).astype(np.float32)
    straight = scan_facts(array, Grid((40, 30, 20), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), STRAIGHT), labels, (1, 2, 3))
    assert straight.spacing == (1.0, 2.0, 3.0) and straight.size == (40.0, 60.0, 60.0)
    assert straight.extent == (20.0, 20.0, 21.0), "of the largest structure, two pieces included"
    assert straight.connected == {1}
    assert set(straight.inside.tolist()) == {500.0} and set(straight.around.tolist()) == {100.0, 500.0}
    turned = scan_facts(array, Grid((40, 30, 20), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), SAGITTAL), labels, (1, 2, 3))
    assert turned.spacing == (3.0, 1.0, 2.0) and turned.size == (60.0, 40.0, 60.0)
    assert scan_facts(array, Grid((40, 30, 20), (1.0,) * 3, (0.0,) * 3, STRAIGHT), labels, (1,), "PT").modality == "PT"
    with pytest.raises(TrainingDataError, match="None of the segments has a voxel"):
        scan_facts(array, Grid((40, 30, 20), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), STRAIGHT), labels, (3,))


def test_a_small_structure_keeps_the_voxels_of_the_scans() -> None:
    spec = plan_input([facts((35, 50, 36), (20, 40, 25)), facts((38, 55, 40), (22, 44, 26))])
    assert spec["spacing_mm"] == [1.0, 1.0, 1.0]
    assert spec["patch"] == [48, 64, 48]


def test_a_large_structure_gets_larger_voxels_and_every_plan_is_one_that_a_small_computer_trains() -> None:
    for extent in (3.0, 20.0, 80.0, 250.0, 600.0):
        for spacing in (0.3, 0.8, 2.0, 6.0):
            scans = [facts((700, 700, 700), (extent, extent, extent), spacing)]
            card = card_of(scans)
            voxels = math.prod(card.input.patch)
            assert voxels <= 80**3, (extent, spacing)
            assert all(step >= spacing for step in card.input.spacing)
            settings = training_settings(card, FinetuneSettings())
            assert 60 <= settings.steps <= 120 and settings.pull == 0
    liver = plan_input([facts((400, 400, 400), (220, 160, 200), 0.8)])
    assert 1.5 < liver["spacing_mm"][0] < 3.5


def test_thick_slices_stay_and_the_planes_become_coarser_first() -> None:
    thick = replace(facts((300, 300, 200), (120, 120, 100)), spacing=(0.6, 0.6, 5.0))
    x, y, z = plan_input([thick])["spacing_mm"]
    assert x == y and 0.6 <= x < 2.0 and z == 5.0


def test_ct_gets_a_window_around_the_structures_and_anything_else_a_z_score() -> None:
    random = np.random.default_rng(0)
    inside, around = random.normal(60, 20, 5000), random.normal(-100, 400, 5000)
    ct = replace(
        facts((300, 300, 300), (50, 50, 50)),
        modality="CT",
        inside=inside.astype(np.float32),
        around=around.astype(np.float32),
    )
    normalization = plan_input([ct])["channels"][0]["normalization"]
    assert normalization["kind"] == "window"
    assert -120 < normalization["lower"] < 0 and 110 < normalization["upper"] < 250
    airway = replace(ct, inside=np.linspace(-1000, 1500, 500, dtype=np.float32))
    wide = plan_input([airway])["channels"][0]["normalization"]
    assert wide["lower"] == -1024.0 and 1600 < wide["upper"] < 1750
    mixed = [ct, facts((300, 300, 300), (50, 50, 50))]
    assert modality_of(mixed) == "OT"
    assert plan_input(mixed)["channels"][0]["normalization"] == {"kind": "zscore", "clip_percentiles": [0.5, 99.5]}


def test_a_structure_that_is_one_piece_in_every_scan_is_cleaned_up() -> None:
    whole, pieces = facts((9, 9, 9), (5, 5, 5)), replace(facts((9, 9, 9), (5, 5, 5)), connected=frozenset({1, 2}))
    assert clean_up([whole, pieces], 2) == [{"operation": "keep_largest_component", "labels": [1], "joint": False}]
    assert clean_up([replace(whole, connected=frozenset())], 2) == []


def test_settings_that_somebody_chose_and_those_of_trained_models_stay() -> None:
    draft = card_of([facts((35, 50, 36), (20, 40, 25))])
    chosen = FinetuneSettings(steps=7)
    assert training_settings(draft, chosen) is chosen
    trained = ModelCard.from_json(merged(draft.to_json(), {"version": "1.0.0"}))
    assert training_settings(trained, FinetuneSettings()) == FinetuneSettings()
