"""The forward and backward pass of a training step as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import nn

from LightMedSegLib.network.cuda.compilation import ROUNDED_LIKE_PLAIN

RecordedStep = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def record_step(
    network: nn.Module,
    loss: nn.Module,
    images_shape: Sequence[int],
    bf16: bool,
    device: torch.device,
    compiled: bool = False,
) -> RecordedStep:
    """Return network and loss as a CUDA graph for images of images_shape (B, C, z, y, x).

    The result maps images, labels (B, z, y, x) and labelled (B, classes) to the loss and the finest logits.
    A light network launches some thousand small kernels a step, and launching them takes longer than
    running them: a CUDA graph avoids this. The numbers are the same; only the shape is fixed.

    compiled: let torch.compile fuse the kernels first, which takes a minute or two and saves about a third of a step;
    the numbers then differ by rounding. The network must not have been trained by a step outside the CUDA graph.
    """
    step: nn.Module = _Step(network, loss, bf16)
    if compiled:
        step = cast(nn.Module, torch.compile(step, dynamic=False, options=ROUNDED_LIKE_PLAIN))
    return cast(RecordedStep, torch.cuda.make_graphed_callables(step, step_sample(images_shape, loss, device)))


def step_sample(
    images_shape: Sequence[int], loss: nn.Module, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return random images, labels and labelled in the shapes that the CUDA graph takes."""
    batch, _, *size = images_shape
    classes = loss.class_weights.numel() if isinstance(loss.class_weights, torch.Tensor) else 2
    return (
        torch.randn(*images_shape, device=device),
        torch.randint(0, classes, (batch, *size), device=device),
        torch.ones((batch, classes), dtype=torch.bool, device=device),
    )


class _Step(nn.Module):
    """Network and loss as one module: capture replaces a module's forward, and evaluation needs the network's own."""

    def __init__(self, network: nn.Module, loss: nn.Module, bf16: bool) -> None:
        super().__init__()
        self.network, self.loss, self._bf16 = network, loss, bf16

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, labelled: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # A cached cast of a weight would be captured as a constant, outdated after the first optimizer step.
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=self._bf16, cache_enabled=False):
            logits = self.network(images)
        return self.loss(logits, labels, labelled), logits if isinstance(logits, torch.Tensor) else logits[0]
