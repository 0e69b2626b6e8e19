"""The simulated user: one prompt for each sample, in the deepest error of its mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from LightMedSegLib.interaction.encoding import aged
from LightMedSegLib.interaction.prompt_values import NEWEST, POINT_RADIUS
from LightMedSegLib.learning.augmentation.random_values import chosen, uniform

_DEEPEST = 10
_FAR = -100.0
_PROMPTED = 20.0
_POINTS = 0.3
"""Share of the prompts that are points."""
_SMALLEST_RADIUS = 0.9
"""Of a point as it is drawn: the eight voxels around a place between voxels."""


@dataclass(frozen=True)
class Prompts:
    """The prompts so far.

    include, exclude: float32 (B, 1, z, y, x). drawn: bool (B, 1, z, y, x), the newest stroke itself, which can be
    smaller than the ball that stands for it. added: bool (B,), whether the newest includes.
    """

    include: torch.Tensor
    exclude: torch.Tensor
    drawn: torch.Tensor
    added: torch.Tensor


class SimulatedUser:
    """Prompts in windows of one size.

    careful: only balls in the deepest error, as in validation. points: first prompts that are points at least.
    """

    def __init__(
        self, patch: tuple[int, int, int], device: torch.device, careful: bool = False, points: float = 0.0
    ) -> None:
        self._patch, self._careful, self._points = patch, careful, points
        self._axes = [
            torch.arange(size, device=device, dtype=torch.float32).reshape([-1 if n == axis else 1 for n in range(4)])
            for axis, size in enumerate(patch, start=1)
        ]

    def __call__(
        self,
        target: torch.Tensor,
        mask: torch.Tensor,
        include: torch.Tensor,
        exclude: torch.Tensor,
        generator: torch.Generator,
    ) -> Prompts:
        """Return the prompts with one more; target, mask bool (B, 1, z, y, x)."""
        places, added = self._deepest(target, mask, include, exclude, generator)
        wanted = torch.where(added[:, None, None, None], target[:, 0], ~target[:, 0])
        error = wanted & (mask[:, 0] != target[:, 0])
        first = ~(torch.maximum(include, exclude) > 0).flatten(1).any(dim=1)
        stroke, drawn = (shape[:, None] for shape in self._stroke(places, wanted, error, first, generator))
        new_include = stroke & added[:, None, None, None, None]
        new_exclude = stroke & ~added[:, None, None, None, None]
        older_include, older_exclude = aged(include), aged(exclude)
        return Prompts(
            torch.where(new_include, NEWEST, torch.where(new_exclude, 0.0, older_include)),
            torch.where(new_exclude, NEWEST, torch.where(new_include, 0.0, older_exclude)),
            drawn,
            added,
        )

    def _deepest(
        self,
        target: torch.Tensor,
        mask: torch.Tensor,
        include: torch.Tensor,
        exclude: torch.Tensor,
        generator: torch.Generator,
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the voxel (z, y, x), each (B,), and whether it is to be included, at half resolution."""
        both = torch.cat([target & ~mask, mask & ~target], dim=1).float()
        wrong = (functional.avg_pool3d(both, 2) >= 0.5).float()
        prompted = functional.max_pool3d(torch.cat([include, exclude], dim=1), 2) > 0
        depth, inner = wrong.clone(), wrong
        for _ in range(_DEEPEST):
            inner = -functional.max_pool3d(-inner, 3, 1, 1)
            depth += inner
        batch = len(target)
        noise = torch.rand(depth.shape, generator=generator, device=depth.device)
        if not self._careful:
            # Some users do not look for the middle of the error.
            limit = torch.where(chosen(generator, batch, 0.3), 2.0, float(_DEEPEST + 1))
            depth = torch.minimum(depth, limit[:, :, None, None, None])
        thin = functional.max_pool3d(both, 2)
        inside = functional.avg_pool3d(target.float(), 2)
        score = torch.where(wrong > 0, depth, torch.where(thin > 0, 0.0, -2.0))
        rest = torch.cat([torch.where(inside > 0.5, -1.0, _FAR), torch.full_like(inside, _FAR)], dim=1)
        score = torch.where(score > -2, score, rest) + 0.99 * noise - _PROMPTED * prompted.any(dim=1, keepdim=True)
        best = score.flatten(1).argmax(dim=1)
        z, y, x = depth.shape[2:]
        voxel = best % (z * y * x)
        places = [2 * (voxel // (y * x)), 2 * (voxel // x % y), 2 * (voxel % x)]
        return places, best < z * y * x

    def _stroke(
        self,
        places: list[torch.Tensor],
        wanted: torch.Tensor,
        error: torch.Tensor,
        first: torch.Tensor,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the voxels (B, z, y, x) of a ball, a stroke in a plane, or a part of a slice, and those drawn."""
        batch = len(wanted)
        offsets = [
            axis - (place.float() + 0.5)[:, None, None, None] for axis, place in zip(self._axes, places, strict=True)
        ]
        square = offsets[0].square() + offsets[1].square() + offsets[2].square()
        point = square <= (POINT_RADIUS + 0.3) ** 2
        dot = square <= _SMALLEST_RADIUS**2
        if self._careful:
            return point, dot
        shape = (-1, 1, 1, 1)
        kind = uniform(generator, batch, 0, 1)
        plain = first[:, None] & chosen(generator, batch, self._points)
        kind = torch.where(plain, 0.1 + 0.2 * kind, kind).reshape(shape)
        radius = uniform(generator, batch, 1.2, 4.0).reshape(shape)
        # The direction lies in a plane of two axes.
        normal_axis = torch.randint(3, (batch, 1), generator=generator, device=wanted.device)
        along = torch.randn((batch, 3), generator=generator, device=wanted.device)
        in_plane = torch.arange(3, device=wanted.device)[None] != normal_axis
        along = functional.normalize(along * in_plane, dim=1)
        way = offsets[0] * along[:, 0].reshape(shape) + offsets[1] * along[:, 1].reshape(shape)
        way = way + offsets[2] * along[:, 2].reshape(shape)
        ends = uniform(generator, batch, 2, 16, 2)
        nearest = torch.minimum(torch.maximum(way, -ends[:, :1].reshape(shape)), ends[:, 1:].reshape(shape))
        line = square - 2 * nearest * way + nearest.square() <= radius.square()
        across = [o.abs() * (normal_axis[:, 0] == axis).reshape(shape) for axis, o in enumerate(offsets)]
        thin = across[0] + across[1] + across[2] <= 0.6
        disc = thin & (square <= uniform(generator, batch, 5, 22).reshape(shape).square())
        outline = functional.max_pool3d((~wanted)[:, None].float(), 3, 1, 1)[:, 0] > 0
        ball = square <= torch.where(kind < _POINTS, POINT_RADIUS + 0.3, radius + 1).square()
        stroke = torch.where(kind < 0.45, ball, torch.where(kind < 0.8, line, disc & error))
        stroke = torch.where(kind < 0.92, stroke, disc & outline)
        stroke = stroke & (wanted | (kind < 0.1))
        # A disc or an outline can be empty where the error is thin; then the prompt is a point.
        missing = ~stroke.flatten(1).any(dim=1).reshape(shape)
        small = (kind < _POINTS) | missing
        middle = square <= uniform(generator, batch, _SMALLEST_RADIUS, POINT_RADIUS + 0.3).reshape(shape).square()
        stroke = stroke | (point & missing)
        return stroke, torch.where(small, (stroke & middle) | dot, stroke)


def answered(logits: torch.Tensor, mask: torch.Tensor, prompts: Prompts, corrects: torch.Tensor) -> torch.Tensor:
    """Return the masks, bool (B, 1, z, y, x), after the network's answer (B, 2, z, y, x) to the newest prompt.

    As in a person's session, a mask under correction (corrects: bool, B values) only grows by an include prompt and
    only shrinks by an exclude prompt, and the voxels of prompts are as the prompts say.
    """
    shape = (-1, 1, 1, 1, 1)
    answer = logits[:, 1:] > logits[:, :1]
    corrected = torch.where(prompts.added.reshape(shape), mask | answer, mask & answer)
    merged = torch.where(corrects.reshape(shape), corrected, answer)
    return (merged | (prompts.include > 0)) & ~(prompts.exclude > 0)
