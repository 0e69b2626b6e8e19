"""From logits on the model's grid to labels on the volume's grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engine_stubs import smooth_noise
from torch.nn import functional

from LightMedSegLib.core.geometry import AxisMap
from LightMedSegLib.inference import logit_resampling
from LightMedSegLib.inference.logit_resampling import LabelPlanes


@pytest.mark.parametrize(
    ("volume_spacing", "model_spacing"),
    [((1.0, 1.0, 1.0), 0.6), ((0.7, 0.8, 1.9), 1.0), ((0.5, 0.6, 0.7), 1.5), ((1.0, 1.0, 3.0), 1.0)],
)
@pytest.mark.parametrize(("everywhere", "at_once"), [(False, 2**25), (True, 2**25), (True, 1)])
def test_restored_labels_are_the_argmax_of_linearly_interpolated_logits(
    monkeypatch: pytest.MonkeyPatch,
    volume_spacing: tuple[float, float, float],
    model_spacing: float,
    everywhere: bool,
    at_once: int,
) -> None:
    monkeypatch.setattr(logit_resampling, "_VALUES_AT_ONCE", at_once)
    shape = (11, 14, 17)
    axes = [AxisMap.between(0, shape[2 - a], volume_spacing[a], model_spacing) for a in range(3)]
    coarse = tuple(axes[a].model_length for a in (2, 1, 0))
    logits = torch.from_numpy(np.stack([smooth_noise(coarse, seed=c, sigma=1.0) for c in range(5)]))
    positions = tuple(
        np.clip(axes[a].to_model(np.arange(shape[2 - a])), 0, axes[a].model_length - 1) for a in (2, 1, 0)
    )
    labels = np.zeros(shape, dtype=np.uint8)
    planes = LabelPlanes(labels, positions, everywhere=everywhere)
    for index, plane in enumerate(logits.permute(1, 2, 3, 0).contiguous()):
        planes.add(index, plane)
    z, y, x = (torch.from_numpy(p) / max(1, n - 1) * 2 - 1 for p, n in zip(positions, coarse, strict=True))
    places = torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1], dim=-1)[None]
    expected = functional.grid_sample(logits[None].double(), places, align_corners=True)[0].argmax(0)
    assert (labels == expected.numpy()).mean() > 0.9995
    assert len(np.unique(labels)) == 5


@pytest.mark.parametrize(("everywhere", "at_once"), [(False, 2**25), (True, 2**25), (True, 36)])
def test_voxels_beyond_the_outermost_planes_take_their_classes(
    monkeypatch: pytest.MonkeyPatch, everywhere: bool, at_once: int
) -> None:
    monkeypatch.setattr(logit_resampling, "_VALUES_AT_ONCE", at_once)
    labels = np.full((5, 3, 3), 9, dtype=np.uint8)
    planes = LabelPlanes(labels, (np.array([0.0, 0, 0, 1, 1]), np.arange(3.0), np.arange(3.0)), everywhere=everywhere)
    for index in range(2):
        plane = torch.zeros(3, 3, 2)
        plane[..., index] = 1
        planes.add(index, plane)
    assert labels[:, 1, 1].tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("everywhere", [False, True])
def test_planes_before_and_after_those_needed_change_nothing(everywhere: bool) -> None:
    labels = np.full((2, 3, 3), 9, dtype=np.uint8)
    planes = LabelPlanes(labels, (np.array([2.0, 2.5]), np.arange(3.0), np.arange(3.0)), everywhere=everywhere)
    assert planes.needed == (2, 3)
    for index in range(6):
        plane = torch.zeros(3, 3, 6)
        plane[..., index] = 1
        planes.add(index, plane)
    assert labels.tolist() == [[[2] * 3] * 3, [[2] * 3] * 3]
