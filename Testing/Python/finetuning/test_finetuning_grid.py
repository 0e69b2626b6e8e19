"""What a training step sees of a case, and where a case is tested."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from LightMedSegLib.finetuning.gate.confusion import confusion
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.tuning.crops import MOST_VOXELS, crops_per_case
from LightMedSegLib.finetuning.tuning.predictions import predicted_labels, windows_of
from LightMedSegLib.finetuning.tuning.training_grid import coarsened, shortened, training_grid
from LightMedSegLib.inference.sliding_window.windows import WindowRule, plan_layout
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.network import build_network

MOST = FinetuneSettings().patch_voxels


@pytest.mark.parametrize(
    ("patch", "most", "expected"),
    [
        ((48, 64, 48), 160_000, (48, 64, 48)),
        ((96, 96, 96), 300_000, (64, 64, 64)),
        ((16, 16, 16), 1, (16, 16, 16)),
        ((128, 32, 32), 70_000, (64, 32, 32)),
    ],
)
def test_a_shortened_patch_fits_the_processor_and_the_network(
    patch: tuple[int, int, int], most: int, expected: tuple[int, int, int]
) -> None:
    assert shortened(patch, 16, most) == expected


def test_small_patches_are_trained_on_as_they_are() -> None:
    for name in ("hippocampus-t1-mr", "headneck-oar-ct"):
        spec = ModelStore().find(name).card.input
        grid = training_grid(spec, 16, 2, 30, MOST)
        assert (grid.patch, grid.coarseness, grid.batch, grid.steps) == (spec.patch, 1.0, 2, 30)


def test_a_whole_head_is_trained_on_as_a_whole_on_larger_voxels() -> None:
    """Small pieces of what a network knows as a whole made it worse."""
    spec = replace(
        ModelStore().find("brain-structures-mr").card.input,
        spacing=(1.0, 1.0, 1.0),
        patch=(160, 192, 160),
        preview_spacing=(2.0, 2.0, 2.0),
    )
    grid = training_grid(spec, 16, 2, 30, MOST)
    assert grid.batch == 1 and grid.steps == 20 and 1.4 < grid.coarseness <= 1.5
    assert math.prod(grid.patch) <= MOST and all(side % 16 == 0 for side in grid.patch)
    assert all(side * grid.coarseness >= own for side, own in zip(grid.patch, spec.patch, strict=True))


def test_voxels_grow_no_further_than_the_card_allows_previews() -> None:
    spec = ModelStore().find("brain-structures-mr").card.input
    assert training_grid(spec, 16, 1, 30, 100_000).coarseness == 2.0
    without = replace(spec, preview_spacing=None)
    grid = training_grid(without, 16, 1, 30, 300_000)
    assert math.prod(grid.patch) <= 300_000 and max(grid.patch) < max(spec.patch)


def test_a_graphics_card_gets_everything() -> None:
    spec = ModelStore().find("brain-structures-mr").card.input
    grid = training_grid(spec, 16, 2, 30, 10**9)
    assert (grid.patch, grid.coarseness, grid.batch) == (spec.patch, 1.0, 2)


def test_a_coarser_case_shows_the_same_structures() -> None:
    labels = np.zeros((30, 36, 24), np.uint8)
    labels[6:18, 12:30, 3:12] = 2
    labels[:3] = IGNORED
    image = (labels == 2)[None].astype(np.float16)
    coarse = coarsened(PreparedCase("case", image, labels, (2,)), 1.5)
    assert coarse.labels.shape == (20, 24, 16) and coarse.image.shape == (1, 20, 24, 16)
    assert set(np.unique(coarse.labels)) == {0, 2, IGNORED} and coarse.labelled == (2,)
    assert np.argwhere(coarse.labels == 2).min(axis=0).tolist() == [4, 8, 2]
    overlap = (coarse.image[0] > 0.5) == (coarse.labels == 2)
    assert overlap.mean() > 0.98
    whole = PreparedCase("case", image, labels)
    assert coarsened(whole, 1.0) is whole


def structure(shape: tuple[int, int, int], box: tuple[slice, slice, slice]) -> PreparedCase:
    labels = np.zeros(shape, np.uint8)
    labels[box] = 1
    return PreparedCase("case", np.zeros((1, *shape), np.float16), labels)


def test_a_structure_that_fits_one_window_is_tested_in_one() -> None:
    """Although the case around it would take eight."""
    case = structure((40, 40, 40), (slice(10, 26), slice(0, 20), slice(25, 40)))
    ((z, y, x),) = windows_of(case, (32, 32, 32), near_structures=True)
    assert 0 <= z <= 8 and z <= 10 and z + 32 >= 26
    assert (y, x) == (0, 8)


def test_windows_stand_side_by_side_over_a_long_structure() -> None:
    case = structure((40, 110, 10), (slice(0, 30), slice(15, 85), slice(2, 8)))
    assert windows_of(case, (32, 32, 16), near_structures=True) == [(0, y, -3) for y in (2, 34, 66)]


def test_where_side_by_side_there_is_no_room_windows_overlap_instead_of_leaving_the_case() -> None:
    case = structure((40, 80, 32), (slice(0, 40), slice(0, 80), slice(0, 32)))
    assert windows_of(case, (32, 32, 32), near_structures=True) == [(z, y, 0) for z in (0, 8) for y in (0, 24, 48)]
    counts = confusion(_Nothing(), case, 2, (32, 32, 32), torch.device("cpu"))
    assert counts.sum() == case.labels.size


def test_a_false_find_far_from_every_structure_counts_unless_the_segmentation_would_not_look_there() -> None:
    case = structure((16, 16, 64), (slice(4, 8), slice(4, 8), slice(4, 8)))
    case.image[0, :, :, 60] = 1.0
    everywhere = confusion(_Bright(), case, 2, (16, 16, 16), torch.device("cpu"))
    near = windows_of(case, (16, 16, 16), near_structures=True)
    assert (
        everywhere[1, 0] == 256
        and confusion(_Bright(), case, 2, (16, 16, 16), torch.device("cpu"), None, near)[1, 0] == 0
    )


def test_a_case_without_a_structure_is_tested_everywhere() -> None:
    case = structure((20, 20, 20), (slice(0, 0), slice(0, 0), slice(0, 0)))
    counts = confusion(_Nothing(), case, 2, (16, 16, 16), torch.device("cpu"))
    assert counts[0, 0] == 8000 and counts.sum() == 8000


class _Bright(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([0.5 - x[:, 0], x[:, 0] - 0.5], dim=1)


class _Nothing(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.ones_like(x[:, 0]), torch.zeros_like(x[:, 0])], dim=1)


def test_the_fast_form_that_tests_counts_as_the_network_itself() -> None:
    torch.manual_seed(0)
    network = build_network("lightmedseg-tiny", 1, 3)
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, (32, 32, 32)).astype(np.uint8)
    case = PreparedCase("case", random.normal(size=(1, 32, 32, 32)).astype(np.float16), labels)
    counts = confusion(network, case, 3, (32, 32, 32), torch.device("cpu"))
    with torch.no_grad():
        predicted = network.eval()(torch.from_numpy(case.image.astype(np.float32))[None]).argmax(dim=1)[0].numpy()
    expected = np.array([[np.count_nonzero((predicted == a) & (labels == b)) for b in range(3)] for a in range(3)])
    assert np.abs(counts - expected).sum() <= 4  # a voxel where two classes are as good as equal may change sides


def test_crops_of_all_cases_together_stay_small() -> None:
    assert crops_per_case(1, (48, 64, 48)) == 24
    large = crops_per_case(1, (112, 128, 112))
    assert 1 <= large * math.prod((112, 128, 112)) <= MOST_VOXELS
    assert crops_per_case(100, (48, 64, 48)) == 1


class _Distance(torch.nn.Module):
    """Class 1 in the half of a window that is nearer to its middle along x."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        middle = (torch.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2).abs() < x.shape[-1] / 4
        logits = middle.float().expand(len(x), 1, *x.shape[2:])
        return torch.cat([0.5 - logits, logits - 0.5], dim=1)


def test_where_windows_overlap_each_labels_what_is_nearest_to_its_middle() -> None:
    case = structure((16, 16, 24), (slice(0, 16), slice(0, 16), slice(0, 24)))
    starts = windows_of(case, (16, 16, 16))
    assert starts == [(0, 0, 0), (0, 0, 8)]
    found = np.full(case.labels.shape, IGNORED)
    for place, labels in predicted_labels(_Distance(), case, starts, (16, 16, 16), torch.device("cpu")):
        assert (found[place] == IGNORED).all(), "a voxel is labelled twice"
        found[place] = labels
    # The first window is sure of voxels 4 to 11, the second of 12 to 19; between them they leave nothing out.
    np.testing.assert_array_equal(found[0, 0], [0] * 4 + [1] * 16 + [0] * 4)
    counts = confusion(_Distance(), case, 2, (16, 16, 16), torch.device("cpu"), None, starts)
    assert counts.tolist() == [[0, 8 * 256], [0, 16 * 256]]


@pytest.mark.parametrize("length", [8, 9])
def test_a_case_smaller_than_a_window_is_padded_as_the_engine_does(length: int) -> None:
    case = structure((length, 16, 16), (slice(2, 4), slice(2, 4), slice(2, 4)))
    ((z, _, _),) = windows_of(case, (16, 16, 16))
    assert -z == plan_layout(case.labels.shape, WindowRule((16, 16, 16))).before[0]
