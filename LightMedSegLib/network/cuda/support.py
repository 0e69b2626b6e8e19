"""Check whether this computer can compile for its CUDA device."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

import torch

_LEAST_CAPABILITY = (7, 0)


def why_not_compiled(device: torch.device) -> str:
    """Return the reason in a few words; "" where compiling can be tried."""
    if not sys.platform.startswith("linux"):
        return "that is done on Linux only"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    if not any(shutil.which(name) for name in (os.environ.get("CC") or "gcc", "gcc", "clang")):
        return "there is no C compiler, which Triton needs"
    if device.type != "cuda" or not torch.cuda.is_available():
        return "there is no CUDA device"
    if torch.cuda.get_device_capability(device) < _LEAST_CAPABILITY:
        return "Triton does not support this graphics card"
    return ""
