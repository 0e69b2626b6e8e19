"""What edges say of every sample of a batch, as a session computes it for its window."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.core.errors import first_line
from LightMedSegLib.interaction.edges import Walk, walk_from_stroke, walk_to_new
from LightMedSegLib.interaction.prompt_values import NEWEST
from LightMedSegLib.interaction.random_walk import PLAIN, Steps, random_walk
from LightMedSegLib.network.cuda.compilation import ROUNDED_LIKE_PLAIN
from LightMedSegLib.training.acceleration.step import compile_in_private


class BatchWalks:
    """The random walks of batches. compiled: compile their steps where the device has Triton."""

    def __init__(self, device: torch.device, compiled: bool = False) -> None:
        self._steps = PLAIN
        if compiled and device.type == "cuda" and importlib.util.find_spec("triton") is not None:
            compile_in_private()
            settings: dict[str, Any] = {"options": ROUNDED_LIKE_PLAIN, "dynamic": False}
            self._steps = Steps(torch.compile(PLAIN.ahead_of, **settings), torch.compile(PLAIN.moved, **settings))

    def __call__(
        self,
        image: torch.Tensor,
        mask: torch.Tensor,
        include: torch.Tensor,
        exclude: torch.Tensor,
        drawn: torch.Tensor,
        within: torch.Tensor,
        corrects: NDArray[np.bool_],
    ) -> torch.Tensor:
        """Return the probability (B, 1, z, y, x) by edges alone.

        The tensors are as in edges.py; corrects (B,): samples whose mask is under correction.
        """
        fresh, corrected = ([int(n) for n in np.flatnonzero(chosen)] for chosen in (~corrects, corrects))
        parts: list[Walk] = []
        # Each sample by itself is a view, without a copy of its number to the device.
        if fresh:
            parts.append(walk_to_new(*(_chosen(one, fresh) for one in (image, include, exclude, within))))
        if corrected:
            parts.append(walk_from_stroke(*(_chosen(one, corrected) for one in (image, mask, include, exclude, drawn))))
        walk = Walk(*(torch.cat(arrays) for arrays in zip(*parts, strict=True)))
        order = np.argsort(fresh + corrected).tolist()
        found = _chosen(self._walked(walk), order)
        erased = (exclude >= NEWEST).flatten(1).any(dim=1)
        reverse = erased & _flags(corrects, image.device)
        return torch.where(reverse[:, None, None, None, None], 1 - found, found)

    def _walked(self, walk: Walk) -> torch.Tensor:
        try:
            return random_walk(*walk, steps=self._steps)
        except Exception as error:  # compilers fail in many ways; the plain steps do the same
            if self._steps is PLAIN:
                raise
            warnings.warn(f"The steps of the random walk cannot be compiled: {first_line(error)}", stacklevel=2)
            self._steps = PLAIN
            return random_walk(*walk)


def _chosen(batch: torch.Tensor, numbers: list[int]) -> torch.Tensor:
    return torch.stack([batch[n] for n in numbers])


def _flags(values: NDArray[np.bool_], device: torch.device) -> torch.Tensor:
    flags = torch.from_numpy(values)
    return flags.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else flags
