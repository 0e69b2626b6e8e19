"""The channels of a promptable network: image, mask, include and exclude prompts, and what edges say of them."""

from __future__ import annotations

import functools
import math

import torch

from LightMedSegLib.interaction.prompt_values import DECAY, OLDEST

CHANNELS = ("image", "mask", "include", "exclude", "edges")

_CLIPPED = 0.005
_KNOTS = (0.005, 0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.995)
_STRIDE = 3
_EVEN = 0.01
_SPATIAL = (2, 3, 4)


def with_prompts(
    normal: torch.Tensor, mask: torch.Tensor, include: torch.Tensor, exclude: torch.Tensor, walk: torch.Tensor
) -> torch.Tensor:
    """Return the input (B, 5, z, y, x) of the network; all arguments are float32 (B, 1, z, y, x) on the window's grid.

    normal: what normalize_window made of the image. mask, include, exclude: 0 to 1, strokes with the values of NEWEST,
    DECAY and OLDEST. walk: the probability by edges alone (see edges.py). Of it the logarithm counts, from 0 to 1: far
    from small prompts probabilities are small inside an object too, and their ratios show its edges.
    """
    return torch.cat([normal, mask, include, exclude, torch.log1p(walk / _EVEN) / math.log1p(1 / _EVEN)], dim=1)


def walk_of(channels: torch.Tensor) -> torch.Tensor:
    """Return the walk (B, 1, z, y, x) that with_prompts was given, from what it returned."""
    return torch.expm1(channels[:, -1:] * math.log1p(1 / _EVEN)) * _EVEN


def aged(prompts: torch.Tensor) -> torch.Tensor:
    """Return the channel of earlier strokes as it is when a new stroke is added."""
    return torch.where(prompts > 0, (prompts * DECAY).clamp(min=OLDEST), 0.0)


def normalize_window(image: torch.Tensor) -> torch.Tensor:
    """Return image (B, 1, z, y, x) with mean 0 and standard deviation 1 in each window.

    Values are clipped to the quantiles 0.005 and 0.995, then halfway equalised: the mean of the clipped image and of
    its quantiles, both from 0 to 1. Soft tissue beside air and bone in CT is a small part of the range but most of the
    window; it thereby keeps its contrast, as in a clinical window setting. A constant window becomes 0.
    """
    sample = image[..., ::_STRIDE, ::_STRIDE, ::_STRIDE].flatten(1)
    knots = torch.quantile(sample, _knots(image.device, image.dtype), dim=1)
    values = knots[:, :, None, None, None, None]
    lowest, highest = values[0], values[-1]
    result = _ramp(image, lowest, highest).mul_(0.5)
    for number in range(len(_KNOTS) - 1):
        share = (_KNOTS[number + 1] - _KNOTS[number]) / (1 - 2 * _CLIPPED)
        result.add_(_ramp(image, values[number], values[number + 1]), alpha=0.5 * share)
    result -= result.mean(dim=_SPATIAL, keepdim=True)
    return result / result.std(dim=_SPATIAL, keepdim=True).clamp(min=1e-6)


@functools.cache
def _knots(device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Return the quantiles on device; copying them there in each call would wait for the device."""
    return torch.tensor(_KNOTS, device=device, dtype=dtype)


def _ramp(image: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Return 0 below low, 1 above high, and linear in between."""
    return (image - low).div_((high - low).clamp(min=1e-12)).clamp_(0, 1)
