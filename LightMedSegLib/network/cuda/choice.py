"""Choice of the network's implementation on a CUDA device: the user's, or the fastest available one."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

from LightMedSegLib.core.errors import DeviceError
from LightMedSegLib.network import LightMedSeg
from LightMedSegLib.network.cuda.background import BackgroundCompiler, InputLayout, Record
from LightMedSegLib.network.cuda.compilation import compile_pass, recorded
from LightMedSegLib.network.cuda.kept import task_folder
from LightMedSegLib.network.cuda.network import RecordedNetwork
from LightMedSegLib.network.cuda.network_pass import NetworkPass
from LightMedSegLib.network.cuda.support import why_not_compiled
from LightMedSegLib.network.cuda.task import CompileTask
from LightMedSegLib.network.cuda.warming import warm

CUDA_PATH_VARIABLE = "LIGHTMEDSEG_CUDA_PATH"

CUDA_PATHS = ("compiled", "float16", "float32", "reference")
"""compiled: the default, float16, replaced by a compiled form as soon as there is one. float16, float32: precision of
the CUDA graph. reference: the network as trained, without a CUDA graph.

bfloat16 is no faster than float16 and changes about ten times as many labels: RecordedNetwork can do it, for
comparison, but it is not offered.
"""


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
    if path == "reference" or not isinstance(network, LightMedSeg):
        return network
    if path != "compiled":
        return RecordedNetwork(network, path)
    device = next(network.parameters()).device
    reason = why_not_compiled(device)
    if reason:
        return RecordedNetwork(network, "float16", why_not_compiled=reason)
    return RecordedNetwork(network, "float16", compiler_for(network, "float16", device))


def compiler_for(network: LightMedSeg, precision: str, device: torch.device) -> BackgroundCompiler:
    """Return the background compiler for the pass of network in precision on device."""

    def task(layout: InputLayout) -> CompileTask:
        return CompileTask.of(network, precision, layout.shape, layout.stride, str(device))

    def load(layout: InputLayout) -> Record:
        this = task(layout)
        x: Tensor = this.sample()
        compiled = compile_pass(NetworkPass(network, precision), x, task_folder(this.key))
        return lambda: recorded(compiled, x)

    return BackgroundCompiler(lambda layout, stop: warm(task(layout), stop), load)
