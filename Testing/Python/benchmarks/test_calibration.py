"""Calibration: its error on known confidences, the temperature that mends them, and which voxels count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from calibration import Voxels, expected_calibration_error, fit_temperature, sample_voxels

from LightMedSegLib.inference.sliding_window.model_grid import predict_logits
from LightMedSegLib.inference.sliding_window.windows import WindowRule
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase


def drawn(temperature: float, count: int = 40_000) -> Voxels:
    """Voxels whose classes are drawn with the probabilities of their logits, which are then made too bold."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(count, 3, generator=generator)
    classes = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
    return Voxels(logits * temperature, classes)


def test_honest_confidence_has_almost_no_error_and_bold_confidence_has() -> None:
    assert expected_calibration_error(drawn(1.0)) < 0.01
    assert expected_calibration_error(drawn(2.5)) > 0.05


def test_confidence_of_one_half_that_is_never_right_is_wrong_by_one_half() -> None:
    logits = torch.tensor([[10.0, 10.0, -50.0]]).repeat(10, 1)
    assert expected_calibration_error(Voxels(logits, torch.full((10,), 2))) == pytest.approx(0.5)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_the_temperature_is_found_again(temperature: float) -> None:
    voxels = drawn(temperature)
    found = fit_temperature(voxels)
    assert found == pytest.approx(temperature, rel=0.06)
    assert expected_calibration_error(voxels, found) < 0.01


class Fixed(torch.nn.Module):
    """Predicts class 2 in one corner, background elsewhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(x), 3, *x.shape[2:])
        logits[:, 0] = 1
        logits[:, 2, :2, :2, :2] = 5
        return logits


def test_only_voxels_near_marked_structures_count() -> None:
    labels = np.zeros((16, 16, 16), dtype=np.uint8)
    labels[8, 8, 8] = 1
    labels[8, 8, 9] = IGNORED
    image = np.zeros((1, 16, 16, 16), dtype=np.float16)
    everything = sample_voxels(Fixed(), [PreparedCase("a", image, labels)], WindowRule((16, 16, 16)))
    # 7 voxels cubed around the structure less the unknown one, and 5 cubed around the predicted corner.
    assert len(everything.classes) == 7**3 - 1 + 5**3
    assert sorted(everything.classes.unique().tolist()) == [0, 1]
    partial = sample_voxels(Fixed(), [PreparedCase("a", image, labels, (1,))], WindowRule((16, 16, 16)))
    assert len(partial.classes) == len(everything.classes) - 2**3


class Brightness(torch.nn.Module):
    """Logits that depend on the whole window, so that overlapping windows disagree."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([-x, x + x.mean(dim=(2, 3, 4), keepdim=True)], dim=1)


def test_voxels_have_the_logits_that_ship_and_a_temperature_of_the_network_is_one_of_theirs() -> None:
    random = np.random.default_rng(0)
    image = random.normal(size=(1, 16, 16, 40)).astype(np.float16)
    case, rule = PreparedCase("a", image, np.ones((16, 16, 40), np.uint8)), WindowRule((16, 16, 16), 0.5)
    (shipped,) = predict_logits(Brightness(), [torch.from_numpy(image)], rule, mirror=("x",))
    voxels = sample_voxels(Brightness(), [case], rule, ("x",))
    assert len(voxels.classes) == 10_000 and bool((voxels.classes == 1).all())
    known = {tuple(logits) for logits in shipped.flatten(0, 2).tolist()}
    assert all(tuple(logits) in known for logits in voxels.logits.tolist())
    colder = sample_voxels(lambda x: Brightness()(x) / 4, [case], rule, ("x",))
    torch.testing.assert_close(colder.logits, voxels.logits / 4)
