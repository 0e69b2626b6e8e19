"""The memory that is available to this process."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_CONTROL_GROUPS = Path("/sys/fs/cgroup")


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
    if "MemAvailable" not in values:
        return None
    return min(int(values["MemAvailable"].split()[0]) * 1024, *_left_in_control_groups(_CONTROL_GROUPS))


def _left_in_control_groups(root: Path) -> list[int]:
    """What the control groups (version 2) of this process leave it, as containers and batch systems set them."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
        group = root / next(line for line in lines if line.startswith("0::"))[len("0::/") :]
    except (OSError, StopIteration):
        return [sys.maxsize]
    left = [sys.maxsize]
    for folder in (group, *group.parents):
        try:
            limit, used, statistics = (
                (folder / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current", "memory.stat")
            )
            cached = next(line.split()[1] for line in statistics.splitlines() if line.startswith("inactive_file "))
            left.append(max(0, int(limit) - int(used) + int(cached)))
        except (OSError, ValueError, StopIteration):
            continue
    return left


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
