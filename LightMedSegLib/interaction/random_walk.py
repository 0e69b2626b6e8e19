"""The random walker: which voxels a random walk that avoids edges joins to the object's seeds first."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

BETA = 1000.0
"""How much an edge hinders the walk: its weight is exp(-BETA d^2), d a difference of brightness, of 0 to 1."""

STEPS = 60
"""Steps of conjugate gradients. What is more steps than this from every seed of the object is not reached."""

_LEAST_WEIGHT = 1e-4
_TINY = 1e-20
_AXES = (2, 3, 4)


Links = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Weight of the link from each voxel to the next one along z, y and x; the last voxel of a line has none."""


def ahead_of(direction: torch.Tensor, links: Links) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the system, whose diagonal is 1, times direction (B, 1, z, y, x), and each sample's product of both."""
    ahead = _neighbours(direction, links).neg_().add_(direction)
    return ahead, _dot(direction, ahead)


def moved(
    found: torch.Tensor, residual: torch.Tensor, direction: torch.Tensor, ahead: torch.Tensor, length: torch.Tensor
) -> torch.Tensor:
    """Go a length along direction, in place, and return the power: each sample's sum of squares of the residual.

    found: the solution so far; residual: what is wrong with it; both as direction. length: (B, 1, 1, 1, 1).
    """
    found.addcmul_(direction, length)
    residual.addcmul_(ahead, length, value=-1.0)
    return _dot(residual, residual)


class Steps(NamedTuple):
    """The two halves of a step of conjugate gradients, plain or compiled; in one piece they do not compile."""

    ahead_of: Callable[[torch.Tensor, Links], tuple[torch.Tensor, torch.Tensor]] = ahead_of
    moved: Callable[..., torch.Tensor] = moved


PLAIN = Steps()


def random_walk(
    brightness: torch.Tensor,
    inside: torch.Tensor,
    outside: torch.Tensor,
    within: torch.Tensor,
    steps: Steps = PLAIN,
) -> torch.Tensor:
    """Return the probability that a walk from a voxel reaches a voxel of inside before one of outside.

    brightness: float32, 0 to 1; inside, outside, within: bool; all are (B, 1, z, y, x), and so is the result. A walk
    stays in within; beyond it the probability is 0. Voxels of both kinds count as inside. steps: PLAIN, or a
    compiled form of it.

    Solves Grady's linear system (IEEE PAMI 28, 2006) by conjugate gradients with the diagonal as preconditioner. The
    number of steps is fixed, so nothing waits for the device; the exact solution would leak farther through gaps.
    """
    known = (inside & within).to(brightness.dtype)
    weights = _weights(brightness, within.to(brightness.dtype))
    degree = _neighbours(torch.ones_like(brightness), weights)
    free = within & ~inside & ~outside & (degree > 0)
    # In units in which the diagonal of the system is 1; 0 at seeds, which thereby stay as they are.
    unit = torch.where(free, degree.clamp(min=_TINY).rsqrt(), 0.0)
    links = (weights[0] * unit * _next(unit, 2), weights[1] * unit * _next(unit, 3), weights[2] * unit * _next(unit, 4))
    residual = unit * _neighbours(known, weights)
    found, direction, power = torch.zeros_like(residual), residual.clone(), _dot(residual, residual)
    for _ in range(STEPS):
        ahead, product = steps.ahead_of(direction, links)
        before, power = power, steps.moved(found, residual, direction, ahead, power / product.clamp(min=_TINY))
        direction.mul_(power / before.clamp(min=_TINY)).add_(residual)
    return torch.where(free, unit * found, known).clamp(0, 1)


def _weights(brightness: torch.Tensor, valid: torch.Tensor) -> Links:
    found = []
    for axis in _AXES:
        change = _next(brightness, axis) - brightness
        found.append(((-BETA * change.square()).exp() + _LEAST_WEIGHT) * valid * _next(valid, axis))
    return found[0], found[1], found[2]


def _next(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the value of the next voxel along axis, 0 for the last one."""
    line = values.narrow(axis, 1, values.shape[axis] - 1)
    return torch.cat([line, torch.zeros_like(values.narrow(axis, 0, 1))], dim=axis)


def _neighbours(values: torch.Tensor, weights: Links) -> torch.Tensor:
    """Return the weighted sum of the six neighbours of each voxel."""
    result = torch.zeros_like(values)
    for axis, weight in zip(_AXES, weights, strict=True):
        count = values.shape[axis] - 1
        link = weight.narrow(axis, 0, count)
        result.narrow(axis, 0, count).addcmul_(link, values.narrow(axis, 1, count))
        result.narrow(axis, 1, count).addcmul_(link, values.narrow(axis, 0, count))
    return result


def _dot(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (one * other).sum(dim=(1, *_AXES), keepdim=True)
