"""The library's entry point: what a caller gets, for every way a volume may be stored."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from engine_stubs import (
    IDENTITY_WINDOW,
    SMALL_PATCH,
    RandomNetwork,
    ThresholdNetwork,
    array_of,
    dice,
    make_image,
    reordered,
    rotation,
    smooth_noise,
    stub_model,
)
from model_factory import make_model
from torch import Tensor, nn

import LightMedSegLib
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.inference import segmentation
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.segmentation import STAGES, Engine, segment
from LightMedSegLib.inference.sliding_window import windows

ORDERS = [(p, f) for p in permutations(range(3)) for f in product((False, True), repeat=3)]


def assert_same_grid(first: sitk.Image, second: sitk.Image) -> None:
    for item in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(first, item)() == getattr(second, item)()


def test_all_48_axis_orders_and_flips_give_the_same_labels() -> None:
    base = make_image(smooth_noise((23, 26, 29)), (0.9, 1.2, 1.6), (-30, 20, 5), rotation((4, -6, 9)))
    engine = Engine(stub_model(RandomNetwork(), spacing_mm=[1.1, 1.3, 0.9], orientation="RAS", **SMALL_PATCH), "cpu")
    expected = engine.segment(base).labelmap
    assert len(np.unique(sitk.GetArrayViewFromImage(expected))) == 3
    for permutation, flips in ORDERS:
        image = reordered(base, permutation, flips)
        labelmap = engine.segment(image).labelmap
        assert_same_grid(labelmap, image)
        wanted = sitk.GetArrayFromImage(reordered(expected, permutation, flips))
        assert dice(sitk.GetArrayFromImage(labelmap), wanted) >= 0.999


def test_the_real_network_gives_the_same_labels_in_another_axis_order(tmp_path: Path) -> None:
    base = make_image(smooth_noise((20, 30, 26)), (1.0, 1.0, 2.0))
    engine = Engine(make_model(tmp_path / "model", input={"spacing_mm": [1.0, 1.2, 1.4]}), "cpu")
    expected = engine.segment(base).labelmap
    for permutation, flips in (((2, 0, 1), (True, False, True)), ((0, 2, 1), (False, True, True))):
        labelmap = engine.segment(reordered(base, permutation, flips)).labelmap
        wanted = sitk.GetArrayFromImage(reordered(expected, permutation, flips))
        assert dice(sitk.GetArrayFromImage(labelmap), wanted) >= 0.999


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.6, 0.7, 4.8), (3.0, 0.5, 0.9), (2.2, 2.2, 2.2)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (33, -21, 48)])
def test_oblique_and_anisotropic_volumes_come_back_on_their_exact_grid_with_the_structure_in_place(
    spacing: tuple[float, float, float], angles: tuple[float, float, float]
) -> None:
    size = np.maximum(2, np.round(48 / np.array(spacing))).astype(int)
    image = make_image(np.zeros(size[::-1], dtype=np.float32), spacing, (1 / 3, -2 / 7, 1e3 + 0.1), rotation(angles))
    centre = np.array(image.TransformContinuousIndexToPhysicalPoint(((size - 1) * 0.45).tolist()))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij")[::-1], axis=-1)
    points = index * spacing @ np.reshape(image.GetDirection(), (3, 3)).T + image.GetOrigin()
    ball = np.linalg.norm(points - centre, axis=-1) < 15
    volume = make_image((ball * 100).astype(np.float32), spacing, image.GetOrigin(), rotation(angles))
    result = segment(volume, stub_model(classes=2, **SMALL_PATCH), "cpu")
    assert_same_grid(result.labelmap, volume)
    assert result.labelmap.GetPixelID() == sitk.sitkUInt8
    assert dice(array_of(result), ball.astype(np.uint8)) > 0.93


def test_a_float_geometry_that_no_decimal_can_write_survives_to_the_last_bit() -> None:
    spacing = (np.nextafter(1.0, 2.0), 1 / 3, np.float64(np.float32(0.7)))
    image = make_image(smooth_noise((12, 12, 12)), spacing, (np.pi, -np.e, 1e-17), rotation((0.1, 0.2, 0.3)))
    assert_same_grid(segment(image, stub_model(), "cpu").labelmap, image)


def test_outside_the_region_of_interest_everything_is_background_and_inside_nothing_changes() -> None:
    # The network sees two voxels far: the margin around the box must hide the box's borders from it.
    image = make_image(smooth_noise((40, 44, 48)), (1.0, 1.0, 1.5))
    model = stub_model(RandomNetwork(), normalization=IDENTITY_WINDOW, spacing_mm=[1, 1, 1.5], view="whole")
    engine = Engine(model, "cpu")
    box = ((13, 21), (15, 31), (20, 33))
    whole, part = array_of(engine.segment(image)), array_of(engine.segment(image, SegmentOptions(roi=box)))
    inside = np.zeros_like(whole, dtype=bool)
    inside[20:33, 15:31, 13:21] = True
    assert np.array_equal(part, np.where(inside, whole, 0))
    assert len(np.unique(part[inside])) == 3


def test_a_region_of_interest_saves_windows() -> None:
    calls: list[int] = []
    network = ThresholdNetwork()
    network.register_forward_pre_hook(lambda module, inputs: calls.append(1))
    engine = Engine(stub_model(network, normalization=IDENTITY_WINDOW, **SMALL_PATCH), "cpu")
    image = make_image(smooth_noise((64, 64, 64)))
    engine.segment(image)
    everything = len(calls)
    calls.clear()
    engine.segment(image, SegmentOptions(roi=((30, 34), (30, 34), (30, 34))))
    assert 0 < len(calls) < everything / 4


def test_a_region_of_interest_outside_the_volume_is_refused() -> None:
    with pytest.raises(InputImageError, match="region of interest"):
        segment(make_image(smooth_noise((8, 8, 8))), stub_model(), "cpu", roi=((8, 12), (0, 8), (0, 8)))


def test_whole_and_windowed_views_agree_where_the_network_sees_only_its_surroundings() -> None:
    image = make_image(smooth_noise((40, 36, 44)))
    windows, whole = (
        array_of(segment(image, stub_model(view=view, **SMALL_PATCH), "cpu")) for view in ("windows", "whole")
    )
    assert np.array_equal(windows, whole)


def test_a_whole_view_model_says_when_the_volume_was_too_large_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    image = make_image(smooth_noise((40, 36, 44)))
    model = stub_model(view="whole", **SMALL_PATCH)
    assert segment(image, model, "cpu").notes == []
    monkeypatch.setattr(windows, "WHOLE_VOLUME_BYTES", 10**6)
    assert ["windows" in note for note in segment(image, model, "cpu").notes] == [True]


def test_several_channels_are_read_in_the_cards_order() -> None:
    class SecondChannel(nn.Module):
        total_stride = 1

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([50 - x[:, 1:2], x[:, 1:2] - 50], dim=1)

    first, second = smooth_noise((12, 14, 16)), smooth_noise((12, 14, 16), seed=1)
    model = stub_model(SecondChannel(), classes=2, channels=2, normalization=IDENTITY_WINDOW)
    result = segment([make_image(first), make_image(second)], model, "cpu")
    assert np.array_equal(array_of(result), second > 50)
    with pytest.raises(InputImageError, match=r"2 volumes \(Channel 1, Channel 2\)"):
        segment(make_image(first), model, "cpu")


def test_the_cards_postprocessing_is_applied() -> None:
    array = np.zeros((20, 20, 20), dtype=np.float32)
    array[2:10, 2:10, 2:10] = 100
    array[14:16, 14:16, 14:16] = 100
    steps = [{"operation": "keep_largest_component", "labels": [1], "joint": False}]
    plain = array_of(segment(make_image(array), stub_model(classes=2), "cpu"))
    cleaned = array_of(segment(make_image(array), stub_model(classes=2, postprocessing=steps), "cpu"))
    assert plain[15, 15, 15] == 1 and cleaned[15, 15, 15] == 0
    assert cleaned.sum() == 8**3


def test_mirroring_comes_from_the_card_unless_the_caller_says_otherwise() -> None:
    calls: list[int] = []
    network = RandomNetwork()
    network.register_forward_pre_hook(lambda module, inputs: calls.append(1))
    engine = Engine(stub_model(network, test_time_mirroring=["x", "y"]), "cpu")
    image = make_image(smooth_noise((16, 16, 16)))
    counts = []
    for mirror in (None, (), ("z",)):
        calls.clear()
        engine.segment(image, SegmentOptions(mirror=mirror))
        counts.append(len(calls))
    assert counts == [4, 1, 2]


def test_a_preview_is_one_pass_of_the_same_network_on_larger_voxels() -> None:
    shapes: list[tuple[int, ...]] = []
    network = RandomNetwork()
    network.register_forward_pre_hook(lambda module, inputs: shapes.append(tuple(inputs[0].shape[2:])))
    model = stub_model(network, spacing_mm=[1, 1, 1], view="whole", test_time_mirroring=["x"], **SMALL_PATCH)
    engine = Engine(model, "cpu")
    image = make_image(smooth_noise((32, 32, 32)))
    preview = engine.segment(image, SegmentOptions(mirror=("z",), preview_spacing=(2.0, 2.0, 2.0)))
    assert shapes == [(16, 16, 16)]
    assert preview.card == model.card
    assert_same_grid(preview.labelmap, image)
    engine.segment(image)
    assert shapes[1:] == [(32, 32, 32)] * 2
    assert model.built == 1


def test_the_result_carries_stages_device_and_card() -> None:
    model = stub_model()
    result = segment(make_image(smooth_noise((12, 12, 12))), model, "cpu")
    assert tuple(result.timings) == STAGES
    assert all(seconds > 0 for seconds in result.timings.values())
    assert (result.device, result.notes, result.card) == ("cpu", [], model.card)


def test_progress_rises_to_the_end() -> None:
    reports: list[tuple[int, int, str]] = []
    image = make_image(smooth_noise((40, 40, 40)))
    segment(image, stub_model(**SMALL_PATCH), "cpu", progress=lambda *report: reports.append(report))
    percents = [done for done, _, _ in reports]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)
    assert {total for _, total, _ in reports} == {100}
    assert len(set(percents)) > 20


def test_an_engine_loads_its_network_once() -> None:
    model = stub_model()
    engine = Engine(model, "cpu")
    image = make_image(smooth_noise((12, 12, 12)))
    first, second = array_of(engine.segment(image)), array_of(segment(image, engine))
    assert model.built == 1
    assert np.array_equal(first, second)


def test_a_model_given_by_name_or_folder_stays_warm_between_calls(tmp_path: Path) -> None:
    make_model(tmp_path / "one")
    make_model(tmp_path / "two", seed=1)
    image = make_image(smooth_noise((16, 16, 16)))
    first = segment(image, tmp_path / "one", "cpu")
    again = segment(image, str(tmp_path / "one"), "cpu")
    other = segment(image, tmp_path / "two", "cpu")
    assert again.timings["load"] < first.timings["load"] / 5
    assert np.array_equal(array_of(first), array_of(again))
    assert not np.array_equal(array_of(first), array_of(other))


def test_the_package_exports_segment() -> None:
    assert LightMedSegLib.segment is segment
    assert LightMedSegLib.Segmentation is segmentation.Segmentation


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_labels_of_the_cpu(tmp_path: Path) -> None:
    image = make_image(smooth_noise((60, 70, 80)), (0.8, 0.9, 1.7))
    model = make_model(tmp_path / "model")
    cpu, cuda = segment(image, model, "cpu"), segment(image, model, "cuda")
    assert cuda.device == "cuda:0" and cuda.notes == []
    assert dice(array_of(cpu), array_of(cuda)) >= 0.999
    assert np.array_equal(array_of(cuda), array_of(segment(image, model, "cuda")))
