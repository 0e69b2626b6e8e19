"""Augmentation: what moves together, what stays, and that a step always gives the same batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from synthesis_factory import NO_INTENSITY, NO_MOTION
from training_factory import configuration, prepared_cases

from LightMedSegLib.inference.sliding_window.aggregation import padded
from LightMedSegLib.inference.sliding_window.windows import WindowRule, plan_layout
from LightMedSegLib.learning.augmentation.axis_filters import blur_matrices, filter_axes, low_resolution_matrices
from LightMedSegLib.learning.augmentation.batches import AugmentedBatchSource
from LightMedSegLib.learning.augmentation.intensity import IntensityAugmentation
from LightMedSegLib.learning.augmentation.smooth_fields import control_points, random_field, spline_matrix
from LightMedSegLib.learning.augmentation.spatial import SpatialSampler, rotation_matrices
from LightMedSegLib.learning.case_stack import CaseOrder, stack_cases
from LightMedSegLib.learning.configuration import AugmentationSection
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampler(cases=None, patch=(16, 16, 16), spacing=(1.0, 1.0, 1.0), **settings):
    stack = stack_cases(cases or prepared_cases(4), 3, CPU)
    return SpatialSampler(stack, patch, spacing, 3, AugmentationSection(**{**NO_MOTION, **settings}))


def test_the_centred_patch_is_the_padded_volume_and_unknown_outside_it():
    cases = prepared_cases(4)
    batch = sampler(cases).centred(torch.arange(4))
    for number, case in enumerate(cases):
        layout = plan_layout(case.labels.shape, WindowRule((16, 16, 16)))
        expected = padded(torch.from_numpy(case.image)[None].float(), layout)[0]
        torch.testing.assert_close(batch.images[number], expected, atol=1e-4, rtol=0)
        known = batch.labels[number] != IGNORED
        assert int(known.sum()) == case.labels.size
        np.testing.assert_array_equal(batch.labels[number][known].numpy(), case.labels.ravel())


def test_image_and_labels_move_together():
    cases = []
    for case in prepared_cases(4):
        cases.append(PreparedCase(case.name, case.labels[None].astype(np.float16), case.labels))
    moved = sampler(cases, rotation_degrees=40.0, rotation_probability=1.0, elastic_probability=1.0, elastic_mm=1.0)
    batch = moved.augmented(torch.arange(4), generator())
    known = batch.labels != IGNORED
    for value in (0, 1, 2):
        inside = batch.images[:, 0][known & (batch.labels == value)]
        assert inside.numel() > 100
        # Interpolated label values as intensities: their mean in each label is near the label's own value.
        assert abs(float(inside.mean()) - value) < 0.25


def test_mirroring_flips_the_volume_swaps_the_pairs_and_their_annotation():
    cases = prepared_cases(1, labelled=(1,))
    mirrored = sampler(cases, mirror_axes=("x",), mirror_label_swaps=((1, 2),))
    straight = mirrored.centred(torch.zeros(1, dtype=torch.int64))
    seen = set()
    for seed in range(8):
        batch = mirrored.augmented(torch.zeros(1, dtype=torch.int64), generator(seed))
        flipped = bool(torch.allclose(batch.images, straight.images.flip(-1), atol=1e-4))
        seen.add(flipped)
        if flipped:
            swapped = torch.tensor([0, 2, 1])[straight.labels.clamp(max=2)]
            wanted = torch.where(straight.labels == IGNORED, IGNORED, swapped).flip(-1)
            assert batch.labelled.tolist() == [[True, False, True]]
        else:
            torch.testing.assert_close(batch.images, straight.images, atol=1e-4, rtol=0)
            wanted = straight.labels
            assert batch.labelled.tolist() == [[True, True, False]]
        assert torch.equal(batch.labels, wanted)
    assert seen == {True, False}


def test_zooming_out_shows_the_same_structures_smaller_in_more_surroundings():
    cases = prepared_cases(1)
    straight = sampler(cases).centred(torch.zeros(1, dtype=torch.int64)).labels
    zoomed = sampler(cases, zoom_out_probability=1.0, zoom_out=(0.5, 0.500001), anisotropic_scaling=0.0)
    labels = zoomed.augmented(torch.zeros(1, dtype=torch.int64), generator()).labels
    before, after = (int(((each > 0) & (each != IGNORED)).sum()) for each in (straight, labels))
    assert 0.5 < 8 * after / before < 2
    assert int((labels == IGNORED).sum()) > int((straight == IGNORED).sum())


def test_without_mirror_axes_nothing_is_ever_mirrored():
    still = sampler(prepared_cases(1))
    straight = still.centred(torch.zeros(1, dtype=torch.int64)).images
    for seed in range(6):
        batch = still.augmented(torch.zeros(1, dtype=torch.int64), generator(seed))
        torch.testing.assert_close(batch.images, straight, atol=1e-4, rtol=0)


def test_rotation_keeps_lengths_in_mm_on_anisotropic_grids():
    matrices = rotation_matrices(torch.tensor([[0.3, -0.2, 0.5], [0.0, 0.0, math.pi / 2]]))
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), torch.eye(3).expand(2, 3, 3), atol=1e-6, rtol=0)
    # A ball in mm stays a ball in mm when the grid is three times coarser along z.
    z, y, x = np.meshgrid(np.arange(12) * 3.0, np.arange(36), np.arange(36), indexing="ij")
    ball = ((z - 16.5) ** 2 + (y - 17.5) ** 2 + (x - 17.5) ** 2 < 12**2).astype(np.uint8)
    case = PreparedCase("ball", ball[None].astype(np.float16), ball)
    turned = sampler([case], (12, 36, 36), (3.0, 1.0, 1.0), rotation_degrees=90.0, rotation_probability=1.0)
    for seed in range(3):
        labels = turned.augmented(torch.zeros(1, dtype=torch.int64), generator(seed)).labels[0].numpy()
        overlap = 2 * ((labels == 1) & (ball == 1)).sum() / ((labels == 1).sum() + ball.sum())
        assert overlap > 0.93


def test_slices_that_are_turned_in_their_plane_only_keep_their_labels():
    layers = np.broadcast_to(np.arange(12, dtype=np.uint8)[:, None, None] % 3, (12, 24, 24)).copy()
    case = PreparedCase("layers", layers[None].astype(np.float16), layers)
    turned = sampler([case], (12, 24, 24), rotation_degrees=180.0, rotation_probability=1.0, rotation_axes=("z",))
    labels = turned.augmented(torch.zeros(1, dtype=torch.int64), generator(2)).labels[0].numpy()
    known = labels != IGNORED
    assert 0.5 < known.mean() < 1
    np.testing.assert_array_equal(labels[known], layers[known])


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_labels_stay_labels_and_never_invent_a_value(interpolation):
    case = prepared_cases(1)[0]
    only = PreparedCase("two", case.image, np.where(case.labels == 1, 0, case.labels).astype(np.uint8))
    moved = sampler([only], label_interpolation=interpolation, rotation_degrees=30.0, rotation_probability=1.0)
    labels = moved.augmented(torch.zeros(1, dtype=torch.int64), generator()).labels
    assert set(labels.unique().tolist()) <= {0, 2, IGNORED}
    assert (labels == 2).any()


def test_voxels_marked_unknown_stay_unknown():
    case = prepared_cases(1)[0]
    labels = case.labels.copy()
    labels[:5] = IGNORED
    batch = sampler([PreparedCase("part", case.image, labels)]).augmented(
        torch.zeros(1, dtype=torch.int64), generator()
    )
    assert int((batch.labels != IGNORED).sum()) == int((labels != IGNORED).sum())


def test_patches_of_a_large_volume_stay_inside_and_find_small_structures():
    labels = np.zeros((60, 60, 60), np.uint8)
    labels[50:52, 4:6, 30:32] = 2
    case = PreparedCase("large", np.zeros((1, 60, 60, 60), np.float16), labels)
    where = torch.zeros(64, dtype=torch.int64)
    focused = sampler([case], foreground_probability=1.0).augmented(where, generator())
    anywhere = sampler([case], foreground_probability=0.0).augmented(where, generator())
    for batch in (focused, anywhere):
        assert not (batch.labels == IGNORED).any()
    assert (focused.labels == 2).flatten(1).any(1).all()
    assert float((anywhere.labels == 2).flatten(1).any(1).float().mean()) < 0.3


def test_the_same_step_gives_the_same_batch_and_another_step_or_process_another():
    settings = configuration(augmentation={"elastic_probability": 1.0})
    stack = stack_cases(prepared_cases(4), 3, CPU)
    first = AugmentedBatchSource(stack, settings).batch(7, [0, 1])
    again = AugmentedBatchSource(stack, settings)
    again.batch(3, [2, 3])
    assert torch.equal(first.images, again.batch(7, [0, 1]).images)
    assert not torch.equal(first.images, again.batch(8, [0, 1]).images)
    assert not torch.equal(first.images, AugmentedBatchSource(stack, settings, rank=1).batch(7, [0, 1]).images)
    assert torch.isfinite(first.images).all()


def test_every_case_is_seen_once_an_epoch_whatever_the_number_of_processes():
    for processes in (1, 2):
        orders = [CaseOrder(12, 3, seed=5, rank=rank, world_size=processes) for rank in range(processes)]
        seen = [number for step in range(12 // (3 * processes)) for order in orders for number in order.indices(step)]
        assert sorted(seen) == list(range(12))
    assert CaseOrder(12, 3, 5).indices(40) == CaseOrder(12, 3, 5).indices(40)
    assert CaseOrder(12, 12, 5).indices(0) != CaseOrder(12, 12, 5).indices(1)


def test_intensity_without_probability_changes_nothing():
    images = torch.randn(3, 1, 16, 16, 16, generator=generator())
    augmentation = IntensityAugmentation(AugmentationSection(**NO_INTENSITY), (16, 16, 16), (1.0, 1.0, 1.0), CPU)
    torch.testing.assert_close(augmentation(images, generator()), images, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["noise", "blur", "brightness", "contrast", "low_resolution", "gamma", "bias_field"])
def test_each_intensity_change_acts_on_its_share_of_the_samples(name):
    images = torch.randn(40, 1, 12, 12, 12, generator=generator())
    settings = AugmentationSection(**{**NO_INTENSITY, f"{name}_probability": 0.5}, low_resolution_factor=(1.5, 2.0))
    changed = IntensityAugmentation(settings, (12, 12, 12), (1.0, 1.0, 1.0), CPU)(images, generator())
    assert torch.isfinite(changed).all()
    share = float(((changed - images).abs().flatten(1).amax(1) > 1e-3).float().mean())
    assert 0.2 < share < 0.8


def test_gamma_keeps_mean_and_deviation():
    images = torch.randn(8, 1, 16, 16, 16, generator=generator()) * 2 + 1
    settings = AugmentationSection(**{**NO_INTENSITY, "gamma_probability": 1.0})
    bent = IntensityAugmentation(settings, (16, 16, 16), (1.0, 1.0, 1.0), CPU)(images, generator())
    assert not torch.allclose(bent, images, atol=0.05)
    torch.testing.assert_close(bent.mean((1, 2, 3, 4)), images.mean((1, 2, 3, 4)), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(bent.std((1, 2, 3, 4)), images.std((1, 2, 3, 4)), atol=1e-3, rtol=1e-3)


def test_sign_inversion_turns_bright_into_dark():
    images = torch.rand(16, 1, 8, 8, 8, generator=generator()) + 1
    settings = AugmentationSection(**NO_INTENSITY, sign_inversion_probability=0.5)
    turned = IntensityAugmentation(settings, (8, 8, 8), (1.0, 1.0, 1.0), CPU)(images, generator())
    assert set((turned.flatten(1).sum(1) > 0).tolist()) == {True, False}


def test_blur_is_a_gaussian_of_the_asked_width():
    impulse = torch.zeros(2, 1, 41, 41, 41)
    impulse[:, :, 20, 20, 20] = 1
    sigma = torch.tensor([[0.0], [2.0]])
    matrix = blur_matrices(41, sigma)
    sharp, soft = filter_axes(impulse, (matrix, matrix, matrix))[:, 0]
    torch.testing.assert_close(sharp, impulse[0, 0])
    place = torch.arange(41) - 20.0
    for axes in ((1, 2), (0, 2), (0, 1)):
        profile = soft.sum(axes)
        assert float((profile * place.square()).sum().sqrt()) == pytest.approx(2.0, rel=0.01)


def test_each_sample_and_axis_has_its_own_filter():
    images = torch.randn(2, 1, 6, 8, 10, generator=generator())
    matrices = tuple(torch.randn(2, size, size, generator=generator(size)) for size in (6, 8, 10))
    wanted = torch.einsum("bcijk,bzi,byj,bxk->bczyx", images, *matrices)
    torch.testing.assert_close(filter_axes(images, matrices), wanted, atol=1e-4, rtol=1e-4)


def test_low_resolution_keeps_constants_and_slow_changes_and_removes_fine_detail():
    for factor in (1.0, 1.5, 2.0, 3.0):
        matrix = low_resolution_matrices(24, torch.tensor([[factor]]))[0]
        torch.testing.assert_close(matrix.sum(-1), torch.ones(24))
        ramp = torch.arange(24.0)
        assert float((matrix @ ramp - ramp)[3:-3].abs().max()) < 0.75
    checker = torch.tensor([1.0, -1.0] * 12)
    assert float((low_resolution_matrices(24, torch.tensor([[2.0]]))[0] @ checker).abs().max()) < 0.05
    identity = low_resolution_matrices(24, torch.tensor([[1.0]]))[0]
    torch.testing.assert_close(identity, torch.eye(24))


def test_spline_weights_sum_to_one_and_random_fields_are_smooth():
    matrix = spline_matrix(30, control_points(30, 1.0, 10.0), CPU)
    torch.testing.assert_close(matrix.sum(1), torch.ones(30))
    field = random_field(4, 3, [matrix] * 3, generator())
    assert field.shape == (4, 3, 30, 30, 30)
    field = random_field(100, 1, [matrix] * 3, generator())
    assert float(field.std()) == pytest.approx(1.0, abs=0.1)
    assert float(field.diff(dim=-1).std()) < 0.2
