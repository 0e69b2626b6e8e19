"""The Dice that a result is expected to reach, from its doubt and the calibration in the model's card."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import make_image
from model_factory import LOCATED, make_card

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.doubt.expected_dice import mean_confidences, mean_expected_dice
from LightMedSegLib.inference.result import STAGES, Segmentation
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card

CALIBRATION = {"intercept": -0.1, "slope": 1.1, "mean_absolute_error": 0.03, "cases": 12}


def result(calibrated: bool = True, with_doubt: bool = True) -> Segmentation:
    """Of two structures one has voxels: half of them are sure, the others as likely wrong as right."""
    card = make_card(labels=2, **({"expected_dice": CALIBRATION} if calibrated else {}))
    labels, doubt = np.zeros((2, 8, 8, 8), dtype=np.uint8)
    labels[2:6, 2:6, 2:6] = 1
    doubt[4:, :, :] = 255
    volume, doubts = make_image(labels), make_image(doubt)
    timings = dict.fromkeys(STAGES, 0.0)
    return Segmentation(volume, ModelCard.from_json(card), timings, "cpu", doubt=doubts if with_doubt else None)


def test_the_mean_confidence_is_the_share_of_voxels_that_is_expected_to_be_right() -> None:
    labels, doubt = (sitk.GetArrayFromImage(image) for image in (result().labelmap, result().doubt))
    assert mean_confidences(labels, doubt) == {1: pytest.approx(0.75)}


def test_the_card_turns_confidence_into_a_dice_and_an_empty_segment_has_none() -> None:
    (name, other) = (label.name for label in result().card.labels)
    assert result().expected_dice() == {name: pytest.approx(-0.1 + 1.1 * 0.75)}
    entries = {one["name"]: one["expected_dice"] for one in result().segments()}
    assert entries == {name: pytest.approx(0.725), other: None}
    assert mean_expected_dice(result().segments()) == pytest.approx(0.725)


@pytest.mark.parametrize(("calibrated", "with_doubt"), [(False, True), (True, False)])
def test_without_calibration_or_doubt_no_dice_is_expected(calibrated: bool, with_doubt: bool) -> None:
    plain = result(calibrated, with_doubt)
    assert plain.expected_dice() == {}
    assert not any("expected_dice" in one for one in plain.segments())
    assert mean_expected_dice(plain.segments()) is None


def test_a_structure_has_an_offset_of_its_own_on_each_side_of_a_located_result() -> None:
    expected = {**CALIBRATION, "offsets": [{"value": 2, "dice": 0.1}, {"value": 1, "dice": -0.2}]}
    card = ModelCard.from_json(make_card(labels=2, input=LOCATED, expected_dice=expected))
    assert card.expected_dice(2, 0.8) == pytest.approx(-0.1 + 1.1 * 0.8 + 0.1)
    both = located_card(card).expected_dice
    assert [both(value, 0.8) for value in (1, 2, 3, 4)] == 2 * [card.expected_dice(value, 0.8) for value in (1, 2)]


@pytest.mark.parametrize("values", [[3], [1, 1]])
def test_offsets_of_labels_that_the_card_lacks_or_has_twice_are_refused(values: list[int]) -> None:
    offsets = [{"value": value, "dice": 0.1} for value in values]
    with pytest.raises(ModelPackageError, match=r"expected_dice\.offsets names"):
        ModelCard.from_json(make_card(labels=2, expected_dice={**CALIBRATION, "offsets": offsets}))


@pytest.mark.parametrize(("calibrated", "expected"), [(1.3, 1.0), (-2.0, 0.0)])
def test_an_expected_dice_stays_between_0_and_1(calibrated: float, expected: float) -> None:
    card = make_card(labels=2, expected_dice={**CALIBRATION, "intercept": calibrated, "slope": 0.0})
    one = result()
    limited = Segmentation(one.labelmap, ModelCard.from_json(card), one.timings, "cpu", doubt=one.doubt)
    assert list(limited.expected_dice().values()) == [expected]
