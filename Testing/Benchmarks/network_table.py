"""One row per network and engine: size, cost, seconds, memory, and how near it comes to the machine's limits."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Run as a program for the memory of one network, it has to find the same library as its parent.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from contestants import Contestant, contestants, default_title
from machine import synchronize
from torch import Tensor, nn

from LightMedSegLib.core.out_of_memory import is_out_of_memory
from LightMedSegLib.network.complexity import count_multiply_adds, count_parameters

CHANNELS, CLASSES = 1, 14
_OUT_OF_MEMORY = 3
_LAYERS = (nn.Conv3d, nn.ConvTranspose3d, nn.Linear)


def network_rows(
    edges: Sequence[int], device: str, machine: dict[str, Any], rounds: int, quick: bool, memory: bool
) -> list[dict[str, Any]]:
    """The table for cubes of the given edges. The networks take turns, so that a busy moment hits all of them."""
    rows = []
    for edge in edges:
        entries = contestants(device, quick)
        times = _times(entries, edge, device, rounds)
        own = statistics.median(times[[entry.title for entry in entries].index(default_title(device))])
        for entry, values in zip(entries, times, strict=True):
            row = {"network": entry.name, "engine": entry.engine, "precision": entry.precision, "edge": edge}
            row |= _cost(entry, edge, machine)
            row["seconds"] = round(statistics.median(values), 4)
            row["ratio_to_ours"] = round(statistics.median(values) / own, 2)
            row["share_of_bound"] = round(row["bound_seconds"] / statistics.median(values), 3)
            row["peak_mb"] = _peak_memory(entry, edge, device) if memory else ""
            rows.append(row)
            print(f"{entry.title:48s} {edge}^3 {row['seconds']:8.3f} s  x{row['ratio_to_ours']}", flush=True)
    return rows


def _times(entries: Sequence[Contestant], edge: int, device: str, rounds: int) -> list[list[float]]:
    x = torch.randn(1, CHANNELS, edge, edge, edge, device=device)
    prepared = [entry.prepare(CHANNELS, CLASSES, edge, device) for entry in entries]
    times: list[list[float]] = [[] for _ in entries]
    with torch.inference_mode():
        for turn in range(rounds + 1):
            for run, values in zip(prepared, times, strict=True):
                start = time.perf_counter()
                run(x)
                synchronize(device)
                if turn:
                    values.append(time.perf_counter() - start)
    return times


def _cost(entry: Contestant, edge: int, machine: dict[str, Any]) -> dict[str, Any]:
    """Parameters, multiply-adds, and the least seconds that the machine's measured peaks allow."""
    network = entry.build(CHANNELS, CLASSES, edge).eval()
    # First, because a network whose modules have two names loses its parameters on the way to the meta device.
    parameters = count_parameters(network)
    shape = (1, CHANNELS, edge, edge, edge)
    multiply_adds = count_multiply_adds(network, shape)
    half = entry.precision != "float32"
    value_bytes = 2 if half else 4
    traffic = value_bytes * _values_moved(network, shape)
    arithmetic = multiply_adds / (1e9 * machine["peak_gmac_bfloat16" if half else "peak_gmac_float32"])
    return {
        "parameters_m": round(parameters / 1e6, 3),
        "gmac": round(multiply_adds / 1e9, 2),
        "traffic_gb": round(traffic / 1e9, 3),
        "bound_seconds": round(max(arithmetic, traffic / (1e9 * machine["bandwidth_gb"])), 5),
    }


def _values_moved(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Values that convolutions and linear layers read and write if everything between them costs nothing."""
    moved = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal moved
        weights = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        moved += inputs[0].numel() + output.numel() + weights

    shadow = network.to("meta")
    handles = [m.register_forward_hook(count) for m in shadow.modules() if _is_layer(m)]
    with torch.no_grad():
        shadow(torch.empty(shape, device="meta"))
    for handle in handles:
        handle.remove()
    return moved


def _is_layer(module: nn.Module) -> bool:
    return isinstance(module, _LAYERS) or type(module).__name__ == "DepthwiseConv3d"


def _peak_memory(entry: Contestant, edge: int, device: str) -> int | str:
    """Most memory in MB of a process that runs the network twice, less what it had before."""
    command = [sys.executable, str(Path(__file__)), json.dumps([entry.title, edge, device, torch.get_num_threads()])]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == _OUT_OF_MEMORY:
        return ""
    if result.returncode:
        raise RuntimeError(f"The memory of {entry.title} could not be measured: {result.stderr.strip()[-400:]}")
    return int(result.stdout)


def _measure_memory(title: str, edge: int, device: str, threads: int) -> None:
    torch.set_num_threads(threads)
    entry = next(one for one in contestants(device, quick=False) if one.title == title)
    run = entry.prepare(CHANNELS, CLASSES, edge, device)
    x = torch.randn(1, CHANNELS, edge, edge, edge, device=device)
    before = _most_resident_mb()
    try:
        with torch.inference_mode():
            for _ in range(2):
                run(x)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        sys.exit(_OUT_OF_MEMORY)
    if device.startswith("cuda"):
        print(torch.cuda.max_memory_allocated(device) // 2**20)
    else:
        print(_most_resident_mb() - before)


def _most_resident_mb() -> int:
    """Most memory in MB that this program had at once; Linux only.

    The maximum that getrusage tells would be that of the process which started this one, if that was larger.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    _measure_memory(*json.loads(sys.argv[1]))
