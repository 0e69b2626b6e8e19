"""Coarse to fine: the full pass looks where a coarse one found something, and finds the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from engine_stubs import IDENTITY_WINDOW, ThresholdNetwork, stub_model

from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.evaluation.metrics import check_same_grid
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.search import coarse_input, is_worth_it, surroundings

PATCH = [16, 16, 16]
SEARCHING = {"patch": PATCH, "overlap": 0.0, "normalization": IDENTITY_WINDOW, "spacing_mm": [1.0, 1.0, 1.0]}


def scan(low: tuple[int, int, int] = (30, 8, 20), high: tuple[int, int, int] = (40, 20, 30)) -> sitk.Image:
    array = np.zeros((64, 48, 56), dtype=np.float32)
    array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 100
    return sitk.GetImageFromArray(array)


def counting(network: ThresholdNetwork) -> list[int]:
    calls: list[int] = []
    network.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    return calls


def labels_and_windows(image: sitk.Image, **changes: object) -> tuple[np.ndarray, int]:
    network = ThresholdNetwork(2)
    calls = counting(network)
    result = Engine(stub_model(network, classes=2, **{**SEARCHING, **changes}), "cpu").segment(image)
    check_same_grid(result.labelmap, image)
    return sitk.GetArrayFromImage(result.labelmap), sum(calls)


def test_fewer_windows_give_the_same_labels() -> None:
    full, all_windows = labels_and_windows(scan())
    found, windows = labels_and_windows(scan(), preview_spacing_mm=[3.0, 3.0, 3.0])
    assert np.array_equal(full, found) and full.any()
    assert windows < all_windows / 2


@pytest.mark.parametrize("flip", [[True, False, False], [False, True, True]])
def test_it_works_whatever_way_the_axes_run(flip: list[bool]) -> None:
    image = sitk.PermuteAxes(sitk.Flip(scan(), flip), [2, 0, 1])
    full, _ = labels_and_windows(image)
    found, _ = labels_and_windows(image, preview_spacing_mm=[3.0, 3.0, 3.0])
    assert np.array_equal(full, found) and full.any()


def test_where_nothing_was_found_everything_is_looked_at() -> None:
    # Too small for the coarse voxels, so only the full pass can see it.
    array = np.zeros((64, 48, 56), dtype=np.float32)
    array[31, 17, 29] = 100
    found, _ = labels_and_windows(sitk.GetImageFromArray(array), preview_spacing_mm=[8.0, 8.0, 8.0])
    assert found.sum() == 1


def test_a_model_without_preview_or_a_small_volume_is_not_searched() -> None:
    grid = Grid.of(scan())
    everything = ((0, 56), (0, 48), (0, 64))
    with_preview = stub_model(ThresholdNetwork(2), classes=2, **SEARCHING, preview_spacing_mm=[2.0] * 3).card.input
    without = stub_model(ThresholdNetwork(2), classes=2, **SEARCHING).card.input
    assert is_worth_it(grid, everything, with_preview, 0.0)
    assert not is_worth_it(grid, everything, without, 0.0)
    assert not is_worth_it(grid, ((0, 16), (0, 16), (0, 40)), with_preview, 0.0)
    growing = replace(with_preview, largest_patch=(16, 32, 16))
    assert is_worth_it(grid, ((0, 16), (0, 16), (0, 40)), growing, 0.0)
    assert not is_worth_it(grid, ((0, 16), (0, 32), (0, 16)), growing, 0.0)


def test_surroundings_fill_their_windows_and_stay_in_the_box() -> None:
    spec = stub_model(ThresholdNetwork(2), classes=2, **{**SEARCHING, "patch": [32, 32, 32]}).card.input
    labels = np.zeros((64, 48, 56), dtype=np.uint8)
    labels[30:34, 20:24, 4:8] = 1
    x, y, z = surroundings(labels, Grid.of(scan()), ((0, 56), (0, 48), (0, 40)), spec, 0.0)
    # 4 voxels, 8 mm on both sides, and the rest of one window of 32; cut at the borders of volume and box.
    assert (z, y, x) == ((16, 40), (6, 38), (0, 24))


def test_a_tight_margin_is_taken_along_an_axis_where_it_saves_windows() -> None:
    spec = stub_model(ThresholdNetwork(2), classes=2, **{**SEARCHING, "patch": [32, 32, 32]}).card.input
    labels = np.zeros((64, 48, 56), dtype=np.uint8)
    # Along z 22 voxels and 8 mm on both sides are more than a window, 4 mm are not; along y and x 8 mm fit.
    labels[20:42, 20:24, 20:24] = 1
    x, y, z = surroundings(labels, Grid.of(scan()), ((0, 56), (0, 48), (0, 64)), spec, 0.0)
    assert (z, y, x) == ((15, 47), (6, 38), (6, 38))


def test_a_larger_window_is_taken_only_where_a_tight_margin_does_not_fit_into_the_patch() -> None:
    spec = stub_model(ThresholdNetwork(2), classes=2, **{**SEARCHING, "patch": [32, 32, 32]}).card.input
    spec = replace(spec, largest_patch=(48, 48, 48))
    labels = np.zeros((64, 48, 56), dtype=np.uint8)
    labels[20:42, 10:36, 20:24] = 1
    x, y, z = surroundings(labels, Grid.of(scan()), ((0, 56), (0, 48), (0, 64)), spec, 0.0)
    # 22 voxels along z fit into 32 with 4 mm on both sides; 26 along y do not, and fill the volume's 48.
    assert (z, y, x) == ((15, 47), (0, 47), (6, 38))


def test_a_search_has_windows_no_larger_than_it_needs_and_a_preview_has_those_of_the_card() -> None:
    model = stub_model(ThresholdNetwork(2), classes=2, **SEARCHING, preview_spacing_mm=[2.0] * 3)
    spec = replace(model.card.input, patch=(160, 192, 160), largest_patch=(192, 224, 192))
    coarse = coarse_input(spec)
    assert (coarse.patch, coarse.largest_patch) == ((128, 144, 128), spec.patch)
    odd = coarse_input(replace(spec, patch=(8, 100, 64)))
    assert (odd.patch, odd.largest_patch) == ((8, 100, 64), None), "a smaller window could not grow to the patch"
    engine = Engine(replace(model, card=replace(model.card, input=spec, test_time_mirroring=("x",))), "cpu")
    seen, mirror = engine._seen(SegmentOptions(preview_spacing=(2.0, 2.0, 2.0)))
    assert (seen.patch, seen.largest_patch, mirror) == (spec.patch, None, ())
    seen, mirror = engine._seen(SegmentOptions())
    assert (seen.largest_patch, mirror) == (spec.largest_patch, ("x",))


class SmallMemory(ThresholdNetwork):
    """Runs out of memory with more than the voxels of a patch at once."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x[0, 0].numel() > math.prod(PATCH):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(x)


def test_where_a_grown_window_does_not_fit_into_memory_those_of_the_patch_are_used() -> None:
    model = stub_model(SmallMemory(2), classes=2, **SEARCHING)
    growing = replace(model, card=replace(model.card, input=replace(model.card.input, largest_patch=(64, 64, 64))))
    notes = []
    labels = []
    for one in (model, growing):
        result = Engine(one, "cpu").segment(scan())
        labels.append(sitk.GetArrayFromImage(result.labelmap))
        notes.append(result.notes)
    assert np.array_equal(*labels) and labels[0].any() and notes[0] == notes[1]


def test_a_search_can_be_cancelled() -> None:
    token = CancelToken()
    report: Callable[[int, int, str], None] = lambda done, total, text: token.cancel()  # noqa: E731
    engine = Engine(stub_model(ThresholdNetwork(2), classes=2, **SEARCHING, preview_spacing_mm=[3.0] * 3), "cpu")
    with pytest.raises(CancelledError):
        engine.segment(scan(), progress=report, cancel=token)
