"""Whole scans on a CUDA device, from image to labelmap, with the recorded network and with the compiled one."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from LightMedSegLib.core.user_folders import shipped_models_folder
from LightMedSegLib.network import build_network
from LightMedSegLib.network.cuda.choice import CUDA_PATH_VARIABLE
from LightMedSegLib.network.cuda.network import RecordedNetwork
from LightMedSegLib.network.cuda.task import CompileTask

_ROUNDS = 4
_LONGEST_LOADING = 25.0


class Scan:
    """An image and an engine for it, which is kept from one timing to the next."""

    def __init__(self, name: str, image: Any, model: Any, device: str) -> None:
        from LightMedSegLib.inference.engine import Engine

        self.name, self._image, self._device = name, image, device
        os.environ[CUDA_PATH_VARIABLE] = "float16"
        self._recorded = Engine(model, device)
        self._recorded._networks.on(self._recorded.device.name)
        os.environ[CUDA_PATH_VARIABLE] = "compiled"
        self._compiled = Engine(model, device)

    def row(self, form: str) -> dict[str, Any]:
        """The warm scan with the recorded network."""
        return self._timed(self._recorded, form)

    def tasks(self) -> list[CompileTask]:
        """What has to be compiled for it."""
        self._recorded.segment(self._image)
        recorded = self._recorded._networks.built[self._recorded.device.name]
        sources = [recording.source for recording in recorded._recordings.values()]
        return [
            CompileTask.of(recorded.network, "float16", tuple(x.shape), tuple(x.stride()), str(x.device))
            for x in sources
        ]

    def compiled_row(self, done: Sequence[CompileTask]) -> dict[str, Any]:
        """The warm scan once the engine has loaded the compiled network beside its work."""
        tasks = self.tasks()
        wanted = [task for task in tasks if task in done]
        network = self._compiled._networks.on(self._compiled.device.name)
        if not isinstance(network, RecordedNetwork) or network._compiler is None or not wanted:
            raise RuntimeError("nothing was compiled for it")
        network._compiler._quiet_seconds = 0.0
        limit = time.perf_counter() + _LONGEST_LOADING
        while len(network._compiler._adopted) < len(wanted) and time.perf_counter() < limit:
            self._compiled.segment(self._image)
        print(network.explanation, flush=True)
        return self._timed(self._compiled, f"compiled, {len(network._compiler._adopted)} of {len(tasks)} sizes")

    def _timed(self, engine: Any, form: str) -> dict[str, Any]:
        stages, totals = [], []
        for turn in range(_ROUNDS + 1):
            start = time.perf_counter()
            result = engine.segment(self._image)
            if turn:
                totals.append(time.perf_counter() - start)
                stages.append(result.timings)
        row = {"scan": self.name, "form": form, "device": result.device, "s": round(statistics.median(totals), 3)}
        return row | {stage: round(statistics.median(one[stage] for one in stages), 3) for stage in stages[0]}


def scans(device: str, small: bool) -> list[Scan]:
    """A CT of 512x512x300 voxels and a head at 1 mm; small: a tiny CT alone."""
    from end_to_end import _scan, whole_head

    size, spacing = ((64, 64, 40), (3.0, 3.0, 2.5)) if small else ((512, 512, 300), (0.8, 0.8, 1.0))
    made = [Scan(f"CT {'x'.join(map(str, size))}", _scan(size, spacing, -1000, 40), _model("headneck-oar-ct"), device)]
    if not small:
        made.append(Scan("head MR 256x256x192", whole_head(), _model("brain-structures-mr"), device))
    return made


def _model(name: str) -> Any:
    """The shipped model; with fresh weights, and no clean-up of their noise, where its weights do not fit."""
    from end_to_end import TimedModel

    from LightMedSegLib.model.card import ModelCard
    from LightMedSegLib.model.store import resolve_model

    try:
        model = resolve_model(name)
        model.build_network("cpu")
        return model
    except Exception as error:
        print(f"{name} runs with fresh weights, without clean-up: {error}", flush=True)
    folder = shipped_models_folder()
    assert folder is not None
    card = ModelCard.from_json((folder / name / "model.json").read_text(encoding="utf-8"))
    torch.manual_seed(0)
    network = build_network("lightmedseg", 1, card.num_classes)
    return TimedModel(replace(card, postprocessing=()), network)
