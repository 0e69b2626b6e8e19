"""Anchors, structural prior and encoder stages, slab by slab."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from LightMedSegLib.network.anchors import AnchorDetector, expected_positions
from LightMedSegLib.network.cpu.channels import ChannelAffine, ChannelMeans, ChannelSums
from LightMedSegLib.network.cpu.convolution import convolve, convolve_planes, packed
from LightMedSegLib.network.cpu.ghost import FastGhost
from LightMedSegLib.network.cpu.memory import Workspace
from LightMedSegLib.network.encoder import EncoderStage
from LightMedSegLib.network.structural_prior import StructuralPrior


def find_anchors(module: AnchorDetector, x: Tensor) -> Tensor:
    """AnchorDetector."""
    reduced = convolve(x, module.reduce.weight, padding=(1, 1, 1), stride=(2, 2, 2))
    sums = ChannelSums(reduced.shape[1])
    sums.add(reduced)
    hidden = functional.silu(sums.group_affine(module.norm)(reduced, out=reduced), inplace=True)
    return expected_positions(convolve(hidden, module.heat.weight, module.heat.bias))


class FastStructuralPrior:
    """StructuralPrior: one depthwise high-pass kernel, and projections of x + second and first - second."""

    def __init__(self, module: StructuralPrior):
        texture, first, second = module.texture, module.first, module.second
        assert first.bias is not None and second.bias is not None and module.gate.bias is not None
        channels, self._border = first.out_channels, texture.kernel // 2
        taps = texture.taps.softmax(dim=1)
        taps[:, taps.shape[1] // 2] -= 1
        high_pass = taps.view(channels, 1, texture.kernel, texture.kernel, texture.kernel)
        self._high_pass = packed(high_pass, groups=channels)
        self._gain = packed(functional.softplus(texture.gain).view(1, -1, 1, 1, 1))
        self._threshold = -texture.threshold
        self._gate = packed(module.gate.weight[:, :-1].contiguous()), module.gate.bias
        self._gate_of_texture = float(module.gate.weight[0, -1])
        self._difference = packed(first.weight - second.weight), first.bias - second.bias
        residual = torch.eye(channels)[:, :, None, None, None]
        self._base = packed(second.weight + residual), second.bias

    def __call__(self, x: Tensor, workspace: Workspace) -> tuple[Tensor, Tensor]:
        """The mixed features and the texture map (1, 1, z, y, x)."""
        size = (x.shape[2], x.shape[3], x.shape[4])
        mixed, texture = workspace.take("second scratch", x.shape[1], size), workspace.take("texture", 1, size)
        for first, last in workspace.slabs(x):
            here = x[:, :, first:last]
            map_here = texture[:, :, first:last].copy_(self._texture(x, first, last))
            gate = convolve(here, *self._gate).add_(map_here, alpha=self._gate_of_texture).sigmoid_()
            torch.addcmul(
                convolve(here, *self._base), gate, convolve(here, *self._difference), out=mixed[:, :, first:last]
            )
        return mixed, texture

    def _texture(self, x: Tensor, first: int, last: int) -> Tensor:
        border, depth = self._border, x.shape[2]
        begin, end = max(0, first - border), min(depth, last + border)
        margins = (border, border, border, border, begin - (first - border), last + border - end)
        padded = functional.pad(x[:, :, begin:end], margins, mode="replicate")
        contrast = convolve(padded, self._high_pass, groups=x.shape[1]).abs_()
        return convolve(contrast, self._gain, self._threshold).sigmoid_()


class FastEncoderStage:
    """EncoderStage; its squeeze-excitation is handed on as a scale instead of being multiplied in."""

    def __init__(self, module: EncoderStage, dtype: torch.dtype):
        self._module = module
        self._ghost = FastGhost(module.convolution, dtype)
        self._primary = module.convolution.primary.weight
        routing = module.routing
        self._routing = None
        if routing is not None:
            assert routing.smooth.bias is not None
            kernel = routing.detail.weight
            self._routing = packed(kernel, groups=kernel.shape[0]), routing.norm
            self._smooth = packed(routing.smooth.weight), routing.smooth.bias

    def __call__(
        self, x: Tensor, scale: Tensor | None, anchors: Tensor, texture: Tensor, name: str, workspace: Workspace
    ) -> tuple[Tensor, Tensor]:
        """Features of x times scale, and their own scale (C,). name: of their memory, which stays in use."""
        weight = self._primary if scale is None else self._primary * scale.view(1, -1, 1, 1, 1)
        features, sums = self._ghost(x, name, workspace, weight)
        modulation = None
        if self._module.film is not None:
            gamma, beta = self._module.film.modulation(anchors.flatten(1) - 0.5)[0].chunk(2)
            modulation = 1 + gamma, beta
        normalise = sums.group_affine(self._ghost.norm, modulation)
        means = ChannelMeans(features.shape[1])
        if self._routing is None:
            for first, last in workspace.slabs(features):
                part = features[:, :, first:last]
                means.add(normalise(part, out=part))
        else:
            self._route(features, normalise, texture, means, workspace)
        return features, means.excitation(self._module.attention)

    def _route(
        self,
        x: Tensor,
        normalise: ChannelAffine,
        texture: Tensor,
        means: ChannelMeans,
        workspace: Workspace,
    ) -> None:
        """Normalise x and route it, in place."""
        assert self._routing is not None
        kernel, norm = self._routing
        channels, depth = x.shape[1], x.shape[2]
        detail = workspace.take("scratch", channels, (depth, x.shape[3], x.shape[4]))
        sums, done = ChannelSums(channels), 0
        for first, last in workspace.slabs(x):
            ahead = min(depth, last + 1)
            fresh = x[:, :, done:ahead]
            if ahead > done:
                normalise(fresh, out=fresh)
            done = ahead
            part = detail[:, :, first:last].copy_(convolve_planes(x, first, last, kernel, groups=channels))
            sums.add(part)
        normalise_detail = sums.group_affine(norm)
        for first, last in workspace.slabs(x):
            part = x[:, :, first:last]
            sharp = functional.silu(normalise_detail(detail[:, :, first:last]), inplace=True)
            part.add_(convolve(part, *self._smooth).lerp_(sharp, texture[:, :, first:last]))
            means.add(part)
