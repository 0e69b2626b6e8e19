"""The input of the promptable network: normalised image, aged prompts, and what edges say of them."""

from __future__ import annotations

import pytest
import torch

from LightMedSegLib.interaction.encoding import CHANNELS, aged, normalize_window, walk_of, with_prompts
from LightMedSegLib.interaction.prompt_values import DECAY, NEWEST, OLDEST

SIZE = 24


def volume(value: float = 0.0) -> torch.Tensor:
    return torch.full((1, 1, SIZE, SIZE, SIZE), value)


def prompt(z: int, y: int, x: int) -> torch.Tensor:
    made = volume()
    made[0, 0, z, y, x] = NEWEST
    return made


def noise(seed: int = 0) -> torch.Tensor:
    return torch.randn((1, 1, SIZE, SIZE, SIZE), generator=torch.Generator().manual_seed(seed))


def test_the_channels_are_in_the_documented_order() -> None:
    mask, include, exclude = volume(0.5), prompt(4, 4, 4), prompt(20, 20, 20)
    walk = volume(0.25)
    encoded = with_prompts(normalize_window(noise()), mask, include, exclude, walk)
    assert encoded.shape == (1, len(CHANNELS), SIZE, SIZE, SIZE)
    assert torch.equal(encoded[:, 0:1], normalize_window(noise()))
    assert torch.equal(encoded[:, 1:4], torch.cat([mask, include, exclude], dim=1))
    assert torch.allclose(walk_of(encoded), walk, atol=1e-5) and 0.5 < encoded[:, 4:].max() < 1


def test_each_window_is_normalised_by_itself_whatever_its_unit() -> None:
    one = noise()
    both = normalize_window(torch.cat([one, 1000 * one - 300]))
    assert torch.allclose(both[0], both[1], atol=1e-3)
    assert both.mean().abs() < 1e-4 and both.std() == pytest.approx(1, abs=1e-3)


def test_an_outlier_changes_nothing_and_a_constant_window_is_zero() -> None:
    one = noise()
    extreme = one.clone()
    extreme[0, 0, 1, 1, 1] = 1e6
    difference = (normalize_window(one) - normalize_window(extreme)).abs()
    assert difference.flatten().sort().values[:-1].max() < 1e-3
    assert not normalize_window(volume(7.0)).any()


def test_soft_tissue_beside_air_and_bone_keeps_its_contrast() -> None:
    """Two organs of 40 and 100 HU differ by much more than their share of the range from -1000 to 1500 HU."""
    window = volume(40.0) + 15 * noise()
    window[..., 12:] += 60
    window[..., :5, :] = -1000
    window[..., 22:, :] = 1500
    normal = normalize_window(window)[0, 0, :, 8:20]
    linear = ((window - window.mean()) / window.std())[0, 0, :, 8:20]
    assert normal[..., 12:].mean() - normal[..., :12].mean() > 3 * (linear[..., 12:].mean() - linear[..., :12].mean())


def test_earlier_strokes_fade_to_a_floor_and_where_nothing_was_drawn_stays_zero() -> None:
    strokes = prompt(3, 3, 3)
    assert aged(strokes)[0, 0, 3, 3, 3] == pytest.approx(NEWEST * DECAY)
    for _ in range(10):
        strokes = aged(strokes)
    assert strokes[0, 0, 3, 3, 3] == pytest.approx(OLDEST)
    assert (strokes > 0).sum() == 1


def test_a_window_of_odd_size_is_encoded_too() -> None:
    odd = torch.zeros((2, 1, 7, 9, 11))
    assert with_prompts(normalize_window(odd), odd, odd, odd, odd).shape == (2, 5, 7, 9, 11)
