"""The verdict of a fine-tuning stays on the disk until somebody decides, or the next job has begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripted_finetuning import Finetune, verdict

MODEL = "self-test@1.0.0"


def write_verdict(jobs: Path) -> Path:
    file = jobs / MODEL / "result.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(verdict()))
    return file


def shown_verdict(finetune: Finetune) -> Path:
    """The file of a verdict that the panel shows, with a case to start another job."""
    finetune.install("1.1.0-tuned.1", parent=MODEL)
    finetune.result()
    finetune.add_case()
    file = write_verdict(finetune.bench.panel.logic.jobs_folder)
    finetune.bench.panel.update()
    assert finetune.ui.verdictFrame.visible
    return file


def test_a_job_that_cannot_start_leaves_the_verdict_of_the_last_one(finetune: Finetune) -> None:
    file = shown_verdict(finetune)

    def fails(folder: Path) -> Any:
        raise OSError(12, "Cannot allocate memory")

    finetune.bench.panel.logic.launch = fails
    finetune.ui.finetuneButton.click()
    assert not finetune.section.running and "Cannot allocate memory" in finetune.ui.finetuneLabel.text
    assert finetune.ui.verdictFrame.visible and file.exists()


def test_a_job_that_starts_replaces_the_verdict_of_the_last_one(finetune: Finetune) -> None:
    file = shown_verdict(finetune)
    finetune.start()
    assert not finetune.ui.verdictFrame.visible and not file.exists()


def test_only_the_verdict_that_was_shown_is_deleted(finetune: Finetune, tmp_path: Path) -> None:
    """The self test gives the panel folders of its own and then the user's back, with the same models."""
    file, panel = shown_verdict(finetune), finetune.bench.panel
    others = write_verdict(tmp_path / "the user's jobs")
    panel.logic.jobs_folder = tmp_path / "the user's jobs"
    panel.verdict.dismiss()
    assert others.exists() and not file.exists()
