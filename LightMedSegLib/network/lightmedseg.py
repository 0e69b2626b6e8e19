"""The LightMedSeg network, put together from its blocks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.anchors import AnchorDetector
from LightMedSegLib.network.configuration import NetworkConfiguration
from LightMedSegLib.network.decoder import DecoderStage
from LightMedSegLib.network.encoder import EncoderStage
from LightMedSegLib.network.head import SubvoxelHead
from LightMedSegLib.network.layers.ghost import GhostConvolution
from LightMedSegLib.network.layers.subvoxel import space_to_depth
from LightMedSegLib.network.skip_router import ScaleProjection, SkipRouter
from LightMedSegLib.network.structural_prior import StructuralPrior


class LightMedSeg(nn.Module):
    """(B, in_channels, z, y, x) -> logits (B, num_classes, z, y, x); each size a multiple of total_stride.

    Source: Tyagi, Rathi, Goyal 2026, arXiv 2603.07228 (abstract): a UNet-style network with learned
    anchors, anchor-conditioned FiLM, a local structural prior, texture-aware routing, ghost and
    depthwise convolutions and a learned skip router. Each block's docstring says what the abstract
    leaves open and what we chose.

    Nothing is computed at full resolution: the stem reads 2x2x2 blocks of voxels as channels, the head
    writes the logits of such blocks.

    Anchors, squeeze-excitation and group normalisation look at the whole input: a whole volume and
    a window of it are different inputs, also where they overlap.

    In training mode with deep supervision the output is a list of logits, from full resolution to
    the coarsest decoder level, each half the size of the one before.
    """

    def __init__(self, in_channels: int, num_classes: int, configuration: NetworkConfiguration):
        super().__init__()
        c = configuration
        self.configuration = c
        self.total_stride = c.total_stride
        self.in_channels = in_channels
        self.num_classes = num_classes
        self.deep_supervision = c.deep_supervision

        self.stem = GhostConvolution(8 * in_channels, c.stem_channels, groups=c.groups, ghost=c.ghost)
        uses_anchors = c.film or c.position_bias
        self.anchor_detector = (
            AnchorDetector(c.stem_channels, c.anchors, c.anchor_channels, c.groups) if uses_anchors else None
        )
        self.structural_prior = StructuralPrior(c.stem_channels) if c.structural_prior else None
        widths = (c.stem_channels, *c.encoder_channels)
        self.encoder = nn.ModuleList(
            EncoderStage(widths[index], widths[index + 1], c) for index in range(len(c.encoder_channels))
        )
        levels = len(c.decoder_channels)
        self.routers: nn.ModuleList | None = None
        if c.skip_router:
            self.projection = ScaleProjection(c.encoder_channels, c.router_channels)
            self.routers = nn.ModuleList(
                SkipRouter(levels + 1, c.router_channels, c.router_hidden, c.anchors, c.position_bias)
                for _ in range(levels)
            )
        else:
            self.projection = ScaleProjection(c.encoder_channels[:-1], c.router_channels)
        ins = (c.encoder_channels[-1], *c.decoder_channels)
        self.decoder = nn.ModuleList(
            DecoderStage(ins[index], ins[index + 1], c.router_channels, c) for index in range(levels)
        )
        self.head = SubvoxelHead(ins[-1], c.stem_channels, num_classes, c.groups, c.ghost, c.head_refinement)
        self.auxiliary_heads = (
            nn.ModuleList(nn.Conv3d(width, num_classes, 1) for width in c.decoder_channels)
            if c.deep_supervision
            else None
        )

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Return the logits.

        Raises ValueError when x has the wrong number of channels or a size that is not a multiple of total_stride.
        """
        self.check_input(x)
        stem = self.stem(space_to_depth(x))
        features = stem
        anchors = self.find_anchors(stem)
        if self.structural_prior is not None:
            features, texture = self.structural_prior(features)
        else:
            texture = features.new_full((1, 1, 1, 1, 1), 0.5)
        scales = self._encode(features, anchors, texture)
        decoded = self._decode(scales, anchors)
        logits = self.head(decoded[-1], stem)
        if not (self.training and self.deep_supervision) or self.auxiliary_heads is None:
            return logits
        coarser = [head(x) for head, x in zip(self.auxiliary_heads, decoded, strict=True)]
        return [logits, *reversed(coarser)]

    def find_anchors(self, features: Tensor) -> Tensor:
        """Return the anchors (B, K, 3) of the stem's features; the volume's middle where no block uses anchors."""
        if self.anchor_detector is None:
            return features.new_full((features.shape[0], self.configuration.anchors, 3), 0.5)
        return self.anchor_detector(features)

    def _encode(self, features: Tensor, anchors: Tensor, texture: Tensor) -> list[Tensor]:
        scales = []
        for index, stage in enumerate(self.encoder):
            if index:
                features = functional.max_pool3d(features, 2)
                texture = functional.avg_pool3d(texture, 2) if texture.shape[2] > 1 else texture
            features = stage(features, anchors, texture)
            scales.append(features)
        return scales

    def _decode(self, scales: list[Tensor], anchors: Tensor) -> list[Tensor]:
        projected = self.projection(scales if self.routers is not None else scales[:-1])
        features, decoded = scales[-1], []
        for index, stage in enumerate(self.decoder):
            level = len(self.decoder) - 1 - index
            skip = projected[level] if self.routers is None else self.routers[index](projected, anchors, level)
            features = stage(features, skip, anchors)
            decoded.append(features)
        return decoded

    def check_input(self, x: Tensor) -> None:
        """Raise ValueError unless the network can take x."""
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise ValueError(f"The network needs (batch, {self.in_channels}, z, y, x), got {tuple(x.shape)}.")
        if any(size % self.total_stride or size == 0 for size in x.shape[2:]):
            raise ValueError(
                f"Every spatial size must be a multiple of {self.total_stride}, got {tuple(x.shape[2:])}; pad it."
            )
