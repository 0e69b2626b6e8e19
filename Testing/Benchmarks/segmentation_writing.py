"""How long the main thread is busy when a large result goes into the scene.

Measures, for a 512 x 512 x 300 volume and 30 labels: reading the volume in steps, packing the labels (in the worker
thread), writing the segmentation node, replacing it by the next result, and removing it. The last part runs a whole
job with a segment function that only waits, and reports the longest poll: how long the user interface stood still.

    python Testing/Benchmarks/segmentation_writing.py [--size 512 512 300] [--labels 30] [--json result.json]

Needs the package slicer-core, or Slicer's own Python.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Python" / "support")]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from model_factory import make_card  # noqa: E402
from mrml_nodes import add_volume, labels_of, new_scene  # noqa: E402

from LightMedSegLib.inference.segmentation import Segmentation  # noqa: E402
from LightMedSegLib.model.card import ModelCard  # noqa: E402
from LightMedSegLib.mrml.jobs.segment_job import segmentation_job  # noqa: E402
from LightMedSegLib.mrml.jobs.worker import Worker  # noqa: E402
from LightMedSegLib.mrml.segmentations.writing import PackedLabels, result_node, write_result  # noqa: E402
from LightMedSegLib.mrml.volumes import copy_steps  # noqa: E402

_POLL_SECONDS = 0.05


def main() -> None:
    """Print one line per measurement; with --json write them to a file as well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=(512, 512, 300), metavar=("X", "Y", "Z"))
    parser.add_argument("--labels", type=int, default=30)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seconds = measure(tuple(arguments.size), arguments.labels)
    for name, value in seconds.items():
        print(f"{name:45s} {value:8.3f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(seconds, indent=2) + "\n", encoding="utf-8")


def measure(size: tuple[int, ...], count: int) -> dict[str, float]:
    """Seconds of each measurement."""
    scene = new_scene()
    volume = add_volume(scene, sitk.GetImageFromArray(np.ones(size[::-1], dtype=np.int16)))
    card = ModelCard.from_json(make_card(labels=count))
    labels = blocks(size, count)
    seconds: dict[str, float] = {}
    seconds["read the volume, longest step"] = longest_step(copy_steps(volume))
    write_twice(volume, labels, card, seconds)
    # Only the scene holds the node now, so that removing it is the end of it.
    _, seconds["remove and delete the segmentation"] = timed(
        lambda: scene.RemoveNode(scene.GetFirstNodeByClass("vtkMRMLSegmentationNode"))
    )
    seconds["longest poll of a whole run"] = longest_poll(volume, labels, card)
    _, seconds["close the scene"] = timed(lambda: scene.Clear(True))
    return seconds


def write_twice(volume: Any, labels: np.ndarray, card: ModelCard, seconds: dict[str, float]) -> None:
    """A first result, and the next one in its place."""
    packed, seconds["pack the labels (worker thread)"] = timed(lambda: PackedLabels.of(labels))
    node, seconds["write the segmentation"] = timed(lambda: write_result(volume, packed, card))
    (found, _), seconds["find out that it is unedited"] = timed(lambda: result_node(volume, card))
    assert found is node
    again = PackedLabels.of(labels[::-1])
    _, seconds["replace the segmentation"] = timed(lambda: write_result(volume, again, card, node))
    assert np.array_equal(labels_of(node), labels[::-1])


def blocks(size: tuple[int, ...], count: int) -> np.ndarray:
    """Labels 1..count as blocks that fill about a third of the volume."""
    labels = np.zeros(size[::-1], dtype=np.uint8)
    depth = max(1, size[2] // count)
    rows, columns = slice(size[1] // 5, 4 * size[1] // 5), slice(size[0] // 4, 3 * size[0] // 4)
    for value in range(1, count + 1):
        planes = slice((value - 1) * depth, value * depth)
        labels[planes, rows, columns] = value
    return labels


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = action()
    return result, time.perf_counter() - start


def longest_step(steps: Any) -> float:
    longest, start = 0.0, time.perf_counter()
    for _ in steps:
        longest, start = max(longest, time.perf_counter() - start), time.perf_counter()
    return longest


def longest_poll(volume: Any, labels: np.ndarray, card: ModelCard) -> float:
    """Polls as the module's timer does, while a stand-in for the network runs twice: new node, then replaced."""
    labelmap = sitk.GetImageFromArray(labels)

    def segment(image: Any, model: Any, options: Any, progress: Any, cancel: Any) -> Segmentation:
        time.sleep(1.0)
        return Segmentation(labelmap, card, {}, "cpu")

    worker, longest = Worker(), 0.0
    for _ in range(2):
        job = segmentation_job(volume, "stand-in", segment=segment)
        worker.submit(job)
        while not job.state.ended:
            _, seconds = timed(worker.poll)
            longest = max(longest, seconds)
            time.sleep(_POLL_SECONDS)
        assert job.message == "", job.message
    worker.close()
    return longest


if __name__ == "__main__":
    main()
