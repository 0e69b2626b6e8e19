"""The loss: against MONAI, on borders, on unknown voxels and on partly annotated cases."""

from __future__ import annotations

import pytest
import torch

from LightMedSegLib.inference.sliding_window.aggregation import mirror_flips
from LightMedSegLib.learning import losses
from LightMedSegLib.learning.configuration import LossSection
from LightMedSegLib.learning.losses import SegmentationLoss, boundary, coarser_labels
from LightMedSegLib.learning.partial_labels import merged_background
from LightMedSegLib.learning.prepared_case import IGNORED
from LightMedSegLib.training.distillation import distillation_loss, teacher_probabilities

torch.set_num_threads(1)


def example(classes: int = 3, size: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(2, classes, size, size, size, generator=generator)
    return logits.requires_grad_(), torch.randint(0, classes, (2, size, size, size), generator=generator)


@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("background", [True, False])
def test_dice_and_cross_entropy_agree_with_monai(batch_dice, background):
    monai_losses = pytest.importorskip("monai.losses")
    logits, labels = example()
    mine = SegmentationLoss(LossSection(boundary=0.0, batch_dice=batch_dice, dice_background=background), 3)
    witness = monai_losses.DiceCELoss(
        softmax=True,
        to_onehot_y=True,
        include_background=background,
        batch=batch_dice,
        smooth_nr=1e-5,
        smooth_dr=1e-5,
    )
    if not background:
        # MONAI then leaves the background out of the cross-entropy as well; we do not.
        dice = monai_losses.DiceLoss(
            softmax=True, to_onehot_y=True, include_background=False, batch=batch_dice, smooth_nr=1e-5, smooth_dr=1e-5
        )
        wanted = dice(logits, labels[:, None]) + torch.nn.functional.cross_entropy(logits, labels)
    else:
        wanted = witness(logits, labels[:, None])
    torch.testing.assert_close(mine(logits, labels), wanted, atol=1e-5, rtol=1e-5)


def test_class_weights_are_those_of_weighted_cross_entropy():
    logits, labels = example()
    weights = (0.2, 1.0, 3.0)
    mine = SegmentationLoss(LossSection(dice=0.0, boundary=0.0, class_weights=weights), 3)
    wanted = torch.nn.functional.cross_entropy(logits, labels, weight=torch.tensor(weights))
    torch.testing.assert_close(mine(logits, labels), wanted)


def test_a_perfect_answer_costs_nothing_and_a_wrong_one_much():
    _, labels = example()
    perfect = 30.0 * torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    loss = SegmentationLoss(LossSection(), 3)
    assert float(loss(perfect, labels)) < 1e-3
    assert float(loss(-perfect, labels)) > 5


def test_the_boundary_is_dilation_minus_erosion():
    labels = torch.zeros(1, 9, 9, 9, dtype=torch.int64)
    labels[:, 3:6, 3:6, 3:6] = 1
    found = boundary(labels)[0]
    wanted = torch.zeros(9, 9, 9, dtype=torch.bool)
    wanted[2:7, 2:7, 2:7] = True
    wanted[4, 4, 4] = False
    assert torch.equal(found, wanted)


def test_two_structures_that_touch_have_a_boundary_between_them():
    labels = torch.ones(1, 6, 6, 6, dtype=torch.int64)
    labels[..., 3:] = 2
    assert boundary(labels)[0, 3, 3].tolist() == [False, False, True, True, False, False]


def test_unknown_voxels_make_no_boundary():
    labels = torch.ones(1, 6, 6, 6, dtype=torch.int64)
    labels[..., 3:] = IGNORED
    assert not boundary(labels).any()


def test_the_boundary_term_weighs_errors_at_borders():
    labels = torch.zeros(1, 16, 16, 16, dtype=torch.int64)
    labels[:, 4:12, 4:12, 4:12] = 1
    logits = 4.0 * torch.nn.functional.one_hot(labels, 2).movedim(-1, 1).float()
    at_border, far_away = logits.clone(), logits.clone()
    at_border[:, :, 4, 4, 4] = torch.tensor([4.0, 0.0])
    far_away[:, :, 8, 8, 8] = torch.tensor([4.0, 0.0])
    loss = SegmentationLoss(LossSection(dice=0.0), 2)
    assert loss(at_border, labels) > loss(far_away, labels)


def test_unknown_voxels_take_part_in_no_term_and_get_no_gradient():
    logits, labels = example()
    labels[:, :4] = IGNORED
    loss = SegmentationLoss(LossSection(dice_background=True), 3)
    value = loss(logits, labels)
    value.backward()
    assert float(logits.grad[:, :, :4].abs().max()) == 0
    assert float(logits.grad[:, :, 4:].abs().min()) > 0
    changed = logits.detach().clone()
    changed[:, :, :4] = 100 * torch.randn_like(changed[:, :, :4])
    torch.testing.assert_close(loss(changed, labels), value.detach())


def test_a_case_without_a_known_voxel_costs_nothing_and_stays_finite():
    logits, labels = example()
    value = SegmentationLoss(LossSection(), 3)(logits, torch.full_like(labels, IGNORED))
    value.backward()
    assert float(value.detach()) == pytest.approx(0.0, abs=1e-4)
    assert torch.isfinite(logits.grad).all()


def test_merging_adds_the_probabilities_of_unlabelled_classes_to_the_background():
    logits, labels = example(4)
    labelled = torch.tensor([[True, True, False, True], [True, True, True, True]])
    classes = torch.where((labels == 2) & ~labelled[:, 2, None, None, None], 0, labels)
    plain = logits.detach().softmax(1)
    log_of_truth = logits.detach().log_softmax(1).gather(1, classes[:, None])[:, 0]
    probability, log_of_merged = merged_background(plain, log_of_truth, classes, labelled)
    torch.testing.assert_close(probability[0, 0], plain[0, 0] + plain[0, 2])
    torch.testing.assert_close(probability[0, [1, 3]], plain[0, [1, 3]])
    torch.testing.assert_close(probability[1], plain[1])
    expected = probability.gather(1, classes[:, None])[:, 0].log()
    torch.testing.assert_close(log_of_merged, expected)


def test_a_voxel_that_the_network_is_sure_is_no_background_keeps_a_finite_loss():
    logits = torch.zeros(1, 3, 4, 4, 4)
    logits[:, 1] = 500.0
    logits.requires_grad_()
    loss = SegmentationLoss(LossSection(), 3, partially_labelled=True)
    value = loss(logits, torch.zeros(1, 4, 4, 4, dtype=torch.int64), torch.tensor([[True, True, False]]))
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("partial", [False, True])
def test_slab_by_slab_the_loss_and_its_gradient_are_those_of_the_whole(monkeypatch, partial):
    logits, labels = example(4)
    labels[:, :2] = IGNORED
    labelled = torch.tensor([[True, True, False, True], [True, True, True, True]])
    loss = SegmentationLoss(LossSection(dice_background=True), 4, partially_labelled=partial)
    results = []
    for values in (2**30, logits.numel() // 4):
        monkeypatch.setattr(losses, "_SLAB_VALUES", values)
        copy = logits.detach().clone().requires_grad_()
        value = loss(copy, labels, labelled)
        value.backward()
        results.append((value.detach(), copy.grad))
    torch.testing.assert_close(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-4, atol=1e-8)


def test_finding_an_unlabelled_structure_costs_nothing_but_claiming_it_for_a_labelled_one_does():
    labels = torch.zeros(1, 8, 8, 8, dtype=torch.int64)
    labels[:, :2] = 1
    labelled = torch.tensor([[True, True, False]])
    answer = 20.0 * torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    found, wrong = answer.clone(), answer.clone()
    found[:, :, 5:] = torch.tensor([0.0, 0.0, 20.0]).reshape(1, 3, 1, 1, 1)
    wrong[:, :, 5:] = torch.tensor([0.0, 20.0, 0.0]).reshape(1, 3, 1, 1, 1)
    partial = SegmentationLoss(LossSection(), 3, partially_labelled=True)
    full = SegmentationLoss(LossSection(), 3)
    assert float(partial(found, labels, labelled)) < 1e-3
    assert float(full(found, labels)) > 1
    assert float(partial(wrong, labels, labelled)) > 1


def test_in_background_the_gradient_does_not_choose_between_background_and_unlabelled():
    logits = torch.zeros(1, 3, 4, 4, 4, requires_grad=True)
    labels = torch.zeros(1, 4, 4, 4, dtype=torch.int64)
    loss = SegmentationLoss(LossSection(dice=0.0), 3, partially_labelled=True)
    loss(logits, labels, torch.tensor([[True, True, False]])).backward()
    torch.testing.assert_close(logits.grad[:, 0], logits.grad[:, 2])
    assert (logits.grad[:, 0] < 0).all()
    assert (logits.grad[:, 1] > 0).all()


def test_a_structure_marked_in_a_case_that_does_not_label_it_is_not_trusted():
    logits, labels = example()
    labelled = torch.tensor([[True, True, False], [True, True, False]])
    without = torch.where(labels == 2, 0, labels)
    terms = LossSection(boundary=0.0)
    loss = SegmentationLoss(terms, 3, partially_labelled=True)
    torch.testing.assert_close(loss(logits, labels, labelled), loss(logits, without, labelled))
    assert torch.isfinite(loss(logits, labels, labelled))


def test_a_fully_labelled_batch_costs_the_same_with_and_without_the_partial_path():
    logits, labels = example()
    everything = torch.ones(2, 3, dtype=torch.bool)
    for batch_dice in (True, False):
        settings = LossSection(batch_dice=batch_dice)
        full, partial = SegmentationLoss(settings, 3), SegmentationLoss(settings, 3, partially_labelled=True)
        torch.testing.assert_close(full(logits, labels), partial(logits, labels, everything))


def test_deep_supervision_weighs_resolutions_and_a_single_one_is_the_plain_loss():
    logits, labels = example()
    loss = SegmentationLoss(LossSection(deep_supervision_weights=(1.0, 0.5)), 3)
    coarse = torch.randn(2, 3, 6, 6, 6)
    both = loss([logits, coarse], labels)
    plain, small = loss(logits, labels), loss(coarse, coarser_labels(labels, (6, 6, 6), 3))
    torch.testing.assert_close(both, (plain + 0.5 * small) / 1.5)
    torch.testing.assert_close(loss([logits], labels), plain)


def test_a_coarse_voxel_takes_the_most_frequent_label_of_its_block():
    labels = torch.zeros(1, 4, 4, 4, dtype=torch.int64)
    labels[0, :2, :2, :2] = torch.tensor([[[1, 1], [1, 0]], [[1, 0], [1, 0]]])
    labels[0, 2:, :2, :2] = IGNORED
    labels[0, 2, 2, 2] = 2
    coarse = coarser_labels(labels, (2, 2, 2), 3)[0]
    assert coarse[0, 0, 0] == 1
    assert coarse[1, 0, 0] == IGNORED
    assert coarse[1, 1, 1] == 0


def test_the_loss_is_float32_for_half_precision_logits():
    logits, labels = example()
    loss = SegmentationLoss(LossSection(), 3)
    value = loss(logits.detach().bfloat16(), labels)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(loss(logits.detach(), labels)), rel=0.02)


def test_distillation_is_zero_for_the_teachers_own_answer_and_ignores_unknown_voxels():
    logits, labels = example()
    soft = teacher_probabilities([lambda images: images], logits.detach(), 2.0)
    assert distillation_loss(logits.detach(), soft, labels, 2.0).item() == pytest.approx(0.0, abs=1e-6)
    other = logits.detach().clone()
    other[:, :, :4] += torch.randn(2, 3, 4, 12, 12)
    assert float(distillation_loss(other, soft, labels, 2.0)) > 0.01
    labels[:, :4] = IGNORED
    assert float(distillation_loss(other, soft, labels, 2.0)) == pytest.approx(0.0, abs=1e-6)


def test_several_teachers_are_averaged_as_probabilities():
    images = torch.randn(1, 3, 4, 4, 4)
    mean = teacher_probabilities([lambda x: x, lambda x: -x], images, 1.0)
    torch.testing.assert_close(mean, (images.softmax(1) + (-images).softmax(1)) / 2)


def test_a_teachers_logits_are_averaged_over_mirror_images_with_left_and_right_exchanged():
    images, ramp = torch.randn(1, 3, 4, 4, 4), torch.arange(4.0)
    flips = mirror_flips(("x",), ((1, 2),))
    soft = teacher_probabilities([lambda x: x * ramp], images, 1.0, flips)
    exchanged = images[:, [0, 2, 1]] * ramp.flip(0)
    torch.testing.assert_close(soft, ((images * ramp + exchanged) / 2).softmax(1))
