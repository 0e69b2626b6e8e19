"""One encoder stage: ghost convolution, FiLM, texture routing, squeeze-excitation."""

from __future__ import annotations

from torch import Tensor, nn

from LightMedSegLib.network.configuration import NetworkConfiguration
from LightMedSegLib.network.film import AnchorFiLM
from LightMedSegLib.network.layers.ghost import GhostConvolution
from LightMedSegLib.network.layers.squeeze_excitation import SqueezeExcitation
from LightMedSegLib.network.texture_routing import TextureRouting


class EncoderStage(nn.Module):
    """(B, in, z, y, x) -> (B, out, z, y, x), given the anchors and the texture map at this resolution.

    Pooling between stages belongs to the network, since the skip router reads the unpooled output.
    """

    def __init__(self, in_channels: int, out_channels: int, configuration: NetworkConfiguration):
        super().__init__()
        groups = configuration.groups
        self.convolution = GhostConvolution(in_channels, out_channels, groups=groups, ghost=configuration.ghost)
        self.film = AnchorFiLM(out_channels, configuration.anchors) if configuration.film else None
        self.routing = TextureRouting(out_channels, groups) if configuration.texture_routing else None
        self.attention = SqueezeExcitation(out_channels, configuration.squeeze_ratio)

    def forward(self, x: Tensor, anchors: Tensor, texture: Tensor) -> Tensor:
        """Return the stage's features at the resolution of x."""
        x = self.convolution(x)
        if self.film is not None:
            x = self.film(x, anchors)
        if self.routing is not None:
            x = self.routing(x, texture)
        return self.attention(x)
