"""Anchor-conditioned FiLM: the anchors scale and shift every feature channel."""

from __future__ import annotations

from torch import Tensor, nn


class AnchorFiLM(nn.Module):
    """(B, C, z, y, x) and anchors (B, K, 3) -> (1 + gamma) x + beta, of the shape of x.

    gamma and beta are linear in the 3K anchor coordinates (relative to the middle of the volume),
    one pair per channel. They start at zero: an untrained block changes nothing.

    Source: "anchor-conditioned FiLM" of the abstract, after Perez et al. 2018. A single linear
    layer per stage is our choice; it keeps the block under 2C(3K + 1) parameters.
    """

    def __init__(self, channels: int, anchors: int):
        super().__init__()
        self.modulation = nn.Linear(3 * anchors, 2 * channels)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, anchors: Tensor) -> Tensor:
        """Return x modulated per channel."""
        gamma, beta = self.modulation(anchors.flatten(1) - 0.5).to(x.dtype)[:, :, None, None, None].chunk(2, dim=1)
        return x * (1 + gamma) + beta
