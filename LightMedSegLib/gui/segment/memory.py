"""How much memory a run needs and how much there is."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard

_BASE_BYTES = 700 * 2**20
"""PyTorch itself, the weights, and the windows in work."""


def needed_bytes(shape: Sequence[int], spacing: Sequence[float], card: ModelCard, scalar_bytes: int) -> int:
    """A careful estimate for a volume (or the region of it) of shape voxels at spacing mm."""
    voxels = math.prod(shape)
    model_voxels = voxels * math.prod(spacing) / math.prod(card.input.spacing)
    # The copy, labels twice, and on the model's grid the intensities in two versions.
    return int(_BASE_BYTES + voxels * (scalar_bytes * card.in_channels + 2) + model_voxels * 8 * card.in_channels)


def available_bytes() -> int | None:
    """Physical memory that is free now; None where the system does not tell."""
    if sys.platform == "win32":
        return _available_on_windows()
    if sys.platform == "linux":
        return _available_on_linux()
    try:
        # macOS counts free pages elsewhere; half of what is built in is a fair guess.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return None


def _available_on_linux() -> int | None:
    """With what the system would give back: free pages alone are few on a computer that has read some files."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(values["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in values else None


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = [
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *((name, ctypes.c_ulonglong) for name in ("total", "available", "page_total", "page_available")),
        *((name, ctypes.c_ulonglong) for name in ("virtual_total", "virtual_available", "extended")),
    ]


def _available_on_windows() -> int | None:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined]
        return None
    return int(status.available)
