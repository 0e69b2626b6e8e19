"""A model with a locator: it segments crops where another model finds its structures, one for each side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from engine_stubs import IDENTITY_WINDOW, StubModel, ThresholdNetwork, array_of
from model_factory import make_card
from torch import Tensor, nn

from LightMedSegLib.core.errors import CancelledError, DoubtfulResultError, InputImageError, ModelPackageError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.evaluation.metrics import check_same_grid
from LightMedSegLib.inference import engine as engine_module
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.card import ModelCard

LEFT = {"scheme": "SCT", "value": "7771000", "meaning": "Left"}
RIGHT = {"scheme": "SCT", "value": "24028007", "meaning": "Right"}
SIDES = [
    {"labels": ["Structure 2"], "name": "Left", "code": LEFT, "mirrored": False},
    {"labels": ["Structure 1"], "name": "Right", "code": RIGHT, "mirrored": False},
]
RIGHT_PLACE, LEFT_PLACE = (slice(20, 30), slice(12, 24), slice(8, 18)), (slice(22, 30), slice(10, 22), slice(44, 54))
SIZE = (48, 40, 64)


class HalvesNetwork(nn.Module):
    """Class 1 or 2, by the half of the window along x, where the intensity is above a threshold; class 3 in air."""

    total_stride = 4

    def __init__(self, threshold: float = 50.0, air: bool = True):
        super().__init__()
        self._threshold, self._air = threshold, air

    def forward(self, x: Tensor) -> Tensor:
        found = (x > self._threshold).float()
        second = found.clone()
        found[..., x.shape[-1] // 2 :] = 0
        second[..., : x.shape[-1] // 2] = 0
        air = (x < 1).float() * self._air
        return torch.cat([1 - found - second - air, found, second, air][: 4 if self._air else 3], dim=1)


def card(name: str, labels: int = 2, ranges: list[dict[str, Any]] | None = None, **changes: Any) -> ModelCard:
    channels = [{"name": "MR", "normalization": IDENTITY_WINDOW}]
    more = {"ranges": ranges} if ranges else {}
    return ModelCard.from_json(make_card(name=name, labels=labels, input={"channels": channels, **changes}, **more))


def scan() -> sitk.Image:
    """A block of values around 100 and 200 on each side, behind one another."""
    array = np.zeros(SIZE, dtype=np.float32)
    for place in (RIGHT_PLACE, LEFT_PLACE):
        array[place] = 100
        z, y, x = place
        array[z, (y.start + y.stop) // 2 : y.stop, x] = 200
    # As noisy as a scan, so that nothing takes it for a labelmap.
    image = sitk.GetImageFromArray(array + np.random.default_rng(0).uniform(0, 20, SIZE).astype(np.float32))
    image.SetOrigin((-30.0, 5.0, -7.0))
    return image


@pytest.fixture
def with_locator(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Engine]:
    def make(
        network: nn.Module | None = None, finder: nn.Module | None = None, margin: float = 4.0, **given: Any
    ) -> Engine:
        own = {"locator": {"model": "finder", "margin_mm": margin, "sides": given.get("sides", SIDES)}}
        finding = StubModel(card("finder", 3, patch=list(SIZE), ranges=given.get("ranges")), finder or HalvesNetwork())
        models = given.get("models", {"finder": finding})

        def resolved(model: Any) -> Any:
            if not isinstance(model, str):
                return model
            if model not in models:
                raise ModelPackageError(f"There is no model {model!r}.")
            return models[model]

        monkeypatch.setattr(engine_module, "resolved", resolved)
        asking = card("asking", patch=[24, 24, 24], largest_extent_mm=[30.0, 30.0, 30.0], **own)
        return Engine(StubModel(asking, network or ThresholdNetwork(3)), "cpu")

    return make


def expected() -> np.ndarray:
    labels = np.zeros(SIZE, dtype=np.uint8)
    values = sitk.GetArrayFromImage(scan())
    for first, place in ((0, LEFT_PLACE), (2, RIGHT_PLACE)):
        labels[place] = first + values[place] // 100
    return labels


def test_both_sides_are_found_and_their_labels_have_names_and_codes_of_their_own(
    with_locator: Callable[..., Engine],
) -> None:
    result = with_locator().segment(scan())
    assert np.array_equal(array_of(result), expected())
    check_same_grid(result.labelmap, scan())
    names = ["Left structure 1", "Left structure 2", "Right structure 1", "Right structure 2"]
    assert [label.name for label in result.card.labels] == names
    assert [label.value for label in result.card.labels] == [1, 2, 3, 4]
    assert [label.terminology.region_modifier.to_json() for label in result.card.labels] == [LEFT, LEFT, RIGHT, RIGHT]
    assert all(label.terminology.region == label.terminology.type for label in result.card.labels)
    assert result.card.identifier == "asking@1.0.0" and not result.warnings
    assert list(result.volumes()) == names
    assert set(result.timings) == set(engine_module.STAGES)


def test_the_doubt_of_both_sides_lies_on_the_voxels_of_the_scan(with_locator: Callable[..., Engine]) -> None:
    engine = with_locator()
    plain, result = engine.segment(scan()), engine.segment(scan(), SegmentOptions(doubt=True))
    assert plain.doubt is None
    assert np.array_equal(array_of(result), array_of(plain))
    check_same_grid(result.doubt, scan())
    doubt = sitk.GetArrayFromImage(result.doubt)
    assert all(doubt[place].any() for place in (LEFT_PLACE, RIGHT_PLACE))
    assert not doubt[:, :, 30:35].any()


def test_a_crop_is_segmented_as_it_is_and_the_locator_is_not_needed(with_locator: Callable[..., Engine]) -> None:
    engine = with_locator(models={})
    crop = scan()[36:62, 4:34, 14:40]
    result = engine.segment(crop)
    assert [label.name for label in result.card.labels] == ["Structure 1", "Structure 2"]
    assert set(np.unique(array_of(result))) == {0, 1, 2}
    region = engine.segment(scan(), SegmentOptions(roi=((36, 62), (4, 34), (14, 40))))
    assert np.array_equal(array_of(region)[14:40, 4:34, 36:62], array_of(result))


def test_a_region_that_is_too_large_for_the_model_is_located_within(with_locator: Callable[..., Engine]) -> None:
    result = with_locator().segment(scan(), SegmentOptions(roi=((0, 40), (0, 40), (0, 48))))
    found = array_of(result)
    assert not found[:, :, 40:].any() and found.any()


def test_of_a_structure_that_the_region_cuts_only_what_lies_inside_is_labelled(
    with_locator: Callable[..., Engine],
) -> None:
    region = (slice(None), slice(None), slice(0, 48))
    options = SegmentOptions(roi=((0, 48), (0, 40), (0, 48)), doubt=True)
    result = with_locator().segment(scan(), options)
    inside = np.zeros_like(expected())
    inside[region] = expected()[region]
    assert np.array_equal(array_of(result), inside) and {1, 2, 3, 4} < set(np.unique(inside))
    doubt = sitk.GetArrayFromImage(result.doubt)
    assert doubt[region].any() and not doubt[:, :, 48:].any()


def test_a_model_of_the_other_side_sees_the_mirror_image(with_locator: Callable[..., Engine]) -> None:
    def halves_along_x(mirrored: bool) -> np.ndarray:
        sides = [SIDES[0], {**SIDES[1], "mirrored": mirrored}]
        return array_of(with_locator(HalvesNetwork(air=False), sides=sides).segment(scan()))

    plain, mirrored = halves_along_x(False), halves_along_x(True)
    assert np.array_equal(plain == 1, mirrored == 1) and (plain == 3).any()
    assert np.array_equal(plain == 3, mirrored == 4) and np.array_equal(plain == 4, mirrored == 3)


def test_a_crop_that_cuts_the_structure_becomes_larger(with_locator: Callable[..., Engine]) -> None:
    # The locator sees only the back half of each block.
    result = with_locator(finder=HalvesNetwork(150.0), margin=2.0).segment(scan())
    assert np.array_equal(array_of(result), expected())


@pytest.mark.parametrize("low", [1e-6, 5.0])
def test_where_nothing_plausible_is_found_the_scan_is_refused(with_locator: Callable[..., Engine], low: float) -> None:
    ranges = [{"value": value, "volume_ml": [low, 10.0]} for value in (1, 2)]
    image = scan() if low > 1 else scan() * 0.1
    with pytest.raises(InputImageError, match=r"finds no Structure 2 and no Structure 1 here, so Test model has"):
        with_locator(ranges=ranges).segment(image)


def test_a_side_that_is_missing_is_told(with_locator: Callable[..., Engine]) -> None:
    ranges = [{"value": 1, "volume_ml": [0.1, 10.0]}, {"value": 2, "volume_ml": [5.0, 10.0]}]
    engine = with_locator(ranges=ranges)
    result = engine.segment(scan())
    assert set(np.unique(array_of(result))) == {0, 3, 4}
    assert result.warnings[0] == "Structure 2 was not found, so Test model is empty there."
    with pytest.raises(DoubtfulResultError, match="Structure 2 was not found"):
        engine.segment(scan(), SegmentOptions(strict=True))


def test_a_result_that_contradicts_the_locator_gets_a_warning(with_locator: Callable[..., Engine]) -> None:
    class Corner(nn.Module):
        total_stride = 4

        def forward(self, x: Tensor) -> Tensor:
            first = x * 0
            first[..., :3, :3, :3] = 1
            return torch.cat([1 - first, first, x * 0], dim=1)

    result = with_locator(Corner(), margin=6.0).segment(scan())
    assert [warning for warning in result.warnings if "little in common at Structure 1" in warning]


def test_a_locator_that_cannot_be_used_is_refused_in_words(with_locator: Callable[..., Engine]) -> None:
    with pytest.raises(ModelPackageError, match=r"with the model finder, which cannot be used: There is no model"):
        with_locator(models={}).segment(scan())
    sides = [{"labels": ["Structure 9"], "mirrored": False}]
    with pytest.raises(ModelPackageError, match=r"looks for 'Structure 9' with finder@1.0.0, which has no such label"):
        with_locator(sides=sides).segment(scan())
    other = StubModel(card("other", largest_extent_mm=[9.0, 9.0, 9.0], locator=locator_of("asking")), HalvesNetwork())
    with pytest.raises(ModelPackageError, match="it has a locator"):
        with_locator(models={"finder": other}).segment(scan())


def locator_of(model: str) -> dict[str, Any]:
    return {"model": model, "margin_mm": 1.0, "sides": [{"labels": ["Structure 1"], "mirrored": False}]}


def test_progress_rises_to_the_end_and_a_cancelled_run_stops(with_locator: Callable[..., Engine]) -> None:
    told: list[tuple[int, str]] = []
    with_locator().segment(scan(), progress=lambda done, total, message: told.append((done, message)))
    percents = [percent for percent, _ in told]
    assert percents == sorted(percents) and percents.count(100) == 1 and told[-1] == (100, "Done")
    beginnings = dict.fromkeys(message.partition(":")[0] for _, message in told)
    assert list(beginnings) == ["Finding the structures", "Left", "Right", "Done"]
    cancel = CancelToken()
    with pytest.raises(CancelledError):
        with_locator().segment(scan(), progress=lambda done, total, message: cancel.cancel(), cancel=cancel)


@pytest.mark.usefixtures("fastest_path")
@pytest.mark.slow
def test_the_shipped_hippocampus_model_finds_both_sides_of_a_whole_head() -> None:
    from LightMedSegLib import segment
    from LightMedSegLib.io.sample_data import sample_path

    result = segment(sample_path("head"), "hippocampus-t1-mr", device="cpu")
    volumes = result.volumes()
    assert not result.warnings
    for side in ("Left", "Right"):
        assert 2 < sum(ml for name, ml in volumes.items() if name.startswith(side)) < 5
    left, right = ([ml for name, ml in volumes.items() if name.startswith(side)] for side in ("Left", "Right"))
    assert left == pytest.approx(right, rel=0.1)
    places = sitk.LabelShapeStatisticsImageFilter()
    places.Execute(result.labelmap)
    assert [places.GetCentroid(value)[0] > 0 for value in (1, 2, 3, 4)] == [True, True, False, False], "LPS: left is +x"
