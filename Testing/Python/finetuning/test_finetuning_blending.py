"""How much of a fine-tuning is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from finetuning_factory import installed_with_cases, quick_job

from LightMedSegLib.finetuning.job import job as jobs
from LightMedSegLib.finetuning.job.job import run_job
from LightMedSegLib.finetuning.tuning.blending import blended, largest_share

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def test_weights_lie_between_both_but_new_classes_are_kept_whole() -> None:
    parent = {"stem.weight": torch.zeros(2), "head.classify.weight": torch.zeros(32, 2)}
    tuned = {"stem.weight": torch.ones(2), "head.classify.weight": torch.ones(32, 2)}
    result = blended(parent, tuned, 0.25, known=3)
    assert result["stem.weight"].tolist() == [0.25, 0.25]
    assert result["head.classify.weight"].tolist() == ([[0.25, 0.25]] * 3 + [[1.0, 1.0]]) * 8
    assert tuned["head.classify.weight"].tolist() == [[1.0, 1.0]] * 32


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((0.0,), 1.0),
        ((float("nan"),), 1.0),
        ((0.04, 0.009), 0.5),
        ((0.04, 0.012, 0.008), 0.375),
        ((0.011, 0.009), 0.875),
        ((0.64,), 0.125),
    ],
)
def test_no_more_is_given_up_than_needed(losses: tuple[float, ...], expected: float) -> None:
    remaining = iter(losses)
    assert largest_share(lambda share: next(remaining), 0.01) == expected
    assert not list(remaining)


def test_a_model_that_would_forget_keeps_a_part_of_what_it_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, parent = installed_with_cases(tmp_path, cases=2)
    whole = run_job(quick_job(), tmp_path / "whole")
    perfect, poor = np.diag([900, 100, 100]), np.array([[900, 4, 4], [0, 96, 0], [0, 0, 96]])
    answers = iter([perfect, poor, perfect])
    monkeypatch.setattr(jobs, "rehearsed_and_checked", lambda cases: ([], [None]))
    monkeypatch.setattr(jobs._Job, "_on_reference", lambda *_: next(answers).astype(np.int64))
    most = run_job(quick_job(), tmp_path / "most")
    assert "75% of what the training changed is kept" in most.verdict.notes[-1]
    assert [row.before for row in most.verdict.reference] == [1.0, 1.0]
    assert whole.candidate is not None and most.candidate is not None
    all_of_it, most_of_it = (store.find(name).weights() for name in (whole.candidate, most.candidate))
    for name, old in parent.weights().items():
        between = 0.25 * old.astype(np.float32) + 0.75 * all_of_it[name].astype(np.float32)
        np.testing.assert_allclose(most_of_it[name].astype(np.float32), between, atol=2e-3)
    tested = [row.after for row in most.verdict.held_out]
    assert tested != [row.after for row in whole.verdict.held_out]
