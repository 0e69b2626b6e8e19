"""The network on a CUDA device as a recording: the kernels of one pass, launched together.

A light network runs about a thousand small kernels, and launching them one by one takes longer than running them: a
recording (CUDA graph) of the pass is replayed instead. Convolutions run in half precision, whose float16 keeps three
more bits than bfloat16; sums stay float32 inside them, and normalisation is float32.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, nn

from LightMedSegLib.errors import DeviceError
from LightMedSegLib.network import LightMedSeg

CUDA_PATH_VARIABLE = "LIGHTMEDSEG_CUDA_PATH"

CUDA_PATHS = ("float16", "float32", "reference")
"""Precision of the recorded network, the default first. reference: the network as it is trained, not recorded.

bfloat16 is no faster than float16 and changes about ten times as many labels: RecordedNetwork can do it, for
comparison, but it is not offered.
"""

_WARM_UP = 2
_SHAPES_KEPT = 2


def choose_cuda_path() -> str:
    """The path that the environment variable LIGHTMEDSEG_CUDA_PATH names, or the default.

    Raises DeviceError for an unknown name.
    """
    wanted = os.environ.get(CUDA_PATH_VARIABLE, "").strip().lower() or CUDA_PATHS[0]
    if wanted not in CUDA_PATHS:
        raise DeviceError(f"The CUDA path {wanted!r} is unknown; use {', '.join(CUDA_PATHS)}.")
    return wanted


def prepare_for_cuda(network: nn.Module) -> nn.Module | RecordedNetwork:
    """network, already on its CUDA device, or what runs it faster there, as choose_cuda_path says."""
    path = choose_cuda_path()
    return network if path == "reference" or not isinstance(network, LightMedSeg) else RecordedNetwork(network, path)


class RecordedNetwork:
    """Callable: (B, channels, z, y, x) on the device -> float32 logits (B, classes, z, y, x), kept until the next call.

    The first call with a shape records it, later ones replay. A pass that cannot be recorded runs as it is.

    Args:
        network: a trained network in evaluation mode on a CUDA device.
        precision: "float32", "float16" or "bfloat16".
    """

    def __init__(self, network: nn.Module, precision: str):
        self.network = network
        self.total_stride = int(getattr(network, "total_stride", 1))
        self._dtype = {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(precision)
        self._recordings: dict[tuple[int, ...], tuple[Any, Tensor, Tensor]] = {}
        self._plain = False

    def __call__(self, x: Tensor) -> Tensor:
        """Raises torch's error when memory runs out."""
        if self._plain:
            return self._pass(x)
        shape = tuple(x.shape)
        if shape not in self._recordings:
            while len(self._recordings) >= _SHAPES_KEPT:
                self._recordings.pop(next(iter(self._recordings)))
            try:
                self._recordings[shape] = self._record(x)
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError:
                # Recording is an optimisation: what a driver or a layer does not allow is no reason to fail.
                self._plain = True
                return self._pass(x)
        graph, source, logits = self._recordings[shape]
        source.copy_(x)
        graph.replay()
        return logits

    def release(self) -> None:
        """Give the memory of the recordings back."""
        self._recordings.clear()

    def _pass(self, x: Tensor) -> Tensor:
        # A cached cast of a weight would be freed between recordings that still read it.
        with torch.autocast("cuda", dtype=self._dtype, enabled=self._dtype is not None, cache_enabled=False):
            return self.network(x).float()

    def _record(self, x: Tensor) -> tuple[Any, Tensor, Tensor]:
        source = x.clone()
        side = torch.cuda.Stream(x.device)
        side.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._pass(source)
        torch.cuda.current_stream(x.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Another thread of the application may use the device at the same time: only this thread's calls are recorded.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            logits = self._pass(source)
        return graph, source, logits
