"""The random walker: which voxels a random walk that avoids edges joins to the object's seeds first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BETA = 1000.0
"""How much an edge hinders the walk: its weight is exp(-BETA d^2), d a difference of brightness, of 0 to 1."""

_LEAST_WEIGHT = 1e-4
_TOLERANCE = 2e-2
_MOST_ITERATIONS = 120
_AXES = (0, 1, 2)


def random_walk(
    brightness: NDArray[np.float32], inside: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the probability (z, y, x) that a walk from a voxel reaches a voxel of inside before one of outside.

    brightness: 0 to 1. All are (z, y, x). Solves Grady's linear system (IEEE PAMI 28, 2006) by conjugate gradients
    with the diagonal as preconditioner. Without seeds of both kinds the probability is 1 or 0 everywhere.
    """
    import torch

    image = torch.from_numpy(np.ascontiguousarray(brightness, dtype=np.float32))
    seeds = torch.from_numpy(inside | outside)
    weights = [(-BETA * image.diff(dim=axis).square()).exp() + _LEAST_WEIGHT for axis in _AXES]
    degree = torch.zeros_like(image)
    for axis, weight in zip(_AXES, weights, strict=True):
        count = image.shape[axis] - 1
        degree.narrow(axis, 0, count).add_(weight)
        degree.narrow(axis, 1, count).add_(weight)
    free = (~seeds).float()

    def laplacian(x: torch.Tensor) -> torch.Tensor:
        result = degree * x
        for axis, weight in zip(_AXES, weights, strict=True):
            count = x.shape[axis] - 1
            result.narrow(axis, 0, count).sub_(weight * x.narrow(axis, 1, count))
            result.narrow(axis, 1, count).sub_(weight * x.narrow(axis, 0, count))
        return result

    known = torch.from_numpy(inside).float()
    x = known.clone()
    residual = -laplacian(known) * free
    inverse = free / degree.clamp(min=_LEAST_WEIGHT)
    step = inverse * residual
    direction, power = step.clone(), (residual * step).sum()
    enough = _TOLERANCE**2 * float(power)
    for _ in range(_MOST_ITERATIONS):
        if float(power) <= enough:
            break
        ahead = laplacian(direction) * free
        length = power / (direction * ahead).sum()
        x += length * direction
        residual -= length * ahead
        step = inverse * residual
        before, power = power, (residual * step).sum()
        direction = step + (power / before) * direction
    return x.clamp(0, 1).numpy()
