"""Segments a large CT-like volume in a process of its own and prints what it took, as one line of JSON.

    python memory_probe.py --size 512 512 300 --labels 14 --spacing 2 --network lightmedseg-tiny --cancel

Prints peak_gb (resident memory of this process, torch and the volume included), the seconds of every stage, and with
--cancel the seconds from setting the token in another thread to the return of a second call.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from paths import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from model_factory import make_model

from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.segmentation import Engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=3, default=(512, 512, 300))
    parser.add_argument("--labels", type=int, default=14)
    parser.add_argument("--spacing", type=float, default=2.0)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--overlap", type=float, default=0.25)
    parser.add_argument("--network", default="lightmedseg-tiny")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cancel", action="store_true")
    options = parser.parse_args()
    image = ct_like_image(tuple(options.size))
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(
            Path(folder) / "model",
            options.network,
            options.labels,
            input={
                "spacing_mm": [options.spacing] * 3,
                "patch": [options.patch] * 3,
                "overlap": options.overlap,
                "background_value": -900,
                "channels": [
                    {
                        "name": "CT",
                        "normalization": {"kind": "window", "lower": -200, "upper": 300, "mean": 50, "std": 120},
                    }
                ],
            },
            postprocessing=[{"operation": "keep_largest_component", "labels": [1], "joint": False}],
        )
        print(json.dumps(measure(Engine(model, "cpu"), image, options.threads, options.cancel)))


def measure(engine: Engine, image: sitk.Image, threads: int | None, with_cancel: bool) -> dict[str, object]:
    """What one call took; with_cancel makes a call that is cancelled come first."""
    report: dict[str, object] = {}
    if with_cancel:
        report["cancel_s"] = seconds_to_cancel(engine, image, threads)
    result = engine.segment(image, SegmentOptions(threads=threads))
    report["timings"] = {stage: round(seconds, 2) for stage, seconds in result.timings.items()}
    report["labels"] = np.unique(sitk.GetArrayViewFromImage(result.labelmap)).tolist()
    report["peak_gb"] = peak_bytes() / 1e9
    return report


def ct_like_image(size: tuple[int, int, int]) -> sitk.Image:
    """An elliptic body of soft tissue with smooth contrasts and noise in air, int16, 0.8 x 0.8 x 1 mm."""
    columns, rows, planes = size
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    body = (x / 0.8) ** 2 + (y / 0.6) ** 2 < 1
    noise = np.random.default_rng(0).normal(scale=15, size=(rows, columns))
    volume = np.empty((planes, rows, columns), dtype=np.int16)
    for index in range(planes):
        organs = 60 * np.sin(7 * x + index / 40) + 50 * np.cos(9 * y - index / 30) * np.sin(5 * x * y)
        volume[index] = np.where(body, 40 + organs + np.roll(noise, index * 7), -1000)
    image = sitk.GetImageFromArray(volume)
    image.SetSpacing((0.8, 0.8, 1.0))
    return image


def seconds_to_cancel(engine: Engine, image: sitk.Image, threads: int | None) -> float:
    """Seconds from cancelling, in the midst of the first windows, to the end of the call."""
    token = CancelToken()
    moment: list[float] = []

    def cancel() -> None:
        moment.append(time.perf_counter())
        token.cancel()

    def start_clock(done: int, total: int, message: str) -> None:
        if "window" in message and not timer.is_alive() and not moment:
            timer.start()

    timer = threading.Timer(0.3, cancel)
    try:
        engine.segment(image, SegmentOptions(threads=threads), start_clock, token)
    except CancelledError:
        return time.perf_counter() - moment[0]
    raise AssertionError("The call was not cancelled.")


def peak_bytes() -> int:
    """The most memory this process has held; on Linux without what its parent held before starting it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
