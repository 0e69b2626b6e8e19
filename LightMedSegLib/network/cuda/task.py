"""Description of a compilation for the process that runs it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from LightMedSegLib.network import LightMedSeg, NetworkConfiguration
from LightMedSegLib.network.cuda.network_pass import NetworkPass
from LightMedSegLib.network.memory_format import fastest_format


@dataclass(frozen=True)
class CompileTask:
    """A pass of a network over inputs of one layout on one device. Weights do not matter: they are inputs to it."""

    configuration: dict[str, Any]
    in_channels: int
    num_classes: int
    precision: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    device: str

    @classmethod
    def of(
        cls, network: LightMedSeg, precision: str, shape: tuple[int, ...], stride: tuple[int, ...], device: str
    ) -> CompileTask:
        """The task for network on device."""
        return cls(
            asdict(network.configuration), network.in_channels, network.num_classes, precision, shape, stride, device
        )

    @classmethod
    def from_json(cls, text: str) -> CompileTask:
        """The task that to_json wrote."""
        values = json.loads(text)
        return cls(**{**values, "shape": tuple(values["shape"]), "stride": tuple(values["stride"])})

    def to_json(self) -> str:
        """The task as text."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def key(self) -> str:
        """Return a key of the task that changes with everything that its compiled form depends on."""
        device = torch.cuda.get_device_name(self.device) if torch.cuda.is_available() else self.device
        return hashlib.sha256(f"{self.to_json()} {device} {_versions()}".encode()).hexdigest()[:24]

    def network_pass(self) -> NetworkPass:
        """The pass with fresh weights, on the device."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in self.configuration.items()
        }
        network = LightMedSeg(self.in_channels, self.num_classes, NetworkConfiguration(**values)).eval()
        # Two steps, as the engine does it: one would give weights of one channel other strides.
        network = network.to(self.device).to(memory_format=fastest_format(self.device))  # type: ignore[call-overload]
        return NetworkPass(network, self.precision)

    def sample(self) -> Tensor:
        """Random input of the task's layout on the device."""
        x = torch.empty_strided(self.shape, self.stride, device=self.device)
        return x.copy_(torch.randn(self.shape))


@cache
def _versions() -> str:
    try:
        triton = importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        triton = ""
    code = hashlib.sha256()
    library = Path(__file__).resolve().parents[2]
    for path in sorted((library / "network").glob("*.py")) + sorted((library / "network" / "layers").glob("*.py")):
        code.update(path.read_bytes())
    code.update((library / "network" / "cuda" / "network_pass.py").read_bytes())
    return " ".join((torch.__version__, triton, platform.python_version(), code.hexdigest()))
