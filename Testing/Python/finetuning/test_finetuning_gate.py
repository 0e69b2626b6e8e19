"""The gate, what is held out for it, and how its figures are counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from model_factory import make_labels

from LightMedSegLib.core.labels import Label
from LightMedSegLib.finetuning.gate.advice import next_steps
from LightMedSegLib.finetuning.gate.confusion import confusion, dice_of
from LightMedSegLib.finetuning.gate.gate import Cause, Comparison, judge, mistakes
from LightMedSegLib.finetuning.gate.held_out import GAP_VOXELS, best_cut, plan_folds
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.tuning.crops import training_crops
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

LABELS = tuple(Label.from_json(label) for label in make_labels(2))
NAMES = [label.name for label in LABELS]
SETTINGS = FinetuneSettings()


def prepared(labels: np.ndarray, labelled: tuple[int, ...] | None = None) -> PreparedCase:
    return PreparedCase("case", labels[None].astype(np.float16), labels, labelled)


def layers(shape: tuple[int, int, int]) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    labels[2:-2, 2:-2, 2 : shape[2] // 2] = 1
    labels[2:-2, 2:-2, shape[2] // 2 : -2] = 2
    return labels


class Reader(torch.nn.Module):
    """Predicts the class that the image holds as a number."""

    total_stride = 1

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.stack([-(image[:, 0] - value).abs() for value in range(3)], dim=1)


@pytest.mark.parametrize("shape", [(7, 9, 30), (8, 8, 8), (17, 8, 3)])
def test_every_known_voxel_is_counted_once_however_the_windows_fall(shape: tuple[int, int, int]) -> None:
    labels = np.random.default_rng(0).choice(np.array([0, 1, 2, IGNORED], np.uint8), shape)
    image = np.random.default_rng(1).integers(0, 3, shape)
    case = PreparedCase("case", image[None].astype(np.float16), labels)
    counts = confusion(Reader(), case, 3, (8, 8, 8), torch.device("cpu"))
    expected = np.array([[((image == p) & (labels == t)).sum() for t in range(3)] for p in range(3)])
    np.testing.assert_array_equal(counts, expected)


def test_what_nobody_looked_for_counts_as_background() -> None:
    labels = np.array([[[0, 1, 2, 2]]], np.uint8)
    image = np.array([[[[2, 1, 2, 1]]]], np.float16)
    counts = confusion(Reader(), PreparedCase("case", image, labels, (1,)), 3, (1, 1, 4), torch.device("cpu"))
    np.testing.assert_array_equal(counts, [[2, 0, 0], [1, 1, 0], [0, 0, 0]])
    assert dice_of(counts, 1) == pytest.approx(2 / 3)
    assert math.isnan(dice_of(counts, 2))


def test_swapped_labels_are_noticed_and_named() -> None:
    swapped = np.array([[900, 10, 10], [10, 5, 300], [10, 310, 5]])
    (reason,) = mistakes(swapped, LABELS, {1, 2}, set(), "3")
    assert "case 3" in reason and "swapped" in reason and all(name in reason for name in NAMES)
    straight = swapped[:, [0, 2, 1]]
    assert not mistakes(straight, LABELS, {1, 2}, set(), "3")


def test_a_poor_model_that_finds_one_label_everywhere_is_no_sign_of_swapped_labels() -> None:
    assert not mistakes(np.array([[100, 0, 0], [900, 300, 310], [0, 0, 0]]), LABELS, {1, 2}, set(), "1")


def test_an_empty_correction_is_noticed_unless_the_absence_is_confirmed() -> None:
    empty = np.array([[900, 0, 10], [300, 0, 0], [0, 0, 200]])
    (reason,) = mistakes(empty, LABELS, {1, 2}, set(), "1")
    assert "empty" in reason and "300 voxels" in reason and NAMES[0] in reason
    assert not mistakes(empty, LABELS, {1, 2}, {1}, "1")
    assert not mistakes(empty, LABELS, {2}, set(), "1")


def rows(*pairs: tuple[float, float], voxels: int = 500) -> list[Comparison]:
    return [Comparison(name, *pair, voxels) for name, pair in zip(NAMES, pairs, strict=False)]


def test_an_improvement_without_forgetting_is_accepted() -> None:
    verdict = judge(rows((0.6, 0.8), (0.7, 0.7)), rows((0.9, 0.895), (0.9, 0.9)), SETTINGS, NAMES)
    assert verdict.accepted and not verdict.reasons
    assert verdict.to_json()["held_out"]["after"] == 0.75


@pytest.mark.parametrize(
    ("held_out", "reference", "reason"),
    [
        (rows((0.8, 0.801)), rows((0.9, 0.9)), "not better"),
        (rows((0.8, 0.7)), rows((0.9, 0.9)), "not better"),
        (rows((0.5, 0.9), (0.9, 0.8)), rows((0.9, 0.9)), "Structure 2 became worse"),
        (rows((0.5, 0.9)), rows((0.9, 0.889)), "forgets"),
        (rows((math.nan, math.nan)), rows((0.9, 0.9)), "too small"),
        ([], [], "too small"),
    ],
)
def test_what_is_not_accepted_says_why(held_out: list[Comparison], reference: list[Comparison], reason: str) -> None:
    verdict = judge(held_out, reference, SETTINGS, NAMES)
    assert not verdict.accepted
    assert any(reason in text for text in verdict.reasons)


@pytest.mark.parametrize(
    ("held_out", "reference", "scans", "kinds", "words"),
    [
        (
            rows((0.985, 0.973)), rows((0.9, 0.9)), 1, ["not_better"],
            ["add scans on which it goes wrong", "of Structure 1, which became", "scans: one scan is little"],
        ),
        (rows((0.755, 0.754)), rows((0.9, 0.9)), 2, ["not_better"], ["2 scans are little to learn from"]),
        (rows((0.5, 0.9), (0.9, 0.8)), rows((0.9, 0.9)), 5, ["worse"], ["corrections of Structure 2, which became"]),
        (rows((0.5, 0.9)), rows((0.9, 0.8)), 5, ["forgets"], ["like those that the model was trained for"]),
        (rows((math.nan, math.nan)), rows((0.9, 0.9)), 1, ["too_small"], ["review a larger part"]),
    ],
)  # fmt: skip
def test_what_is_not_accepted_says_what_to_do_next(
    held_out: list[Comparison], reference: list[Comparison], scans: int, kinds: list[str], words: list[str]
) -> None:
    content = judge(held_out, reference, SETTINGS, NAMES, scans).to_json()
    assert [cause["kind"] for cause in content["causes"]] == kinds
    assert len(content["next_steps"]) == len(words), content["next_steps"]
    assert all(word in step for word, step in zip(words, content["next_steps"], strict=True))
    if kinds == ["worse"]:
        assert content["causes"][0] == {"kind": "worse", "structure": "Structure 2", "before": 0.9, "after": 0.8}


def test_enough_scans_bring_no_advice_to_add_more_and_an_accepted_version_brings_none() -> None:
    rejected = judge(rows((0.755, 0.754)), rows((0.9, 0.9)), SETTINGS, NAMES, 7)
    assert not any("little to learn from" in step for step in rejected.next_steps)
    assert judge(rows((0.6, 0.8)), rows((0.9, 0.9)), SETTINGS, NAMES, 1).next_steps == ()


def test_a_structure_that_is_not_learnt_and_a_mistake_have_their_advice() -> None:
    verdict = judge(rows((0.6, 0.8), (0.0, 0.1)), rows((0.9, 0.9)), SETTINGS, NAMES[:1], 4)
    assert verdict.next_steps == ("Add scans that show Structure 2.",)
    (step,) = next_steps([Cause("mistake", "Swapped?")], (), 1)
    assert step.startswith("Fix the corrections")


def test_a_sliver_of_a_structure_does_not_decide_alone() -> None:
    held_out = [*rows((0.5, 0.9)), *rows((0.0, 0.0), (0.3, 0.0), voxels=20)[1:]]
    assert judge(held_out, rows((0.9, 0.9)), SETTINGS, NAMES).accepted


def test_the_cut_goes_through_most_structures() -> None:
    """Two small ones lie on one side of every cut; they must not decide that the third is not cut either."""
    labels = np.zeros((40, 20, 20), np.uint8)
    labels[2:38, 2:6, 2:6] = 1
    labels[2:38, 14:18, 14:18] = 2
    labels[3:5, 2:4, 10:12] = 3
    axis, cut = best_cut(prepared(labels)) or (None, 0)
    assert axis == 0 and 15 <= cut <= 25


def test_a_new_structure_must_have_been_learnt() -> None:
    reference = rows((0.9, 0.9))
    for after, accepted in ((0.1, False), (math.nan, False), (0.5, True)):
        verdict = judge(rows((0.6, 0.8), (0.0, after)), reference, SETTINGS, NAMES[:1])
        assert verdict.accepted is accepted
        assert accepted or "Structure 2 has not been learnt" in " ".join(verdict.reasons)


def test_without_a_reference_set_the_user_is_told_so() -> None:
    verdict = judge(rows((0.6, 0.8)), [], SETTINGS, NAMES)
    assert verdict.accepted and "no reference set" in " ".join(verdict.notes)


def test_every_case_is_held_out_once_and_never_trained_on_in_that_turn() -> None:
    for count, most in ((2, 3), (3, 3), (7, 3), (5, 9)):
        names = [f"case {number}" for number in range(count)]
        folds = plan_folds([[name] for name in names], most)
        assert len(folds) == min(count, most)
        assert sorted(fold_case.case_id for fold in folds for fold_case in fold.test) == names
        for fold in folds:
            assert sorted(fold_case.case_id for fold_case in (*fold.train, *fold.test)) == names


def test_a_single_case_is_cut_where_all_its_structures_are_on_both_sides() -> None:
    case = prepared(layers((24, 16, 20)))
    assert best_cut(case)[0] != 2  # the two structures lie side by side along x
    (fold,) = plan_folds([["case"]], 3, case)
    halves = [fold_case.of(case) for fold_case in (*fold.train, *fold.test)]
    known = [half.labels != IGNORED for half in halves]
    assert not (known[0] & known[1]).any()
    assert (~(known[0] | known[1])).sum() == 2 * GAP_VOXELS * case.labels.size // case.labels.shape[best_cut(case)[0]]
    assert all({1, 2} <= set(np.unique(half.labels)) for half in halves)


def test_nothing_is_held_out_of_a_case_too_small_to_be_cut() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[8:11, 8:11, 8:11] = 1
    assert not plan_folds([["case"]], 3, prepared(labels))


def test_crops_are_centred_on_every_structure_and_small_cases_stay_whole() -> None:
    labels = np.zeros((60, 60, 60), np.uint8)
    labels[5:8, 5:8, 5:8] = 1
    labels[40:50, 40:50, 40:50] = 2
    crops = training_crops(prepared(labels), (16, 16, 16), 4, 0)
    assert [crop.labels.shape for crop in crops] == [(20, 20, 20)] * 4
    assert [bool((crop.labels == 1).any()) for crop in crops] == [True, False, True, False]
    small = prepared(labels[:10, :10, :10])
    assert training_crops(small, (16, 16, 16), 4, 0) == [small]
    assert not training_crops(prepared(np.full((9, 9, 9), IGNORED, np.uint8)), (16, 16, 16), 4, 0)
