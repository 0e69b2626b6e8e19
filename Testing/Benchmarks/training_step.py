"""Time a whole training step on CUDA: the plain modules against our kernel and recorded step, on the same batch.

Usage: python Testing/Benchmarks/training_step.py [--rounds 10] [--output training-step.csv]

"recorded" is our depthwise kernel and one CUDA graph (run.cuda_graph of a training configuration), "compiled" the same
after torch.compile has joined kernels (run.compile too). All take the same weights, images and labels and must come to
the same loss and gradients: the relative differences to the plain modules stand in the table.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from report import markdown, write_csv  # noqa: E402

from LightMedSegLib.network import build_network  # noqa: E402
from LightMedSegLib.network.depthwise import DepthwiseConv3d  # noqa: E402
from LightMedSegLib.training.configuration import LossSection  # noqa: E402
from LightMedSegLib.training.cuda_graph import record_step  # noqa: E402
from LightMedSegLib.training.losses import SegmentationLoss  # noqa: E402

SHAPES = {
    "hippocampus": ((16, 1, 48, 64, 48), 3),
    "head and neck": ((6, 1, 64, 96, 96), 8),
    "cube of 96": ((2, 1, 96, 96, 96), 14),
}

Step = Callable[[], Tensor]


def rows(rounds: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """One row per shape and way: median milliseconds, the ratio to plain, and how far the results differ."""
    table = []
    for name in names:
        shape, classes = SHAPES[name]
        torch.manual_seed(0)
        ours = build_network("lightmedseg", shape[1], classes, deep_supervision=True).cuda().train()
        plain = copy.deepcopy(ours)
        for module in plain.modules():
            if isinstance(module, DepthwiseConv3d):
                module.plain = True
        x = torch.randn(*shape, device="cuda")
        labels = torch.randint(0, classes, (shape[0], *shape[2:]), device="cuda")
        ways = {"recorded": copy.deepcopy(ours), "compiled": ours}
        plain_step = _plain_step(plain, x, labels, classes)
        expected, plain_ms = plain_step().item(), _milliseconds(plain_step, rounds)
        for way, network in ways.items():
            step = _recorded_step(network, x, labels, classes, way == "compiled")
            loss, gradient = step().item(), _difference(plain, network)
            milliseconds = _milliseconds(step, rounds)
            table.append(
                {
                    "batch": f"{name}, {'x'.join(map(str, shape))}, {classes} classes",
                    "way": way,
                    "plain_ms": round(plain_ms, 1),
                    "ours_ms": round(milliseconds, 1),
                    "times_faster": round(plain_ms / milliseconds, 2),
                    "loss_difference": f"{abs(expected - loss) / abs(expected):.1e}",
                    "gradient_difference": f"{gradient:.1e}",
                }
            )
            print(table[-1], flush=True)
    return table


def _plain_step(network: nn.Module, x: Tensor, labels: Tensor, classes: int) -> Step:
    loss, labelled = SegmentationLoss(LossSection(), classes).cuda(), _all(x, classes)

    def step() -> Tensor:
        network.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            logits = network(x)
        value = loss(logits, labels, labelled)
        value.backward()
        return value.detach()

    return step


def _recorded_step(network: nn.Module, x: Tensor, labels: Tensor, classes: int, compiled: bool) -> Step:
    labelled = _all(x, classes)
    recorded = record_step(network, SegmentationLoss(LossSection(), classes).cuda(), x.shape, True, x.device, compiled)

    def step() -> Tensor:
        network.zero_grad(set_to_none=True)
        value, _ = recorded(x, labels, labelled)
        value.backward()
        return value.detach()

    return step


def _all(x: Tensor, classes: int) -> Tensor:
    return torch.ones((len(x), classes), dtype=torch.bool, device=x.device)


def _difference(plain: nn.Module, ours: nn.Module) -> float:
    """||difference|| / ||plain|| over the gradients of all parameters together."""
    pairs = [
        (a.grad, b.grad)
        for a, b in zip(plain.parameters(), ours.parameters(), strict=True)
        if a.grad is not None and b.grad is not None
    ]
    expected, found = (torch.cat([pair[side].flatten() for pair in pairs]) for side in (0, 1))
    return float((expected - found).norm() / expected.norm())


def _milliseconds(step: Step, rounds: int) -> float:
    for _ in range(3):
        step()
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        step()
        torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--output", type=Path, help="CSV file")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("This machine has no CUDA device.", file=sys.stderr)
        return 2
    table = rows(arguments.rounds, arguments.batch)
    print(torch.cuda.get_device_name(), torch.__version__)
    print(markdown(table))
    if arguments.output:
        write_csv(arguments.output, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
