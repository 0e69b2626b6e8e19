"""Whole segmentations, from the volume in memory to its labelmap, by stage; and how time grows with size and labels."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from contestants import PEERS
from torch import nn

from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.result import STAGES
from LightMedSegLib.inference.search import coarse_input
from LightMedSegLib.io.sample_data import sample_path
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.store import resolve_model
from LightMedSegLib.network import build_network
from LightMedSegLib.network.cpu import accelerate


@dataclass
class TimedModel:
    """What the engine needs of a model, around any network."""

    card: ModelCard
    network: nn.Module

    def build_network(self, device: str = "cpu") -> nn.Module:
        """The network on the device."""
        return self.network.eval().to(device)


def end_to_end_rows(device: str, rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Cold (first) and warm (median) seconds by stage for the scans that the project aims at."""
    rows = []
    for name, image, model in _cases(quick):
        rows += _timed(name, "ours", image, model, device, rounds)
        if model.card.input.preview_spacing is not None:
            coarse = replace(model, card=replace(model.card, input=coarse_input(model.card.input)))
            rows += _timed(f"{name}, preview", "ours", image, coarse, device, rounds)
        if not quick:
            peer = TimedModel(model.card, _Strided(PEERS["DynUNet (nnU-Net)"](1, model.card.num_classes, 96)))
            # Once is enough: minutes on a processor, beside which loading is nothing.
            rows += _timed(name, "DynUNet (nnU-Net)", image, peer, device, 0)
    return rows


def growth_rows(rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Seconds of our network alone over the edge of the volume, and over the number of labels."""
    edges, labels = ((64, 96), (2, 33)) if quick else ((64, 96, 128, 160), (2, 9, 33, 100))
    settings = [("voxels", edge, 9) for edge in edges] + [("labels", 96, count) for count in labels]
    rows = []
    for over, edge, classes in settings:
        network = accelerate(build_network("lightmedseg", 1, classes).eval())
        x = torch.randn(1, 1, edge, edge, edge)
        seconds = statistics.median(_seconds(lambda network=network, x=x: network(x)) for _ in range(rounds + 1))
        rows.append({"over": over, "edge": edge, "classes": classes, "seconds": round(seconds, 4)})
    return rows


def training_rows(rounds: int) -> list[dict[str, Any]]:
    """Steps a second of training on the processor: forward, backward and update of two hippocampus windows."""
    network = build_network("lightmedseg", 1, 3).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    x, target = torch.randn(2, 1, 48, 64, 48), torch.randint(0, 3, (2, 48, 64, 48))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), target).backward()
        optimizer.step()

    seconds = statistics.median(_seconds(step) for _ in range(rounds + 1))
    return [{"batch": 2, "window": "48x64x48", "steps_per_second": round(1 / seconds, 3)}]


class _Strided(nn.Module):
    """A peer with the attribute that the engine asks for."""

    total_stride = 32

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As the peer."""
        return self.network(x)


def _cases(quick: bool) -> list[tuple[str, sitk.Image, Model]]:
    cases = [
        ("hippocampus crop", sitk.ReadImage(str(sample_path("hippocampus"))), resolve_model("hippocampus-t1-mr")),
        ("head MR 256x256x192, 32 structures", whole_head(), resolve_model("brain-structures-mr")),
    ]
    if not quick:
        ct = _scan((512, 512, 300), (0.8, 0.8, 1.0), -1000, 40)
        cases.append(("CT 512x512x300, 7 organs", ct, resolve_model("headneck-oar-ct")))
    return cases


def whole_head() -> sitk.Image:
    """The sample head, 1 mm, in the middle of 256x256x192 voxels of air, as large as a head scan."""
    brain = sitk.ReadImage(str(sample_path("head")))
    missing = [wanted - have for wanted, have in zip((256, 256, 192), brain.GetSize(), strict=True)]
    padded = sitk.ConstantPad(brain, [max(0, m) // 2 for m in missing], [max(0, m - m // 2) for m in missing], 0.0)
    return sitk.RegionOfInterest(padded, (256, 256, 192), [max(0, -m) // 2 for m in missing])


def _scan(size: tuple[int, int, int], spacing: tuple[float, float, float], air: int, tissue: int) -> sitk.Image:
    """A noisy ellipsoid in air: as much body as a head or trunk has."""
    z, y, x = (((np.arange(n) - n / 2) / (0.45 * n)) ** 2 for n in reversed(size))
    body = (z[:, None, None] * 0.5 + y[:, None] + x) < 1
    array = np.random.default_rng(0).integers(0, 60, body.shape, dtype=np.int16)
    array += np.where(body, np.int16(tissue), np.int16(air - 60))
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    return image


def _timed(name: str, network: str, image: sitk.Image, model: Any, device: str, rounds: int) -> list[dict[str, Any]]:
    start = time.perf_counter()
    engine = Engine(model, device)
    stages = [engine.segment(image).timings]
    totals = [time.perf_counter() - start]
    for _ in range(rounds):
        start = time.perf_counter()
        stages.append(engine.segment(image).timings)
        totals.append(time.perf_counter() - start)
    rows = []
    for state, part in (("cold", slice(0, 1)), ("warm", slice(1, None)))[: 2 if rounds else 1]:
        row: dict[str, Any] = {"scan": name, "by": network, "state": state}
        row["seconds"] = round(statistics.median(totals[part]), 3)
        row |= {stage: round(statistics.median(one[stage] for one in stages[part]), 3) for stage in STAGES}
        rows.append(row)
        print(f"{name:40s} {network:18s} {state} {row['seconds']:8.2f} s", flush=True)
    return rows


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
