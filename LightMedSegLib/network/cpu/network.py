"""The complete network in its fast implementation."""

from __future__ import annotations

import copy
import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.core.labels import Swaps
from LightMedSegLib.core.pass_steps import PassSteps
from LightMedSegLib.network.backend import Sink, Step
from LightMedSegLib.network.cpu.convolution import LAST
from LightMedSegLib.network.cpu.decoder import FastDecoderStage
from LightMedSegLib.network.cpu.encoder import FastEncoderStage, FastStructuralPrior, find_anchors
from LightMedSegLib.network.cpu.ghost import FastGhost
from LightMedSegLib.network.cpu.head import FastSubvoxelHead
from LightMedSegLib.network.cpu.memory import Workspace, allocate
from LightMedSegLib.network.cpu.router import FastDirectSkip, FastRouter, halved
from LightMedSegLib.network.decoder import DecoderStage
from LightMedSegLib.network.encoder import EncoderStage
from LightMedSegLib.network.layers.subvoxel import space_to_depth
from LightMedSegLib.network.lightmedseg import LightMedSeg
from LightMedSegLib.network.skip_router import SkipRouter


class FastLightMedSeg(nn.Module):
    """A trained LightMedSeg on the processor, for inference: (B, channels, z, y, x) -> logits (B, classes, z, y, x).

    A backend (see LightMedSegLib.network.backend) that streams.

    Reads the weights once; a network that is trained on needs a new one. Not for several threads at once, because
    its memory is reused: see with_own_memory.

    Args:
        network: on the processor; it is not changed.
        convolution_dtype: of the dense 3x3x3 convolutions between stem and head, which are most multiply-adds.
            torch.bfloat16 is faster where the processor multiplies it; all else stays float32, as rounding the
            first and last layers, or what lies between, changes ten times as many labels.
    """

    same_batch = False
    explanation = ""

    def __init__(self, network: LightMedSeg, convolution_dtype: torch.dtype = torch.float32):
        super().__init__()
        self.total_stride = network.total_stride
        self.num_classes = network.num_classes
        network = copy.deepcopy(network).float().eval().requires_grad_(False)
        self.network = network
        self.steps = PassSteps()
        self._workspace = Workspace()
        self._logits: Tensor | None = None
        self._stem = FastGhost(network.stem)
        prior = network.structural_prior
        self._prior = None if prior is None else FastStructuralPrior(prior)
        self._encoder = [FastEncoderStage(cast(EncoderStage, stage), convolution_dtype) for stage in network.encoder]
        self._decoder = [
            FastDecoderStage(cast(DecoderStage, stage), _skip(network, index), convolution_dtype)
            for index, stage in enumerate(network.decoder)
        ]
        self._head = FastSubvoxelHead(network.head)

    def forward(self, x: Tensor, out: Tensor | None = None, checkpoint: Step | None = None) -> Tensor:
        """The logits, float32, channels-last.

        out: a channels-last tensor for them. checkpoint: called every few milliseconds; it may raise to stop.
        Raises ValueError as LightMedSeg does.
        """
        self.network.check_input(x)
        if out is None:
            out = logits_memory(x, self.num_classes)
        for item, logits in zip(x.split(1), out.split(1), strict=True):
            self._run(item, _nothing, checkpoint, out=logits.permute(0, 2, 3, 4, 1)[0])
        return out

    def logits(self, x: Tensor, step: Step) -> Tensor:
        """The logits, in memory that the next call uses again; see forward."""
        shape = (len(x), self.num_classes, *x.shape[2:])
        if self._logits is None or self._logits.shape != shape:
            self._logits = logits_memory(x, self.num_classes)
        logits: Tensor = self(x, self._logits, step)
        return logits

    def stream(self, x: Tensor, sink: Sink, step: Step | None = None, swaps: Swaps = ()) -> None:
        """Hand the logits of one volume x (1, channels, z, y, x) to sink a few planes at a time; see forward.

        Memory for all of them, which is the largest tensor of a pass, is never needed. swaps: see StreamingBackend.
        """
        self.network.check_input(x)
        self._run(x, sink, step, swaps=swaps)

    def with_own_memory(self) -> FastLightMedSeg:
        """Return a network that shares the weights and has memory of its own, for another thread."""
        other = copy.copy(self)
        other.steps, other._workspace, other._logits = PassSteps(), Workspace(), None
        return other

    def _run(
        self, x: Tensor, sink: Sink, checkpoint: Step | None, out: Tensor | None = None, swaps: Swaps = ()
    ) -> None:
        if checkpoint is not None:
            self._workspace.checkpoint = checkpoint
        try:
            with torch.inference_mode():
                self._label(x.float(), sink, out, swaps)
        finally:
            self._workspace.checkpoint = _go_on

    def end_volume(self) -> None:
        """Give the memory between layers and that of logits back, which otherwise stays for the next window."""
        self._workspace.clear()
        self._logits = None

    def release(self) -> None:
        """Give all memory back that is kept."""
        self.end_volume()

    def _label(self, image: Tensor, sink: Sink, out: Tensor | None, swaps: Swaps) -> None:
        workspace = self._workspace
        blocks = space_to_depth(image).contiguous(memory_format=LAST)
        stem, sums = self._stem(blocks, "stem", workspace)
        normalise = sums.group_affine(self._stem.norm)
        for first, last in workspace.slabs(stem):
            part = stem[:, :, first:last]
            normalise(part, out=part)
        detector = self.network.anchor_detector
        anchors = self.network.find_anchors(stem) if detector is None else find_anchors(detector, stem)
        features, texture = (stem, None) if self._prior is None else self._prior(stem, workspace)
        pyramid, scales = self._encode(features, anchors, texture)
        features, scale = pyramid[0][-1], scales[-1]
        for stage in self._decoder:
            skip = stage.skip(pyramid[stage.skip.level], scales, anchors, workspace)
            features, scale = stage(features, scale, skip, anchors, workspace)
        self._head(features, scale, stem, workspace, sink, out, swaps)

    def _encode(
        self, features: Tensor, anchors: Tensor, texture: Tensor | None
    ) -> tuple[list[list[Tensor]], list[Tensor]]:
        """Return features of all scales for every level, finer ones averaged to its resolution, and the scales (C,)."""
        finest: list[Tensor] = []
        scales: list[Tensor] = []
        for index, stage in enumerate(self._encoder):
            if index:
                features = functional.max_pool3d(features, 2)
                texture = None if texture is None else halved(texture)
            size = features.shape[2:]
            here = features.new_full((), 0.5).expand(1, 1, *size) if texture is None else texture
            features, scale = stage(
                features, scales[-1] if scales else None, anchors, here, f"scale {index}", self._workspace
            )
            finest.append(features)
            scales.append(scale)
        levels = [finest]
        for level in range(1, len(finest) - 1):
            levels.append([*(halved(x) for x in levels[-1][:level]), *finest[level:]])
        return levels, scales


def logits_memory(x: Tensor, num_classes: int) -> Tensor:
    """Uninitialised memory for the logits of x, channels-last."""
    shape = (len(x), *x.shape[2:], num_classes)
    return allocate(math.prod(shape)).view(shape).permute(0, 4, 1, 2, 3)


def accelerate(network: nn.Module, convolution_dtype: torch.dtype = torch.float32) -> nn.Module:
    """A module that computes what network computes, faster on a processor; network itself if none is known."""
    return FastLightMedSeg(network, convolution_dtype) if isinstance(network, LightMedSeg) else network


def _skip(network: LightMedSeg, index: int) -> FastRouter | FastDirectSkip:
    fuse = cast(DecoderStage, network.decoder[index]).fuse
    projections = [cast(nn.Conv3d, layer) for layer in network.projection.projections]
    level = len(network.decoder) - 1 - index
    if network.routers is None:
        return FastDirectSkip(projections[level], fuse, level)
    return FastRouter(cast(SkipRouter, network.routers[index]), projections, fuse, level)


def _nothing(first: int, planes: Tensor) -> None:
    pass


def _go_on() -> None:
    pass
