"""Training by prompts: objects and wrong masks, the simulated user, the loss, and a whole run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training_factory import CPU, configuration, content, prepared_cases

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.losses import SegmentationLoss
from LightMedSegLib.learning.prepared_case import PreparedCase, write_prepared
from LightMedSegLib.model.package import load_model
from LightMedSegLib.training.configuration.reader import configuration_of
from LightMedSegLib.training.prompting.degrading import Degrading
from LightMedSegLib.training.prompting.loss import KEPT, PromptingLoss, labels_with_kept
from LightMedSegLib.training.prompting.objects import CaseOnDevice, find_objects, whole_window
from LightMedSegLib.training.prompting.painting import Painter
from LightMedSegLib.training.prompting.regions import connected, region
from LightMedSegLib.training.prompting.source import PromptedObjects
from LightMedSegLib.training.prompting.user import NEWEST, Prompts, SimulatedUser, answered
from LightMedSegLib.training.run import run_training
from LightMedSegLib.training.split import Split

SIZE = 32
PATCH = (SIZE, SIZE, SIZE)


def prompting(**changes: object) -> TrainingConfiguration:
    settings = {"active": True, "replaced": 1, "validation_objects": 2, "validation_rounds": 2, **changes}
    base = content(prompting=settings, network={"name": "lightmedseg-tiny"})
    base["labels"] = base["labels"][:1]
    base["input"]["patch"] = list(PATCH)
    base["loss"] = {"batch_dice": False}
    return configuration_of(base)


def mixed_cases() -> list[PreparedCase]:
    scans = prepared_cases(3)
    labelmap = PreparedCase("map", np.zeros((0, *scans[0].labels.shape), np.float16), 2 * scans[0].labels)
    return [*scans, labelmap]


def cube(low: int, high: int) -> torch.Tensor:
    mask = torch.zeros((1, 1, *PATCH), dtype=torch.bool)
    mask[..., low:high, low:high, low:high] = True
    return mask


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_window_shows_the_object_where_the_image_has_it() -> None:
    case = prepared_cases(1)[0]
    placed = CaseOnDevice(case, CPU, 0)
    assert [place.value for place in placed.objects] == [1, 2]
    grid = placed.grid(whole_window(placed.objects[1], PATCH, 1.0), PATCH)
    mask, image = placed.mask(grid, [2]), placed.grey(grid, False)
    assert mask.sum() == (case.labels == 2).sum()
    assert image[mask].mean() > image[~mask].mean() + 1
    assert not placed.mask(grid, [7]).any()


def test_small_labels_and_cases_without_labels_are_no_objects() -> None:
    labels = np.zeros((8, 8, 8), np.uint8)
    assert find_objects(labels, np.random.default_rng(0)) == []
    labels[0, 0, :3] = 1
    assert find_objects(labels, np.random.default_rng(0)) == []


def test_a_batch_lasts_and_each_sample_gets_a_prompt_in_its_error() -> None:
    source = PromptedObjects(mixed_cases(), prompting(forgotten_mask=0.0, leak_probability=0.0), CPU)
    first = source.batch(0, [])
    assert first.images.shape == (2, 5, *PATCH) and torch.isfinite(first.images).all()
    newest = (first.images[:, 2:4] == NEWEST).flatten(1).sum(dim=1)
    assert (newest > 0).all()
    target = (first.labels % KEPT).float()
    source.observe(torch.stack([0.5 - target, target - 0.5], dim=1))
    second = source.batch(1, [])
    lasting = [bool((second.labels[n] % KEPT == target[n]).all()) for n in range(2)]
    assert lasting.count(True) == 1
    kept = lasting.index(True)
    # A perfect answer is the next mask, except that an exclude prompt cannot add what is missing.
    added = bool((first.images[kept, 2] == NEWEST).any())
    assert torch.equal(second.images[kept, 1] > 0, target[kept] > 0) or not added


def test_the_same_seed_gives_the_same_batches() -> None:
    first, again = (PromptedObjects(mixed_cases(), prompting(), CPU).batch(5, []) for _ in range(2))
    assert torch.equal(first.images, again.images) and torch.equal(first.labels, again.labels)


@pytest.mark.parametrize("careful", [True, False])
def test_the_user_includes_what_is_missing_and_excludes_what_leaks(careful: bool) -> None:
    user, none = SimulatedUser(PATCH, CPU, careful), torch.zeros((1, 1, *PATCH))
    for target, mask, includes in ((cube(6, 26), cube(6, 14), True), (cube(6, 14), cube(6, 26), False)):
        prompts = user(target, mask, none, none, seeded())
        assert bool(prompts.added) == includes
        drawn = prompts.include if includes else prompts.exclude
        other = prompts.exclude if includes else prompts.include
        assert (drawn == NEWEST).any() and not other.any()
        assert ((drawn > 0) & (mask != target)).any()
        assert prompts.drawn.any() and ((drawn == NEWEST) | ~prompts.drawn).all()


def test_the_user_does_not_prompt_twice_in_one_place() -> None:
    user, none = SimulatedUser(PATCH, CPU, careful=True), torch.zeros((1, 1, *PATCH))
    first = user(cube(4, 28), cube(0, 0), none, none, seeded())
    second = user(cube(4, 28), cube(0, 0), first.include, first.exclude, seeded(1))
    assert ((second.include > 0) & (second.include < NEWEST)).any() and (second.include == NEWEST).any()
    assert not ((second.include == NEWEST) & (first.include > 0)).any() or (second.include > 0).sum() > 33


def test_a_mask_under_correction_only_grows_or_only_shrinks() -> None:
    logits = torch.cat([-cube(10, 20).float(), cube(10, 20).float()], dim=1) - 0.1 * torch.tensor([0.0, 1.0]).reshape(
        1, 2, 1, 1, 1
    )
    none, mask = torch.zeros((1, 1, *PATCH)), cube(5, 15)
    exclude = none.clone()
    exclude[0, 0, 12, 12, 12] = NEWEST
    grown = answered(logits, mask, Prompts(none, none, none > 0, torch.tensor([True])), torch.tensor([True]))
    shrunk = answered(logits, mask, Prompts(none, exclude, exclude > 0, torch.tensor([False])), torch.tensor([True]))
    fresh = answered(logits, mask, Prompts(none, none, none > 0, torch.tensor([False])), torch.tensor([False]))
    assert torch.equal(grown, mask | cube(10, 20)) and torch.equal(fresh, cube(10, 20))
    expected = mask & cube(10, 20)
    expected[0, 0, 12, 12, 12] = False
    assert torch.equal(shrunk, expected)


def test_wrong_masks_are_wrong_but_near_the_object() -> None:
    degrading, random = Degrading(Painter(PATCH, CPU)), np.random.default_rng(0)
    dice = []
    for seed in range(12):
        mask = degrading(cube(8, 24), seeded(seed), random)
        dice.append((2 * (mask & cube(8, 24)).sum() / (mask.sum() + cube(8, 24).sum())).item())
    assert min(dice) > 0.4 and np.mean(dice) < 0.97


def test_pseudo_objects_stop_at_edges() -> None:
    image = torch.where(cube(8, 24), 1.0, -1.0) + 0.05 * torch.randn((1, 1, *PATCH), generator=seeded())
    inside = [region(image, seeded(seed), np.random.default_rng(seed)) for seed in range(8)]
    for found in inside:
        share = (found & cube(8, 24)).sum() / found.sum()
        assert found.any() and (share > 0.8 or share < 0.3)


def test_only_what_is_joined_to_the_voxel_is_one_object() -> None:
    both = (cube(2, 10) | cube(16, 30))[0, 0]
    assert torch.equal(connected(both, (4, 4, 4)), cube(2, 10)[0, 0])


def test_a_map_of_random_shapes_has_its_object_and_an_image() -> None:
    painter = Painter(PATCH, CPU)
    for seed in range(6):
        tissues, target = painter.shapes(seeded(seed), np.random.default_rng(seed))
        image = painter.paint(tissues, seeded(seed), np.random.default_rng(seed))
        assert target.any() and target.shape == image.shape and torch.isfinite(image).all()


def test_a_change_of_what_was_right_costs_more_than_the_plain_loss() -> None:
    settings = configuration().loss
    plain = SegmentationLoss(settings, 2)
    loss = PromptingLoss(plain, 1.0)
    target, mask = cube(8, 24), cube(8, 20)
    labels = labels_with_kept(target, mask, torch.tensor([True]))
    assert torch.equal(labels % KEPT, target[:, 0].long()) and (labels >= KEPT).any()
    assert not ((labels >= KEPT) & (mask != target)[:, 0]).any()
    assert torch.equal(labels_with_kept(target, mask, torch.tensor([False])), target[:, 0].long())
    logits = torch.zeros((1, 2, *PATCH))
    assert loss(logits, target[:, 0].long()) == pytest.approx(plain(logits, target[:, 0].long()).item())
    assert loss(logits, labels) > plain(logits, target[:, 0].long())


def test_training_without_cases_is_refused_in_words() -> None:
    with pytest.raises(TrainingDataError, match="at least one prepared case"):
        PromptedObjects([], prompting(), CPU)


def test_a_run_gives_a_promptable_model_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    settings, cases, said = prompting(), mixed_cases(), []
    write_prepared(tmp_path / "prepared", cases, settings)
    names = [case.name for case in cases]
    split = Split(tuple(sorted(names[1:])), (names[0],), ())
    for limit, finished in ((0.0, False), (None, True)):
        result = run_training(
            settings, tmp_path / "prepared", tmp_path / "out", split, "cpu", limit, report=said.append
        )
        assert result.finished == finished
    assert "Resumed at step 1." in said and any("wrong masks: Dice of round 0 to 2" in line for line in said)
    model = load_model(tmp_path / "out" / "model")
    assert model.card.promptable and model.build_network().in_channels == 5
    assert "prompting" in model.card.training["configuration"]
    stored = json.loads((tmp_path / "out" / "configuration.json").read_text(encoding="utf-8"))
    assert stored["prompting"]["active"]
