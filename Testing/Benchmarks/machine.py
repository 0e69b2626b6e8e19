"""What the machine can do at most, measured, and what it is: the yardstick of a benchmark."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional


def synchronize(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: str, rounds: int = 5) -> float:
    """Median seconds of work, after one turn that is not counted."""
    times = []
    for turn in range(rounds + 1):
        start = time.perf_counter()
        work()
        synchronize(device)
        if turn:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_multiply_adds(dtype: torch.dtype, device: str) -> float:
    """Multiply-adds a second of a large matrix product or of a wide 3x3x3 convolution, whichever is faster.

    They come from different libraries, and on some processors the one for matrices uses half of the vectors.
    """
    size = 8192 if device.startswith("cuda") else 3072
    a, b = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
    product = size**3 / seconds(lambda: a @ b, device)
    x = torch.rand(1, 128, 24, 24, 24, device=device).to(dtype).contiguous(memory_format=torch.channels_last_3d)
    weight = torch.rand(128, 128, 3, 3, 3, device=device).to(dtype)
    convolution = functional.conv3d(x, weight, padding=1)
    return max(
        product, convolution.numel() * 27 * 128 / seconds(lambda: functional.conv3d(x, weight, padding=1), device)
    )


def peak_bandwidth(device: str) -> float:
    """Bytes a second of adding two tensors that fit into no cache, into memory that exists already."""
    count = 2**26
    a, b, out = (torch.ones(count, device=device) for _ in range(3))
    return 3 * 4 * count / seconds(lambda: torch.add(a, b, out=out), device)


def facts(device: str) -> dict[str, Any]:
    """The machine in words and numbers; no name of a person or computer."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "peak_gmac_float32": round(peak_multiply_adds(torch.float32, device) / 1e9, 1),
        "peak_gmac_bfloat16": round(peak_multiply_adds(torch.bfloat16, device) / 1e9, 1),
        "bandwidth_gb": round(peak_bandwidth(device) / 1e9, 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
