"""Devices: the choice of the CPU, a CUDA device or an Apple GPU for the network."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from LightMedSegLib.core.errors import DeviceError
from LightMedSegLib.core.process.forked import must_use_one_thread
from LightMedSegLib.core.torch_loading import import_torch


@dataclass(frozen=True)
class Device:
    """A device torch can run on; reason says in a few words why it was chosen, for the log and the panel."""

    name: str
    reason: str

    @property
    def kind(self) -> str:
        """The device type without its number: "cpu", "cuda" or "mps"."""
        return self.name.split(":")[0]


def list_devices() -> list[Device]:
    """Return all devices of this computer, best first; the CPU is always the last.

    Raises DependencyError when torch is not installed, or broken.
    """
    torch = import_torch()
    devices = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            devices.append(Device(f"cuda:{index}", torch.cuda.get_device_name(index)))
    if _has_mps(torch):
        devices.append(Device("mps", "Apple GPU"))
    devices.append(Device("cpu", f"{torch.get_num_threads()} threads"))
    return devices


def select_device(name: str = "auto") -> Device:
    """Return the device called name: "auto", "cpu", "cuda", "cuda:1" or "mps".

    "auto" means the first CUDA device, else the CPU. It never means an Apple GPU, because older systems lack some
    operations of 3D networks there; the user can choose it by name.

    Raises DeviceError for an unknown name or a device this computer does not have, DependencyError without torch.
    """
    available = list_devices()
    names = ", ".join(device.name for device in available)
    wanted = name.strip().lower()
    if wanted == "auto":
        chosen = next((device for device in available if device.kind != "mps"), available[-1])
        if chosen.kind == "cpu":
            return Device("cpu", "no CUDA device was found")
        return chosen
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", wanted):
        raise DeviceError(f"The device {name!r} is unknown; use auto, {names}.")
    wanted = "cuda:0" if wanted == "cuda" else wanted
    for device in available:
        if device.name == wanted:
            return device
    raise DeviceError(f"The device {name!r} is not available on this computer; use auto, {names}.")


def _has_mps(torch: Any) -> bool:
    backend = getattr(torch.backends, "mps", None)
    return backend is not None and bool(backend.is_available())


@contextmanager
def processor_threads(threads: int | None) -> Iterator[None]:
    """In the block torch uses this many processor threads, one where a forked process must; None leaves its number."""
    if threads is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    set_own_threads(threads)
    try:
        yield
    finally:
        set_own_threads(before)


def set_own_threads(count: int) -> None:
    """Let torch use count processor threads in the calling thread, one where a forked process must.

    torch.set_num_threads alone would also set the number of every thread that uses torch for the first time later; here
    that is so only until this returns.
    """
    import torch

    if must_use_one_thread():
        torch.set_num_threads(1)
        return
    with _one_at_a_time, ThreadPoolExecutor(1) as newcomer:
        others = newcomer.submit(torch.get_num_threads).result()
        torch.set_num_threads(count)
        newcomer.submit(torch.set_num_threads, others).result()


_one_at_a_time = threading.Lock()
