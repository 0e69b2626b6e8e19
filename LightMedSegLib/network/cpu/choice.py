"""Choice of the fastest implementation on this computer: measured once, stored, and overridden by the user."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from torch import nn

from LightMedSegLib.core.errors import DeviceError, OutputError
from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.network import LightMedSeg
from LightMedSegLib.network.cpu.network import accelerate
from LightMedSegLib.network.cpu.self_check import agrees, self_check
from LightMedSegLib.storage.atomic_files import atomic_write

CPU_PATH_VARIABLE = "LIGHTMEDSEG_CPU_PATH"

CPU_PATHS = ("auto", "reference", "float32", "bfloat16")
"""auto: the fastest here. reference: the network as trained. float32, bfloat16: the fast implementation, the latter
with convolutions in bfloat16: on real scans the labels agree with a Dice of at least 0.999."""

_WORTH_ROUNDING = 1.05
"""bfloat16 must be this many times faster than float32 to be chosen; less is within the noise of the measurement."""

_FORM = 3
"""Version of network and self-check; measurements of another version are discarded."""


@dataclass(frozen=True)
class CpuPath:
    """One of CPU_PATHS but auto; seconds: of the self-check per path, empty if there was none."""

    name: str
    seconds: dict[str, float]

    @property
    def explanation(self) -> str:
        """Return a sentence for the log and the panel."""
        how = {
            "reference": "The network runs as it was trained",
            "float32": "The network runs in a form rewritten for processors",
            "bfloat16": "The network runs in a form rewritten for processors, with bfloat16 convolutions",
        }[self.name]
        if not self.seconds or self.name == "reference":
            return f"{how}."
        ratio = self.seconds["reference"] / self.seconds[self.name]
        return f"{how}: {ratio:.1f} times as fast on this computer when it was measured."


_chosen: dict[str, CpuPath] = {}
_trusted: set[str] = set()


def choose_cpu_path(name: str = "auto") -> CpuPath:
    """Return the path called name; for auto that of the environment variable LIGHTMEDSEG_CPU_PATH, or the fastest.

    The first call on a computer measures for about a second and stores the result in the user's folder. A path with a
    result that differs from the reference on this computer is never chosen.
    Raises DeviceError for an unknown name, and for such a path.
    """
    wanted = name if name != "auto" else os.environ.get(CPU_PATH_VARIABLE, "").strip().lower() or "auto"
    if wanted not in CPU_PATHS:
        raise DeviceError(f"The processor path {wanted!r} is unknown; use {', '.join(CPU_PATHS)}.")
    if wanted != "auto":
        if wanted not in _trusted and not _agrees(wanted):
            raise DeviceError(
                f"The processor path {wanted!r} gives wrong results on this computer with this PyTorch; use auto."
            )
        return CpuPath(wanted, {})
    machine = _machine()
    if machine not in _chosen:
        _chosen[machine] = _recall(machine) or _measured(machine)
    return _chosen[machine]


def trust(name: str) -> None:
    """Let this process use a path without comparing it again: another process of this computer has chosen it."""
    _trusted.add(name)


def prepare_for_cpu(network: nn.Module, path: CpuPath) -> nn.Module:
    """Return network, or a module that computes the same, for the path."""
    if path.name == "reference" or not isinstance(network, LightMedSeg):
        return network
    return accelerate(network, torch.bfloat16 if path.name == "bfloat16" else torch.float32)


def fastest(seconds: dict[str, float]) -> str:
    """Return the path of a self-check, which excludes paths that do not agree with the reference."""
    exact = min((name for name in ("reference", "float32") if name in seconds), key=lambda name: seconds[name])
    if "bfloat16" in seconds and seconds["bfloat16"] * _WORTH_ROUNDING < seconds[exact]:
        return "bfloat16"
    return exact


@cache
def _agrees(name: str) -> bool:
    return agrees(name)


def _measured(machine: str) -> CpuPath:
    seconds = self_check()
    path = CpuPath(fastest(seconds), seconds)
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(_file()) as temporary:
            temporary.write_text(json.dumps({"machine": machine, **asdict(path)}, indent=2), encoding="utf-8")
    except (OutputError, OSError):
        # If the folder cannot be written, the next session only measures again.
        pass
    return path


def _recall(machine: str) -> CpuPath | None:
    try:
        stored = json.loads(_file().read_text(encoding="utf-8"))
        if stored["machine"] != machine or stored["name"] not in CPU_PATHS[1:]:
            return None
        seconds = {str(name): float(value) for name, value in stored["seconds"].items()}
        path = CpuPath(stored["name"], seconds)
        return path if path.explanation else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None


def _machine() -> str:
    # Without the number of threads: labels must not depend on it.
    facts = (platform.system(), platform.machine(), torch.backends.cpu.get_cpu_capability(), torch.__version__)
    return ", ".join((*facts, f"form {_FORM}", f"{os.cpu_count()} processors"))


def _file() -> Path:
    return user_data_folder() / "processor-path.json"
