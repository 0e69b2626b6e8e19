"""Synthesis: the truth belongs to the image, contrasts vary, and a step always gives the same batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthesis_factory import BONE, FLUID, LEFT, PLEXUS, RIGHT, SECTION, SKIN, head, head_case, settings, source

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.inference.normalization import normalize
from LightMedSegLib.learning.labelmap_indices import ids_in_order, indices_of
from LightMedSegLib.learning.prepared_case import IGNORED
from LightMedSegLib.training.synthesis.acquisition import normalise
from LightMedSegLib.training.synthesis.contrast import ContrastSampler
from LightMedSegLib.training.synthesis.images import synthetic_cases
from LightMedSegLib.training.synthesis.labels import IndexTable

CPU = torch.device("cpu")
IDS = torch.from_numpy(head())


def means(images: torch.Tensor, *ids: int) -> torch.Tensor:
    """Mean brightness (B, ids) of images (B, 1, z, y, x) of the undeformed head."""
    return torch.stack([images[:, 0][:, number == IDS].mean(dim=1) for number in ids], dim=1)


def test_indices_begin_with_the_labels_and_merged_ids_count_as_theirs():
    section = settings().synthesis
    assert ids_in_order(section) == (0, LEFT, RIGHT, FLUID, PLEXUS, BONE, SKIN)
    table = IndexTable(section, CPU)
    assert table.label.tolist() == [0, 1, 2, 3, 1, 0, 0]
    assert table.kind[1] == table.kind[2] != table.kind[4]
    assert table.extracerebral.tolist() == [False] * 5 + [True] * 2
    assert table.inner.tolist() == [False, True, True, False, True, False, False]
    array = np.array([[0, SKIN], [PLEXUS, RIGHT]])
    np.testing.assert_array_equal(indices_of(array, section, "a"), [[0, 6], [4, 2]])


def test_an_id_that_no_tissue_names_is_refused_with_the_name_of_the_case():
    with pytest.raises(TrainingDataError, match=r"'odd' holds the id 999"):
        indices_of(np.array([0, LEFT, 999]), settings().synthesis, "odd")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_ids": [LEFT, RIGHT]}, "one id for each of the 3 labels"),
        ({"label_ids": [LEFT, RIGHT, 7]}, "id 7 .* none of its tissues"),
        ({"merged_ids": [[PLEXUS, 4]]}, "label 4"),
        ({"merged_ids": [[LEFT, 1]]}, "only once"),
        ({"tissues": [*SECTION["tissues"], SECTION["tissues"][0]]}, "more than once"),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(TrainingDataError, match=message):
        settings(changes)


def test_synthesis_of_several_channels_or_of_a_window_is_refused():
    window = {"kind": "window", "lower": 0.0, "upper": 1.0, "mean": 0.0, "std": 1.0}
    with pytest.raises(TrainingDataError, match="zscore"):
        settings(input={"channels": [{"name": "CT", "normalization": window}]})


def test_the_truth_of_an_undeformed_head_is_its_labelmap():
    batch = source().batch(0, [0, 0])
    wanted = torch.zeros_like(IDS)
    for value, ids in ((1, (LEFT, PLEXUS)), (2, (RIGHT,)), (3, (FLUID,))):
        for number in ids:
            wanted[number == IDS] = value
    for labels in batch.labels:
        torch.testing.assert_close(labels, wanted.long())
    assert batch.labelled.all()


def test_each_class_has_one_brightness_and_left_and_right_share_it():
    batch = source({"physical_probability": 0.0, "free_probability": 1.0}).batch(0, [0] * 16)
    for number in (LEFT, RIGHT, FLUID):
        assert batch.images[:, 0][:, number == IDS].std(dim=1).max() < 1e-3
    left, right, fluid = means(batch.images, LEFT, RIGHT, FLUID).T
    torch.testing.assert_close(left, right, atol=1e-3, rtol=0)
    assert ((left - fluid).abs() > 0.1).float().mean() > 0.6


def test_a_step_gives_the_same_batch_again_and_no_other_step_does():
    everything = {"strip_probability": 0.5, "noise_probability": 1.0, "slice_probability": 0.5, "bias_probability": 1.0}
    first, second = (source(everything, augmentation={"rotation_degrees": 10.0}) for _ in range(2))
    second.batch(3, [0, 0])
    again, other = second.batch(7, [0, 0]), second.batch(8, [0, 0])
    batch = first.batch(7, [0, 0])
    assert torch.equal(batch.images, again.images)
    assert torch.equal(batch.labels, again.labels)
    assert not torch.equal(batch.images, other.images)
    assert not torch.equal(batch.images[0], batch.images[1])


def test_mirroring_exchanges_the_names_of_left_and_right():
    labels = source(augmentation={"mirror_axes": ["x"], "mirror_label_swaps": [[1, 2]]}).batch(0, [0] * 12).labels
    x = torch.arange(labels.shape[3], dtype=torch.float32)
    larger_left = []
    for volume in labels:
        left, right = volume == 1, volume == 2
        assert (left.float() * x).sum() / left.sum() > (right.float() * x).sum() / right.sum()
        larger_left.append(bool(left.sum() > right.sum()))
    assert {True, False} == set(larger_left), "both mirrored and straight samples are expected among twelve"


def test_a_tight_strip_leaves_the_brain_and_takes_the_fluid_out_of_the_truth():
    batch = source({"strip_probability": 1.0, "tight_strip_probability": 1.0}).batch(0, [0] * 4)
    assert not (batch.labels == 3).any()
    assert (batch.labels[:, (IDS == LEFT) | (IDS == PLEXUS)] == 1).all()
    removed = (IDS == FLUID) | (IDS == BONE) | (IDS == SKIN) | (IDS == 0)
    for image in batch.images[:, 0]:
        assert image[removed].unique().numel() == 1


def test_looser_strips_keep_some_fluid_and_never_cut_into_the_brain():
    batch = source({"strip_probability": 1.0}).batch(0, [0] * 12)
    fluid = (batch.labels == 3).flatten(1).sum(dim=1) / (IDS == FLUID).sum()
    assert fluid.max() > 0.5
    assert fluid.min() < 0.5
    assert (batch.labels[:, RIGHT == IDS] == 2).all()


def test_beyond_the_field_of_view_the_image_repeats_its_border_and_the_truth_is_unknown():
    batch = source({"view_probability": 1.0, "view_fraction": 0.6}).batch(0, [0] * 6)
    for image, labels in zip(batch.images[:, 0], batch.labels, strict=True):
        known = labels != IGNORED
        assert 0.15 < known.float().mean() < 1
        planes = known.flatten(1).any(dim=1).nonzero()[:, 0]
        first, last = int(planes[0]), int(planes[-1])
        torch.testing.assert_close(image[:first], image[first : first + 1].expand(first, -1, -1))
        torch.testing.assert_close(image[last:], image[last : last + 1].expand(len(image) - last, -1, -1))


def test_thick_slices_are_coarse_along_one_axis_alone():
    batch = source({"slice_probability": 1.0, "slice_mm": [6.0, 6.001]}).batch(0, [0] * 12)
    axes = set()
    for image in batch.images[:, 0]:
        # Linear interpolation between slices has no second difference but at the slices.
        kinks = [float((image.diff(n=2, dim=axis).abs() > 1e-3).float().mean()) for axis in range(3)]
        axes.add(int(np.argmin(kinks)))
        assert sorted(kinks)[0] < 0.6 * sorted(kinks)[1]
    assert axes == {0, 1, 2}


def test_noise_lies_on_the_image_at_the_asked_strength():
    quiet, noisy = (
        source({"noise_probability": p, "noise_sigma": 0.1}).batch(0, [0] * 8).images[:, 0][:, LEFT == IDS].std(dim=1)
        for p in (0.0, 1.0)
    )
    assert quiet.max() < 1e-3
    assert noisy.max() > 0.02


def test_a_bias_field_is_smooth():
    images = source({"bias_probability": 1.0, "bias_sigma": 0.5}).batch(0, [0] * 8).images[:, 0]
    inside = images[:, LEFT == IDS].std(dim=1)
    both = (IDS[1:] == LEFT) & (IDS[:-1] == LEFT)
    assert inside.max() > 0.1
    assert images.diff(dim=1)[:, both].abs().max() < 0.5 * inside.max()


def test_lesions_change_the_image_and_not_the_truth():
    plain, ill = (source({"lesion_probability": p}).batch(0, [0] * 12) for p in (0.0, 1.0))
    changed = (ill.images[:, 0][:, LEFT == IDS].std(dim=1) > 0.02).float().mean()
    assert changed > 0.2
    assert torch.equal(plain.labels, ill.labels)


def test_vessels_run_outside_the_brain_alone():
    images = source({"vessel_probability": 1.0}).batch(0, [0] * 12).images[:, 0]
    assert (images[:, FLUID == IDS].std(dim=1) > 0.05).any()
    assert images[:, LEFT == IDS].std(dim=1).max() < 1e-3


def test_sequences_give_dark_and_bright_fluid_and_an_agent_brightens_what_takes_it_up():
    sampler = ContrastSampler(settings({"physical_probability": 1.0, "exchange_probability": 0.0}).synthesis, CPU)
    contrast = sampler(600, torch.Generator().manual_seed(0))
    brain, fluid = contrast.mean[:, 1], contrast.mean[:, 2]
    assert (fluid < 0.5 * brain).float().mean() > 0.2
    assert (fluid > 1.5 * brain).float().mean() > 0.1
    given = contrast.agent[:, 0]
    assert 0.15 < given.float().mean() < 0.35
    assert contrast.mean.min() >= 0
    assert contrast.mean.max() <= 2.5


def test_normalising_on_the_device_is_that_of_inference():
    volume = torch.rand(2, 1, 40, 40, 40, generator=torch.Generator().manual_seed(1)).pow(3)
    ours = normalise(volume, torch.tensor([0.005, 0.995]))
    for number in range(2):
        wanted = volume[number, 0].numpy().copy()
        normalize(wanted, {"kind": "zscore", "clip_percentiles": [0.5, 99.5]})
        np.testing.assert_allclose(ours[number, 0].numpy(), wanted, atol=0.03)


def test_validation_images_are_fixed_and_belong_to_their_labelmap():
    chosen = settings()
    first, again = (synthetic_cases(chosen, [head_case("a"), head_case("b")], CPU) for _ in range(2))
    assert [case.name for case in first] == ["a-0", "a-1", "b-0", "b-1"]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.image.shape == (1, 32, 32, 32)
        assert one.image.dtype == np.float16
        assert set(np.unique(one.labels)) <= {0, 1, 2, 3, IGNORED}
    assert synthetic_cases(chosen, [], CPU) == []
