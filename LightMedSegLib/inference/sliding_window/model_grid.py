"""What a network sees in volumes that lie on the model grid already, without geometry or files.

It goes over them as the engine does, by the same windows and the same mean of their logits: on a model grid equal to a
volume's own the labels are the engine's. Two things only the engine does: it leaves out windows of nothing but air,
which its intensities before normalisation show, and it may look for the structures on larger voxels first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from LightMedSegLib.inference.sliding_window.aggregation import Aggregation, mirror_flips, mirrored_mean, padded
from LightMedSegLib.inference.sliding_window.windows import Layout, Shape, WindowRule, place_of, plan_layout
from LightMedSegLib.network.memory_format import fastest_format

Network = Callable[[torch.Tensor], torch.Tensor]
"""(B, channels, z, y, x) to logits (B, classes, z, y, x)."""


def predict_labels(
    network: Network, images: Iterable[torch.Tensor], rule: WindowRule, batch: int = 1, mirror: Sequence[str] = ()
) -> Iterator[torch.Tensor]:
    """Labels uint8 (z, y, x) of each image (channels, z, y, x), in order; see predict_logits."""
    return _predict(network, images, rule, batch, mirror, lambda plane: plane.argmax(dim=-1).to(torch.uint8))


def predict_logits(
    network: Network, images: Iterable[torch.Tensor], rule: WindowRule, batch: int = 1, mirror: Sequence[str] = ()
) -> Iterator[torch.Tensor]:
    """Logits (z, y, x, classes), float32, of each image (channels, z, y, x), in order.

    batch: windows that the network gets at a time, which may be those of several images.
    mirror: axes ("x", "y", "z") whose mirror images are averaged in.
    """
    return _predict(network, images, rule, batch, mirror, lambda plane: plane)


@dataclass(frozen=True)
class _Window:
    """One window of an image: the last one completes it."""

    layout: Layout
    start: Shape
    voxels: torch.Tensor

    @property
    def shifts(self) -> Shape:
        return self.layout.mirror_shifts

    def fits(self, other: _Window) -> bool:
        """Whether both can be seen in one batch."""
        return (self.layout.window, self.shifts) == (other.layout.window, other.shifts)

    @property
    def last(self) -> bool:
        return self.start == self.layout.starts[-1]


@torch.no_grad()
def _predict(
    network: Network,
    images: Iterable[torch.Tensor],
    rule: WindowRule,
    batch: int,
    mirror: Sequence[str],
    kept: Callable[[torch.Tensor], torch.Tensor],
) -> Iterator[torch.Tensor]:
    """For each image, kept() applied to every plane of the logits (y, x, classes)."""
    flips = mirror_flips(mirror, rule.swaps)
    planes: list[torch.Tensor] = []

    def keep(finished: Iterable[tuple[int, torch.Tensor]]) -> None:
        planes.extend(kept(plane) for _, plane in finished)

    aggregation: Aggregation | None = None
    for part in _batches(images, rule, batch):
        # As in the engine: another order of the same sums would decide close calls the other way.
        x = torch.stack([window.voxels for window in part])
        x = x.contiguous(memory_format=fastest_format(x.device))
        every_logits = mirrored_mean(lambda image, _: network(image).float(), x, flips, part[0].shifts)
        for window, logits in zip(part, every_logits, strict=True):
            aggregation = aggregation or Aggregation(window.layout, keep)
            aggregation.add(window.start, 0, logits.permute(1, 2, 3, 0))
            if window.last:
                aggregation.end()
                yield torch.stack(planes)[window.layout.inside]
                planes.clear()
                aggregation = None


def _batches(images: Iterable[torch.Tensor], rule: WindowRule, batch: int) -> Iterator[list[_Window]]:
    """The windows of all images, in order, up to batch of the same size at a time."""
    waiting: list[_Window] = []
    for window in _windows(images, rule):
        if waiting and (len(waiting) == batch or not waiting[0].fits(window)):
            yield waiting
            waiting = []
        waiting.append(window)
    if waiting:
        yield waiting


def _windows(images: Iterable[torch.Tensor], rule: WindowRule) -> Iterator[_Window]:
    for image in images:
        _, z, y, x = image.shape
        layout = plan_layout((z, y, x), rule)
        volume = padded(image[None].float(), layout)[0]
        for start in layout.starts:
            yield _Window(layout, start, volume[(slice(None), *place_of(start, layout.window))])
