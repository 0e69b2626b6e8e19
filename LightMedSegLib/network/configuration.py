"""Named settings of the network and the switches of its five ideas."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class NetworkConfiguration:
    """Widths and switches of one LightMedSeg network.

    encoder_channels has one entry per encoder stage, decoder_channels one fewer, deepest first.
    The finest features are at half resolution: stem and head are sub-voxel layers. head_refinement
    adds a residual ghost convolution to the head.

    The five ideas can be turned off one by one for ablation:

    - film: anchor-conditioned feature modulation in the encoder,
    - structural_prior: texture map and gated mixing (without it routing averages its branches),
    - texture_routing: detail and smooth branch chosen by the texture map,
    - ghost: half of the channels made by a cheap depthwise convolution (else a full convolution),
    - skip_router: every decoder level reads a learned mixture of all scales (else its own scale).

    position_bias is the router's anchor-relative part and can be turned off on its own.
    deep_supervision adds training-only output layers at the coarser decoder levels; their
    parameters never belong to a packaged model.
    """

    encoder_channels: tuple[int, ...]
    decoder_channels: tuple[int, ...]
    stem_channels: int
    router_channels: int
    router_hidden: int
    anchors: int = 8
    anchor_channels: int = 32
    squeeze_ratio: int = 2
    head_refinement: bool = True
    groups: int = 4
    film: bool = True
    structural_prior: bool = True
    texture_routing: bool = True
    ghost: bool = True
    skip_router: bool = True
    position_bias: bool = True
    deep_supervision: bool = False

    def __post_init__(self) -> None:
        if len(self.encoder_channels) < 2 or len(self.decoder_channels) != len(self.encoder_channels) - 1:
            raise ValueError(
                "decoder_channels needs exactly one entry fewer than encoder_channels, and that at least two; "
                f"got {len(self.decoder_channels)} and {len(self.encoder_channels)}."
            )
        widths = (*self.encoder_channels, *self.decoder_channels, self.stem_channels)
        if any(width < 1 or width % (2 * self.groups) for width in widths):
            raise ValueError(
                f"Every width must be a positive multiple of {2 * self.groups}, so that ghost halves and the "
                f"{self.groups} groups of the normalisation come out even."
            )

    @property
    def total_stride(self) -> int:
        """Factor by which the deepest features are coarser than the input, per axis."""
        return int(2 ** len(self.encoder_channels))


CONFIGURATIONS: dict[str, NetworkConfiguration] = {
    "lightmedseg": NetworkConfiguration(
        encoder_channels=(16, 32, 80, 128),
        decoder_channels=(64, 32, 16),
        stem_channels=16,
        router_channels=24,
        router_hidden=16,
    ),
    "lightmedseg-p": NetworkConfiguration(
        encoder_channels=(8, 16, 32, 64),
        decoder_channels=(64, 64, 64),
        stem_channels=8,
        router_channels=64,
        router_hidden=64,
        head_refinement=False,
    ),
    "lightmedseg-tiny": NetworkConfiguration(
        encoder_channels=(8, 16, 32, 48),
        decoder_channels=(32, 24, 16),
        stem_channels=8,
        router_channels=16,
        router_hidden=16,
    ),
    "lightmedseg-large": NetworkConfiguration(
        encoder_channels=(32, 64, 96, 128),
        decoder_channels=(96, 64, 48),
        stem_channels=24,
        router_channels=48,
        router_hidden=48,
    ),
}


_EARLIER_SETTING = "detail_channels"


def network_configuration(name: str, overrides: dict[str, Any]) -> NetworkConfiguration:
    """The named configuration with some fields replaced.

    Raises ValueError for an unknown name or field, with the names that exist.
    """
    if name not in CONFIGURATIONS:
        raise ValueError(f"Unknown network {name!r}; known networks are {', '.join(sorted(CONFIGURATIONS))}.")
    if _EARLIER_SETTING in overrides:
        raise ValueError(
            "its weights belong to an earlier form of the network, which computed at full resolution; "
            "train the model again, or use a newer version of it"
        )
    known = {field.name for field in fields(NetworkConfiguration)}
    unknown = sorted(set(overrides) - known)
    if unknown:
        raise ValueError(f"Network {name!r} has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}.")
    tupled: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in overrides.items()
    }
    return replace(CONFIGURATIONS[name], **tupled)


def configuration_as_dict(configuration: NetworkConfiguration) -> dict[str, Any]:
    """The configuration as plain values, for a model card."""
    return asdict(configuration)
