"""Peer networks that the benchmarks train beside ours, by the same script on the same data.

They come from MONAI, which only the benchmarks need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from LightMedSegLib.core.errors import DependencyError

NNUNET_FILTERS = (32, 64, 128, 256)


SEGRESNET_STRIDE = 8
_SECOND_NAMES = ".skip_layers."


class SupervisedPeer(nn.Module):
    """A MONAI network with the interface of our networks: a list of logits in training, logits otherwise."""

    def __init__(self, network: nn.Module, total_stride: int, deep_supervision: bool) -> None:
        super().__init__()
        self.network = network
        self.total_stride = total_stride
        self.deep_supervision = deep_supervision

    def state_dict(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Without the second names that DynUNet has for most of its weights."""
        tensors = super().state_dict(*arguments, **options)
        return {name: value for name, value in tensors.items() if _SECOND_NAMES not in name}

    def load_state_dict(self, tensors: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As nn.Module, with or without the second names."""
        result = super().load_state_dict(tensors, strict=False, assign=assign)
        missing = [name for name in result.missing_keys if _SECOND_NAMES not in name]
        if strict and (missing or result.unexpected_keys):
            raise RuntimeError(f"weights do not fit: missing {missing}, unexpected {result.unexpected_keys}")
        return result

    def forward(self, volume: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """(B, C, z, y, x) -> logits (B, classes, z, y, x); with deep supervision in training a list of them.

        MONAI resizes all heads to full resolution, so every entry of the list has the size of the volume.
        """
        output = self.network(volume)
        if self.training and self.deep_supervision:
            return list(output.unbind(dim=1))
        return output  # type: ignore[no-any-return]


def build_peer(
    name: str,
    in_channels: int,
    num_classes: int,
    filters: Sequence[int] = NNUNET_FILTERS,
    deep_supervision: bool = True,
) -> nn.Module:
    """The peer called name with fresh weights.

    "dynunet" is MONAI's DynUNet set as nnU-Net plans it: 3x3x3 kernels, stride 2 at each level, two
    convolutions a level, instance normalisation with affine weights, leaky ReLU of slope 0.01, transposed
    convolutions, and deep supervision at all levels but the two deepest. "segresnet" is MONAI's SegResNet with its own
    defaults but 16 filters; it has no deep supervision, and filters is not used.

    Raises ValueError for another name and DependencyError without MONAI.
    """
    if name not in ("dynunet", "segresnet"):
        raise ValueError(f"there is no peer {name!r}; known are dynunet and segresnet")
    try:
        from monai.networks.nets import DynUNet, SegResNet
    except ImportError:
        raise DependencyError("Peer networks need the package monai; install it to train one.") from None
    if name == "segresnet":
        network = SegResNet(
            init_filters=16,
            in_channels=in_channels,
            out_channels=num_classes,
            blocks_down=(1, 2, 2, 4),
            blocks_up=(1, 1, 1),
        )
        return SupervisedPeer(network, SEGRESNET_STRIDE, deep_supervision=False)
    levels = len(filters)
    heads = max(1, levels - 2)
    network = DynUNet(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=num_classes,
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=list(filters),
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        deep_supervision=deep_supervision,
        deep_supr_num=heads,
    )
    return SupervisedPeer(network, 2 ** (levels - 1), deep_supervision)
