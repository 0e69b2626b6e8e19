"""Time a training step of three recipes on CUDA, as a whole and in its parts: making the images, and the network.

Usage: python Testing/Benchmarks/training_step.py [--recipe "brain 1.5 mm"] [--steps 150] [--no-compile]
           [--set network.name=lightmedseg] [--output training-step.csv]

The cases are noise of the recipes' sizes: what a step costs does not depend on what a volume shows. "images" is one
batch, "network" the network, the loss and their gradients, "step" what the trainer needs for a step, optimizer and
waiting included. Plain launches every kernel, recorded replays them from a CUDA graph, compiled joins them first;
"ahead" makes the next batch beside the network. Recorded and compiled must come to the loss and the gradients of the
plain network: the relative differences stand in the table, those of recorded images to plain ones too.
"""

from __future__ import annotations

import argparse
import copy
import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from report import markdown, write_csv  # noqa: E402

from LightMedSegLib.learning.augmentation.spatial import Batch  # noqa: E402
from LightMedSegLib.learning.case_stack import stack_cases  # noqa: E402
from LightMedSegLib.learning.configuration import TrainingConfiguration  # noqa: E402
from LightMedSegLib.learning.labelmap_indices import ids_in_order  # noqa: E402
from LightMedSegLib.learning.losses import SegmentationLoss  # noqa: E402
from LightMedSegLib.learning.prepared_case import PreparedCase  # noqa: E402
from LightMedSegLib.training.acceleration.cuda_graph import record_step  # noqa: E402
from LightMedSegLib.training.configuration.reader import read_configuration, with_override  # noqa: E402
from LightMedSegLib.training.networks import build_training_network  # noqa: E402
from LightMedSegLib.training.synthesis.images import batch_source  # noqa: E402
from LightMedSegLib.training.trainer import Trainer  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Training"
RECIPES: dict[str, tuple[str, tuple[int, int, int], dict[str, str]]] = {
    "hippocampus": ("hippocampus-t1-mr.toml", (36, 50, 36), {}),
    "head and neck": ("headneck-oar-ct.toml", (100, 128, 128), {}),
    "brain 1.5 mm": (
        "brain-structures-mr.toml",
        (150, 160, 120),
        {"input.spacing_mm": "[1.5, 1.5, 1.5]", "input.patch": "[112, 128, 112]", "optimizer.batch": "4"},
    ),
}
"""The recipe's file, the size (z, y, x) of a case, and what is set differently."""
WAYS: dict[str, dict[str, str]] = {
    "plain": {"run.cuda_graph": "false", "run.compile": "false", "run.prefetch": "false"},
    "recorded": {"run.compile": "false", "run.prefetch": "false"},
    "recorded, ahead": {"run.compile": "false", "run.prefetch": "true"},
    "compiled": {"run.compile": "true", "run.prefetch": "false"},
    "compiled, ahead": {"run.compile": "true", "run.prefetch": "true"},
}
DEVICE = torch.device("cuda", 0)


def rows(name: str, overrides: Sequence[str], steps: int, compiled: bool) -> list[dict[str, Any]]:
    """One row per part and way of the recipe: milliseconds, and how far the results are from the plain network's."""
    configuration = _configuration(name, overrides)
    cases = _cases(configuration, RECIPES[name][1])
    found = [
        {"recipe": name, **row} for row in (*_images(configuration, cases), *_network(configuration, cases, compiled))
    ]
    for way, settings in WAYS.items():
        if compiled or "compiled" not in way:
            milliseconds = _whole_step(_with(configuration, settings), cases, steps)
            found.append({"recipe": name, "part": "step", "way": way, "ms": round(milliseconds, 2)})
            print(found[-1], flush=True)
    return found


def _configuration(name: str, overrides: Sequence[str]) -> TrainingConfiguration:
    file_name, _, settings = RECIPES[name]
    chosen = dict(text.partition("=")[::2] for text in overrides)
    return _with(read_configuration(FOLDER / file_name), {**settings, **chosen})


def _with(configuration: TrainingConfiguration, settings: dict[str, str]) -> TrainingConfiguration:
    for key, value in settings.items():
        configuration = with_override(configuration, key, value)
    return configuration


def _cases(configuration: TrainingConfiguration, size: tuple[int, int, int], count: int = 16) -> list[PreparedCase]:
    random, cases = np.random.default_rng(0), []
    synthetic = configuration.synthesis.active
    values = len(ids_in_order(configuration.synthesis)) if synthetic else configuration.num_classes
    channels = 0 if synthetic else configuration.in_channels
    for number in range(count):
        blocks = random.integers(0, values, tuple(edge // 8 + 1 for edge in size)).astype(np.uint8)
        labels = blocks.repeat(8, 0).repeat(8, 1).repeat(8, 2)[: size[0], : size[1], : size[2]]
        image = random.normal(size=(channels, *size)).astype(np.float16)
        cases.append(PreparedCase(f"case {number}", image, np.ascontiguousarray(labels)))
    return cases


def _images(configuration: TrainingConfiguration, cases: list[PreparedCase]) -> list[dict[str, Any]]:
    source = batch_source(stack_cases(cases, configuration.num_classes, DEVICE), configuration)
    numbers = list(range(configuration.optimizer.batch))
    expected = source.batch(7, numbers)
    found = [{"part": "images", "way": "plain", "ms": _milliseconds(lambda: source.batch(7, numbers))}]
    source.record(len(numbers))
    difference = _relative(source.batch(7, numbers).images, expected.images)
    milliseconds = _milliseconds(lambda: source.batch(7, numbers))
    found.append({"part": "images", "way": "recorded", "ms": milliseconds, "difference": f"{difference:.1e}"})
    print(*found, sep="\n", flush=True)
    return found


def _network(configuration: TrainingConfiguration, cases: list[PreparedCase], compiled: bool) -> list[dict[str, Any]]:
    source = batch_source(stack_cases(cases, configuration.num_classes, DEVICE), configuration)
    batch = source.batch(0, list(range(configuration.optimizer.batch)))
    torch.manual_seed(0)
    network = build_training_network(configuration).to(DEVICE).train()
    loss = SegmentationLoss(configuration.loss, configuration.num_classes).to(DEVICE)
    plain = copy.deepcopy(network)
    step = _plain_step(plain, loss, batch)
    expected = float(step())
    found = [{"part": "network", "way": "plain", "ms": _milliseconds(step)}]
    for way in ("recorded", "compiled") if compiled else ("recorded",):
        started = time.perf_counter()
        ours = copy.deepcopy(network)
        recorded = record_step(ours, loss, batch.images.shape, True, DEVICE, way == "compiled")
        step = _recorded_step(ours, recorded, batch)
        print(f"{way} in {time.perf_counter() - started:.1f} s", flush=True)
        loss_difference = abs(float(step()) - expected) / abs(expected)
        row = {"part": "network", "way": way, "ms": 0.0, "difference": f"{loss_difference:.1e}"}
        row["gradient_difference"] = f"{_relative(_gradients(ours), _gradients(plain)):.1e}"
        found.append({**row, "ms": _milliseconds(step)})
    print(*found, sep="\n", flush=True)
    return found


def _plain_step(network: nn.Module, loss: nn.Module, batch: Batch) -> Callable[[], Tensor]:
    def step() -> Tensor:
        network.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = network(batch.images)
        value = loss(logits, batch.labels, batch.labelled)
        value.backward()
        return value.detach()

    return step


def _recorded_step(network: nn.Module, recorded: Callable[..., Any], batch: Batch) -> Callable[[], Tensor]:
    def step() -> Tensor:
        network.zero_grad(set_to_none=True)
        value = recorded(batch.images, batch.labels, batch.labelled)[0]
        value.backward()
        return value.detach()

    return step


def _gradients(network: nn.Module) -> Tensor:
    return torch.cat([value.grad.flatten() for value in network.parameters() if value.grad is not None])


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _whole_step(configuration: TrainingConfiguration, cases: list[PreparedCase], steps: int) -> float:
    third = max(1, steps // 3)
    settings = {"optimizer.steps": str(3 * third), "run.log_interval": str(third), "run.checkpoint_interval": "1000000"}
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        chosen = _with(configuration, settings)
        Trainer(chosen, build_training_network(chosen), cases, [], Path(folder), DEVICE).train()
        with (Path(folder) / "curves.csv").open() as stream:
            return float(list(csv.DictReader(stream))[-1]["milliseconds_per_step"])


def _milliseconds(step: Callable[[], Any], rounds: int = 20) -> float:
    times = []
    for _ in range(rounds + 3):
        torch.cuda.synchronize()
        start = time.perf_counter()
        step()
        torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return round(statistics.median(times[3:]), 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--recipe", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--steps", type=int, default=150, help="steps of each whole run; the last third is timed")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled ways out, which take minutes")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replaces a value of a recipe")
    parser.add_argument("--output", type=Path, help="CSV file")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("This machine has no CUDA device.", file=sys.stderr)
        return 2
    torch.backends.cudnn.benchmark = True
    table = [
        row for name in arguments.recipe for row in rows(name, arguments.set, arguments.steps, not arguments.no_compile)
    ]
    columns = ("recipe", "part", "way", "ms", "difference", "gradient_difference")
    table = [{column: row.get(column, "") for column in columns} for row in table]
    print(torch.cuda.get_device_name(), torch.__version__)
    print(markdown(table))
    if arguments.output:
        write_csv(arguments.output, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
