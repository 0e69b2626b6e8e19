"""Segmenting prepared cases on the model grid, on the training device, without geometry or files.

This is the quick path for validation during training. The figures in a model card come from the full
inference engine; on a model grid equal to the scan's own grid the two agree.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as functional

from LightMedSegLib.inference.windows import Shape, gaussian_weights, padding_before, plan_windows
from LightMedSegLib.learning.configuration import AXES


def predict_labels(
    network: torch.nn.Module,
    images: Sequence[torch.Tensor],
    patch: Shape,
    batch: int = 16,
    overlap: float = 0.5,
    mirror_axes: Sequence[str] = (),
) -> Iterator[torch.Tensor]:
    """Labels uint8 (z, y, x) of each image (C, z, y, x), in order; windows of several images share a batch."""
    padded = [pad_to_patch(image.float(), patch) for image in images]
    windows = [
        (number, start) for number, image in enumerate(padded) for start in plan_windows(_size(image), patch, overlap)
    ]
    last = {number: place for place, (number, _) in enumerate(windows)}
    weight = torch.from_numpy(gaussian_weights(patch)).to(padded[0].device)
    sums: dict[int, torch.Tensor] = {}
    for first in range(0, len(windows), batch):
        part = windows[first : first + batch]
        crops = torch.stack([_crop(padded[number], start, patch) for number, start in part])
        probability = mirrored_probability(network, crops, mirror_axes) * weight
        for place, (number, start) in enumerate(part):
            if number not in sums:
                sums[number] = probability.new_zeros((probability.shape[1], *padded[number].shape[1:]))
            _crop(sums[number], start, patch).add_(probability[place])
            if last[number] == first + place:
                labels = sums.pop(number).argmax(dim=0, keepdim=True)
                size = _size(images[number])
                yield _crop(labels, padding_before(size, _size(labels)), size)[0].to(torch.uint8)


def mirrored_probability(network: torch.nn.Module, images: torch.Tensor, mirror_axes: Sequence[str]) -> torch.Tensor:
    """Probabilities (B, classes, z, y, x), float32, averaged over all mirrorings of the given axes."""
    dimensions = [2 + AXES.index(axis) for axis in mirror_axes]
    total = network(images).float().softmax(dim=1)
    for count in range(1, len(dimensions) + 1):
        for flipped in itertools.combinations(dimensions, count):
            total = total + network(images.flip(flipped)).float().softmax(dim=1).flip(flipped)
    return total / 2 ** len(dimensions)


def pad_to_patch(image: torch.Tensor, patch: Shape) -> torch.Tensor:
    """Image (C, z, y, x) with its border repeated until it is at least a patch large, as the inference engine pads."""
    size = _size(image)
    wanted: Shape = (max(size[0], patch[0]), max(size[1], patch[1]), max(size[2], patch[2]))
    before = padding_before(size, wanted)
    widths: list[int] = []
    for axis in (2, 1, 0):
        widths += [before[axis], wanted[axis] - size[axis] - before[axis]]
    return functional.pad(image[None], widths, mode="replicate")[0]


def _size(image: torch.Tensor) -> Shape:
    _, z, y, x = image.shape
    return z, y, x


def _crop(image: torch.Tensor, start: Shape, size: Shape) -> torch.Tensor:
    (z, y, x), (depth, height, width) = start, size
    return image[:, z : z + depth, y : y + height, x : x + width]
