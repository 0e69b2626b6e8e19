"""How far the labels of every engine and precision agree with those of the plain float32 network, on real scans.

    python Testing/Benchmarks/agreement.py MODEL SCAN [SCAN ...] [--device cuda] [--out agreement.csv]

Prints, for each way to run the network, mean and least Dice over the scans (of all structures together, and of the
structure that agrees least).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from report import markdown, write_csv  # noqa: E402
from run_model import load  # noqa: E402

from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.io.volume_files import read_volume  # noqa: E402
from LightMedSegLib.network.cuda.choice import CUDA_PATH_VARIABLE  # noqa: E402

CPU_WAYS = ("float32", "bfloat16")
CUDA_WAYS = ("reference", "float32", "float16")


def engines(model: Any, device: str) -> dict[str, Engine]:
    """The reference and every other way on this device."""
    made = {"reference": Engine(model, "cpu", cpu_path="reference")}
    made |= {f"cpu {way}": Engine(model, "cpu", cpu_path=way) for way in CPU_WAYS}
    if device.startswith("cuda"):
        for way in CUDA_WAYS:
            os.environ[CUDA_PATH_VARIABLE] = way
            made[f"cuda {way}"] = engine = Engine(model, device)
            engine._networks.on(engine.device.name)
    return made


def agreement(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> tuple[float, float]:
    """Dice of everything labelled alike, and of the structure that agrees least."""
    alike = 2 * np.count_nonzero((found == expected) & (expected > 0))
    total = np.count_nonzero(found) + np.count_nonzero(expected)
    each = []
    for value in np.union1d(found[found > 0], expected[expected > 0]):
        a, b = found == value, expected == value
        each.append(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))
    return (alike / total, float(min(each))) if total else (1.0, 1.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    model = load(arguments.model)
    ways = engines(model, arguments.device)
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in ways if name != "reference"}
    for path in arguments.scans:
        image = read_volume(path)
        labels = {name: sitk.GetArrayFromImage(engine.segment(image).labelmap) for name, engine in ways.items()}
        for name, values in scores.items():
            values.append(agreement(labels[name], labels["reference"]))
    rows = [
        {
            "model": model.card.identifier,
            "way": name,
            "scans": len(values),
            "dice_mean": round(statistics.mean(whole for whole, _ in values), 5),
            "dice_least": round(min(whole for whole, _ in values), 5),
            "structure_mean": round(statistics.mean(least for _, least in values), 5),
            "structure_least": round(min(least for _, least in values), 5),
        }
        for name, values in scores.items()
    ]
    print(markdown(rows))
    if arguments.out:
        write_csv(arguments.out, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
