"""The doubt of a result: what it says at each voxel, and that asking for it changes no label."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from engine_stubs import RandomNetwork, ThresholdNetwork, make_image, rotation, smooth_noise, stub_model
from torch.nn import functional

from LightMedSegLib.core.geometry import AxisMap
from LightMedSegLib.inference.logit_resampling import LabelPlanes, best_two, doubt_of
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.segmentation import Engine

DOUBT = SegmentOptions(doubt=True)


def doubt_array(result: object) -> np.ndarray:
    return sitk.GetArrayFromImage(result.doubt)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 1.2, 1.9)])
def test_the_labels_are_those_of_a_run_without_doubt_and_the_doubt_lies_on_the_same_grid(
    spacing: tuple[float, float, float],
) -> None:
    image = make_image(smooth_noise((20, 24, 22)), spacing, (1 / 3, -5, 9), rotation((4, -6, 9)))
    engine = Engine(stub_model(RandomNetwork(), patch=[16, 16, 16]), "cpu")
    plain, doubtful = engine.segment(image), engine.segment(image, DOUBT)
    assert plain.doubt is None
    assert sitk.Hash(plain.labelmap) == sitk.Hash(doubtful.labelmap)
    assert doubtful.doubt.GetPixelID() == sitk.sitkUInt8
    for item in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(doubtful.doubt, item)() == getattr(image, item)()


def test_doubt_is_twice_the_probability_of_the_second_class_of_two() -> None:
    logits = torch.tensor([[0.0, 0.0, -30], [0, 1, -30], [-30, 4, 1], [9, -9, 0], [5, 5, 5]])
    best = best_two(logits)
    assert best.classes.tolist() == [0, 1, 1, 0, 0]
    second = logits.softmax(-1).sort(-1).values[:, 1]
    assert doubt_of(best.margin)[:4].tolist() == pytest.approx((second[:4] * 510).tolist(), abs=0.5)
    assert doubt_of(best.margin)[4] == 255


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("spacing", "model_spacing"), [((0.7, 0.8, 1.9), 1.0), ((0.5, 0.6, 0.7), 1.5)])
def test_the_doubt_between_model_voxels_is_that_of_the_interpolated_logits(
    spacing: tuple[float, float, float], model_spacing: float, classes: int
) -> None:
    shape = (11, 14, 17)
    axes = [AxisMap.between(0, shape[2 - a], spacing[a], model_spacing) for a in range(3)]
    coarse = tuple(axes[a].model_length for a in (2, 1, 0))
    logits = torch.from_numpy(np.stack([smooth_noise(coarse, seed=c, sigma=3.0) / 20 for c in range(classes)]))
    positions = tuple(
        np.clip(axes[a].to_model(np.arange(shape[2 - a])), 0, axes[a].model_length - 1) for a in (2, 1, 0)
    )
    z, y, x = (torch.from_numpy(p) / max(1, n - 1) * 2 - 1 for p, n in zip(positions, coarse, strict=True))
    places = torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1], dim=-1)[None]
    exact = functional.grid_sample(logits[None].double(), places, align_corners=True)[0]
    expected = doubt_of(best_two(exact.permute(1, 2, 3, 0)).margin).numpy().astype(int)
    for everywhere in (True, False):
        labels, doubt = np.zeros((2, *shape), dtype=np.uint8)
        planes = LabelPlanes(labels, positions, everywhere=everywhere, doubt=doubt)
        for index, plane in enumerate(logits.permute(1, 2, 3, 0).contiguous()):
            planes.add(index, plane)
        apart = doubt.astype(int) - expected
        # An interpolated margin is never too large, and too small only where the second class changes.
        assert apart.min() >= -1
        assert apart.mean() < 6 if classes > 2 and not everywhere else apart.max() <= 1
    assert len(np.unique(expected)) > 100


def test_there_is_no_doubt_outside_the_region_of_interest() -> None:
    engine = Engine(stub_model(RandomNetwork(), patch=[16, 16, 16]), "cpu")
    box = ((2, 15), (6, 16), (7, 17))
    image = make_image(smooth_noise((24, 24, 24)))
    doubt = doubt_array(engine.segment(image, SegmentOptions(roi=box, doubt=True)))
    inside = np.zeros_like(doubt, dtype=bool)
    inside[7:17, 6:16, 2:15] = True
    assert doubt[inside].max() > 200 and not doubt[~inside].any()


def test_there_is_no_doubt_in_padding() -> None:
    array = smooth_noise((24, 24, 24))
    array[:6] = -30000
    doubt = doubt_array(
        Engine(stub_model(RandomNetwork(), patch=[16, 16, 16]), "cpu").segment(make_image(array), DOUBT)
    )
    assert doubt[6:].max() > 200 and not doubt[:6].any()


def test_a_network_that_is_sure_of_everything_has_no_doubt() -> None:
    array = np.zeros((16, 16, 16), dtype=np.float32)
    array[:, :, 8:] = 200
    result = Engine(stub_model(ThresholdNetwork(3), patch=[16, 16, 16]), "cpu").segment(make_image(array), DOUBT)
    assert not doubt_array(result).any()
