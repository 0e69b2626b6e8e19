"""Random numbers of one batch, one row per sample, always drawn on the generator's device."""

from __future__ import annotations

import math

import torch


def uniform(generator: torch.Generator, batch: int, low: float, high: float, columns: int = 1) -> torch.Tensor:
    """Uniform numbers (batch, columns) in [low, high)."""
    return torch.rand((batch, columns), generator=generator, device=generator.device) * (high - low) + low


def log_uniform(generator: torch.Generator, batch: int, low: float, high: float, columns: int = 1) -> torch.Tensor:
    """Numbers (batch, columns) between low and high, as likely to halve as to double."""
    return uniform(generator, batch, math.log(low), math.log(high), columns).exp()


def normal(generator: torch.Generator, batch: int, sigma: float, columns: int = 1) -> torch.Tensor:
    """Normal numbers (batch, columns) of standard deviation sigma around zero."""
    return torch.randn((batch, columns), generator=generator, device=generator.device) * sigma


def chosen(generator: torch.Generator, batch: int, probability: float, columns: int = 1) -> torch.Tensor:
    """Booleans (batch, columns) that are True with the given probability."""
    return torch.rand((batch, columns), generator=generator, device=generator.device) < probability


def per_sample(values: torch.Tensor) -> torch.Tensor:
    """Values (batch, 1) as (batch, 1, 1, 1, 1), to broadcast over a batch of volumes."""
    return values.reshape(-1, 1, 1, 1, 1)
