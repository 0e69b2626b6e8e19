"""The panel in the runtime: with stand-ins for the library and the fine-tuning process, and with the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from finetune_bench import MODEL, FinetuneBench
from forked_job import ForkedJob
from panel_bench import MODULE_FILE, Bench
from scripted_finetuning import Finetune


@pytest.fixture
def finetune(bench: Bench, tmp_path: Path) -> Iterator[Finetune]:
    from LightMedSegLib.finetuning.cases.store import CaseStore

    logic, made = bench.panel.logic, Finetune(bench)
    logic.cases, logic.jobs_folder, logic.launch = CaseStore(tmp_path / "cases"), tmp_path / "jobs", made.launch
    bench.ui.finetuneSectionButton.collapsed = False
    bench.panel.cases.reload()
    bench.panel.update()
    yield made
    made.section.close()


@pytest.fixture
def finetune_bench(slicer_runtime: Any) -> Iterator[FinetuneBench]:
    """The opened panel with the shipped models and an empty folder of the user's; jobs, forked, take few steps."""
    from LightMedSegLib.core.user_folders import user_data_folder
    from LightMedSegLib.finetuning.job.settings import FinetuneSettings

    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    panel.parameters.model = MODEL
    panel.ui.finetuneSectionButton.collapsed = False
    # What is tested is the way, not the gain, which so few steps cannot promise.
    panel.logic.finetune_settings = FinetuneSettings(steps=2, minimum_gain=0.0, reference_tolerance=0.1)
    panel.logic.launch = ForkedJob
    bench = FinetuneBench(slicer_runtime, panel, user_data_folder())
    yield bench
    panel.finetune.close()
