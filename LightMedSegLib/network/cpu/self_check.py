"""Times and agreement of the implementations of the network on this computer, on small volumes of noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from LightMedSegLib.network import build_network
from LightMedSegLib.network.cpu.convolution import LAST, has_onednn
from LightMedSegLib.network.cpu.network import accelerate

LARGEST_ERRORS = {"float32": 1e-3, "bfloat16": 5e-2}
"""Largest error of a path's logits relative to the reference (RMS): ten times the error of correct paths."""

_TIMED = (1, 1, 64, 64, 64)
_COMPARED = (_TIMED, (1, 1, 16, 16, 32))
"""The second is one voxel wide at the deepest level, where torch's bfloat16 convolutions have been wrong on AMX."""

_ROUNDS = 3
_PATIENCE_SECONDS = 1.0
"""On a busy computer one measured round must do: a person waits for the first result."""

Paths = dict[str, Callable[[Tensor], Tensor]]


def self_check() -> dict[str, float]:
    """Return the median seconds of every path that agrees with the reference, measured alternately."""
    paths = sound_paths(_paths())
    x = _noise(_TIMED)
    times: dict[str, list[float]] = {name: [] for name in paths}
    began = time.perf_counter()
    with torch.inference_mode():
        for turn in range(_ROUNDS):
            if turn and time.perf_counter() - began > _PATIENCE_SECONDS:
                break
            for name, path in paths.items():
                start = time.perf_counter()
                path(x)
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def sound_paths(paths: Paths) -> Paths:
    """Return the paths whose logits agree with those of the path "reference", as LARGEST_ERRORS says."""
    sound = dict(paths)
    with torch.inference_mode():
        for shape in _COMPARED:
            x = _noise(shape)
            expected = paths["reference"](x)
            for name in [name for name in sound if name != "reference"]:
                # Written so that NaN is refused too.
                if not (paths[name](x) - expected).norm() <= LARGEST_ERRORS[name] * expected.norm():
                    del sound[name]
    return sound


def agrees(name: str) -> bool:
    """Return whether the path called name gives the reference's logits here; True where torch cannot take it at all."""
    if name == "reference":
        return True
    paths = _paths()
    return name not in paths or name in sound_paths({"reference": paths["reference"], name: paths[name]})


def _paths() -> Paths:
    network = _network()
    paths: Paths = {
        "reference": network.to(memory_format=LAST),  # type: ignore[call-overload]
        "float32": accelerate(network),
    }
    if has_onednn(torch.bfloat16):
        paths["bfloat16"] = accelerate(network, torch.bfloat16)
    return paths


def _network() -> nn.Module:
    """The default network; no parameter is zero or one, where an error would not show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network("lightmedseg", 1, 3).eval()
        for parameter in network.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return network


def _noise(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
