"""The steps of a user who fine-tunes a model: a part of the module's self test."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.gui.segment.processing import usable_models
from LightMedSegLib.gui.segment.samples import fill_panel
from LightMedSegLib.gui.self_test.panel import opened
from LightMedSegLib.gui.self_test.waiting import wait_until
from LightMedSegLib.gui.torch_setup import torch_installed
from LightMedSegLib.model.store import ModelStore

_STEPS = 5
_LONG = 600.0


def a_correction_teaches_a_real_model(test: Any, panel: Any) -> None:
    """Segment the small sample, correct, add the case, fine-tune, adopt, go back; only with torch and a model."""
    if not torch_installed() or not [entry for entry in usable_models(panel.logic.store) if entry.shipped]:
        test.delayDisplay("No torch or no shipped model: the real fine-tuning is left out")
        return
    with _own_folders(panel):
        opened(test)
        fill_panel(panel, "hippocampus")
        before = panel.parameters.model
        panel.ui.segmentButton.click()
        wait_until(test, lambda: not panel.run.running, "the segmentation", _LONG)
        _correct(panel.parameters.outputSegmentation, panel.result.volume())
        panel.update()
        panel.ui.addCaseButton.click()
        wait_until(test, lambda: not panel.addCase.adding, "the case", _LONG)
        test.assertEqual(len(panel.cases.usable), 1, panel.ui.addCaseLabel.text)
        panel.ui.finetuneButton.click()
        test.assertTrue(panel.finetune.running, panel.ui.finetuneLabel.text)
        wait_until(test, lambda: not panel.finetune.running, "the verdict", _LONG)
        test.assertEqual(len(panel.finetune.progress.loss), 2 * _STEPS, panel.ui.finetuneLabel.text)
        test.assertIsNotNone(panel.verdict.candidate, panel.ui.verdictTitleLabel.text)
        test.assertGreater(panel.ui.verdictTable.rowCount, 0)
        test.assertEqual(panel.parameters.model, before, "nothing is adopted without a click")
        candidate = panel.verdict.candidate
        panel.ui.adoptButton.click()
        test.assertEqual(panel.parameters.model, candidate, panel.ui.verdictLabel.text)
        panel.ui.rollBackButton.click()
        test.assertEqual(panel.parameters.model, before)


def _correct(node: Any, volume: Any) -> None:
    """Grow every structure by a voxel on one side."""
    for segment_id in node.GetSegmentation().GetSegmentIDs():
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            np.maximum(mask, np.roll(mask, 1, axis=1)), node, segment_id, volume
        )


@contextlib.contextmanager
def _own_folders(panel: Any) -> Iterator[None]:
    """Use temporary folders for models, cases and jobs, so that the user's own stay unchanged."""
    logic = panel.logic
    before = logic.store, logic.cases, logic.jobs_folder, logic.finetune_settings, panel.ui.adoptCheckBox.checked
    with tempfile.TemporaryDirectory(dir=slicer.app.temporaryPath) as name:
        folder = Path(name)
        logic.store = ModelStore(user=folder / "models")
        logic.cases, logic.jobs_folder = CaseStore(folder / "cases"), folder / "jobs"
        # The workflow is tested, not the gain, which so few steps cannot guarantee.
        logic.finetune_settings = FinetuneSettings(steps=_STEPS, minimum_gain=0.0, reference_tolerance=0.1)
        panel.ui.adoptCheckBox.checked = False
        _reload(panel)
        try:
            yield
        finally:
            panel.finetune.close()
            panel.verdict.dismiss()
            logic.store, logic.cases, logic.jobs_folder, logic.finetune_settings, checked = before
            panel.ui.adoptCheckBox.checked = checked
            _reload(panel)


def _reload(panel: Any) -> None:
    panel.models.reload()
    panel.cases.reload()
    panel.versions.reload()
