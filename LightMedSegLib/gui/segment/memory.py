"""The memory that a run needs, and the memory that is available."""

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
"""PyTorch itself, the weights, and the windows being processed."""


def needed_bytes(shape: Sequence[int], spacing: Sequence[float], card: ModelCard, scalar_bytes: int) -> int:
    """A conservative estimate for a volume, or a region of it. shape: voxels (i, j, k). spacing: mm (i, j, k)."""
    voxels = math.prod(shape)
    model_voxels = voxels * math.prod(spacing) / math.prod(card.input.spacing)
    # A copy of the volume, the labels twice, and the intensities twice on the model's grid.
    return int(_BASE_BYTES + voxels * (scalar_bytes * card.in_channels + 2) + model_voxels * 8 * card.in_channels)


def available_bytes() -> int | None:
    """The physical memory that is available now; None if the system does not report it."""
    if sys.platform == "win32":
        return _available_on_windows()
    if sys.platform == "linux":
        return _available_on_linux()
    try:
        # macOS reports free pages elsewhere; half of the installed memory is a fair guess.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return None


def _available_on_linux() -> int | None:
    """Includes the file cache, which the system gives back: free pages alone would be far too few."""
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
