"""The networks of the benchmark and the ways to run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from light_peers import SegFormer3DLike, SlimUNETRLike
from torch import Tensor, nn

from LightMedSegLib.network import build_network
from LightMedSegLib.network.cpu import accelerate
from LightMedSegLib.network.cpu.choice import choose_cpu_path
from LightMedSegLib.network.cuda.network import RecordedNetwork

Builder = Callable[[int, int, int], nn.Module]
"""(input channels, classes, edge of the input) -> network."""


@dataclass(frozen=True)
class Contestant:
    """A network and a way to run it.

    engine: "plain" as its users run it, "channels-last" with our memory format, "fast" rewritten for processors and
    "recorded" replayed on CUDA (these two with ours only).
    precision: "float32", "bfloat16" or "float16"; plain, channels-last and recorded networks get the latter two by
    autocast.
    """

    name: str
    build: Builder
    engine: str
    precision: str

    @property
    def title(self) -> str:
        """Name, engine and precision."""
        return f"{self.name}, {self.engine}, {self.precision}"

    def prepare(self, channels: int, classes: int, edge: int, device: str) -> Callable[[Tensor], Tensor]:
        """A function from the input volume to the logits."""
        torch.manual_seed(0)
        network = self.build(channels, classes, edge).eval().to(device)
        dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        if self.engine == "fast":
            fast = accelerate(network, dtype)
            # As in the predictor, which keeps the memory of the logits for the next window.
            logits = torch.empty(1, edge, edge, edge, classes).permute(0, 4, 1, 2, 3)
            return lambda x: fast(x, out=logits)
        if self.engine == "recorded":
            return RecordedNetwork(network.to(memory_format=torch.channels_last_3d), self.precision)  # type: ignore[call-overload]
        if self.engine == "channels-last":
            network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

        def run(x: Tensor) -> Tensor:
            if self.engine == "channels-last":
                x = x.contiguous(memory_format=torch.channels_last_3d)
            with torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
                return network(x)

        return run


def _ours(channels: int, classes: int, edge: int, name: str = "lightmedseg") -> nn.Module:
    return build_network(name, channels, classes)


def _dynunet(channels: int, classes: int, edge: int) -> nn.Module:
    from monai.networks.nets import DynUNet

    return DynUNet(
        spatial_dims=3,
        in_channels=channels,
        out_channels=classes,
        kernel_size=[3] * 6,
        strides=[1, 2, 2, 2, 2, 2],
        upsample_kernel_size=[2] * 5,
        filters=[32, 64, 128, 256, 320, 320],
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
    )


def _segresnet(channels: int, classes: int, edge: int) -> nn.Module:
    from monai.networks.nets import SegResNet

    return SegResNet(
        in_channels=channels, out_channels=classes, init_filters=16, blocks_down=(1, 2, 2, 4), blocks_up=(1, 1, 1)
    )


def _unetr(channels: int, classes: int, edge: int) -> nn.Module:
    from monai.networks.nets import UNETR

    return UNETR(in_channels=channels, out_channels=classes, img_size=(edge, edge, edge))


def _swin_unetr(channels: int, classes: int, edge: int) -> nn.Module:
    from monai.networks.nets import SwinUNETR

    return SwinUNETR(in_channels=channels, out_channels=classes, feature_size=48)


def _attention_unet(channels: int, classes: int, edge: int) -> nn.Module:
    from monai.networks.nets import AttentionUnet

    return AttentionUnet(
        spatial_dims=3,
        in_channels=channels,
        out_channels=classes,
        channels=(32, 64, 128, 256, 320),
        strides=(2, 2, 2, 2),
    )


def _segformer(channels: int, classes: int, edge: int) -> nn.Module:
    return SegFormer3DLike(channels, classes)


def _slim_unetr(channels: int, classes: int, edge: int) -> nn.Module:
    return SlimUNETRLike(channels, classes)


PEERS: dict[str, Builder] = {
    "DynUNet (nnU-Net)": _dynunet,
    "SegResNet": _segresnet,
    "UNETR": _unetr,
    "SwinUNETR": _swin_unetr,
    "AttentionUnet": _attention_unet,
    "SlimUNETR-like": _slim_unetr,
    "SegFormer3D-like": _segformer,
}


def contestants(device: str, quick: bool) -> list[Contestant]:
    """Everything that is timed, ours first; quick leaves the slowest and the other precisions of peers out."""
    ours: list[Contestant] = []
    for name in ("lightmedseg", "lightmedseg-tiny") if quick else ("lightmedseg", "lightmedseg-tiny", "lightmedseg-p"):
        build = partial(_ours, name=name)
        if device.startswith("cuda"):
            ours += [Contestant(name, build, "recorded", kind) for kind in ("float32", "bfloat16", "float16")]
        else:
            ours += [Contestant(name, build, "fast", precision) for precision in ("float32", "bfloat16")]
        ours += [Contestant(name, build, "plain", "float32"), Contestant(name, build, "channels-last", "bfloat16")]
    peers = []
    for name, build in PEERS.items():
        if quick and name in ("SwinUNETR", "AttentionUnet"):
            continue
        peers.append(Contestant(name, build, "plain", "float32"))
        if not quick:
            peers.append(Contestant(name, build, "plain", "bfloat16"))
    dynunet = PEERS["DynUNet (nnU-Net)"]
    engines = [Contestant("DynUNet (nnU-Net)", dynunet, "channels-last", kind) for kind in ("float32", "bfloat16")]
    return [*ours, *peers, *engines]


def default_title(device: str) -> str:
    """Title of ours as a user of this computer gets it, which the others are compared with."""
    wanted = ("recorded", "float16")
    if not device.startswith("cuda"):
        path = choose_cpu_path().name
        wanted = ("plain", "float32") if path == "reference" else ("fast", path)
    return f"lightmedseg, {wanted[0]}, {wanted[1]}"
