"""Voxels and millilitres of the labels of a labelmap."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_card

from LightMedSegLib.core.label_volumes import label_volumes, voxels_per_value
from LightMedSegLib.model.card import ModelCard


def test_every_value_is_counted_on_empty_planes_as_on_others() -> None:
    labels = np.random.default_rng(0).integers(0, 256, (6, 9, 11)).astype(np.uint8)
    labels[2:4] = 0
    counts = voxels_per_value(labels.transpose(1, 0, 2))
    assert counts.tolist() == np.bincount(labels.ravel(), minlength=256).tolist()
    assert counts.sum() == labels.size


def test_volumes_are_in_millilitres_and_a_label_that_is_not_there_has_none() -> None:
    array = np.zeros((10, 10, 10), np.uint8)
    array[:5] = 2
    labelmap = sitk.GetImageFromArray(array)
    labelmap.SetSpacing((0.5, 1.0, 2.0))
    rows = label_volumes(labelmap, ModelCard.from_json(make_card(labels=2)).labels)
    assert [(row["name"], row["voxels"]) for row in rows] == [("Structure 1", 0), ("Structure 2", 500)]
    assert [row["ml"] for row in rows] == [0.0, pytest.approx(0.5)]
