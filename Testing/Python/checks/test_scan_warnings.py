"""A volume is compared with what the card expects: modality, values, part of the body; random scales and offsets."""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import make_image, smooth_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_phantoms import HEAD, LEG, NECK, TRUNK, ct_body, dicom_scan, with_values

from LightMedSegLib.checks.scan_facts import look_at_image
from LightMedSegLib.checks.scan_warnings import image_warnings
from LightMedSegLib.io.sample_data import sample_path
from LightMedSegLib.io.scan_tags import ScanTags, keep_tags, scan_tags, tags_of
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.model.body_regions import contradicts, regions_of
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.store import resolve_model
from LightMedSegLib.model.suggestion import suggest

BRAIN, NECK_CT, HIPPOCAMPUS, CINE = (
    resolve_model(name).card
    for name in ("brain-structures-mr", "headneck-oar-ct", "hippocampus-t1-mr", "left-ventricle-cine-mr")
)


@cache
def neck_scan() -> sitk.Image:
    return ct_body(TRUNK[:6] + NECK + HEAD)


def with_tags(image: sitk.Image, modality: str = "", body_part: str = "") -> sitk.Image:
    tagged = sitk.Image(image)
    keep_tags(tagged, ScanTags(modality, body_part))
    return tagged


def warned(image: sitk.Image, card: ModelCard) -> str:
    return "\n".join(image_warnings([image], card))


@pytest.mark.parametrize("pixel", [1.3, 4.0])
def test_of_a_model_for_slices_only_their_pixels_may_be_too_large(pixel: float) -> None:
    array = np.random.default_rng(0).integers(0, 900, (9, 64, 64)).astype(np.int16)
    stack = sitk.GetImageFromArray(array)
    stack.SetSpacing((pixel, pixel, 10.0))
    assert ("up to 4.0 mm long; the model sees 1.4 mm" in warned(stack, CINE)) == (pixel > 2)
    assert "10.0 mm" not in warned(stack, CINE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radii", [NECK + HEAD, TRUNK + NECK + HEAD, TRUNK[:6] + NECK], ids=["head", "all", "neck"])
def test_a_sound_ct_of_the_neck_gets_no_warning(radii: list[float], seed: int) -> None:
    image = ct_body(radii, seed)
    assert warned(image, NECK_CT) == ""
    assert warned(with_tags(image, "CT", "HEADNECK"), NECK_CT) == ""
    padded = sitk.GetArrayFromImage(image)
    padded[:, :6] = -2000
    assert warned(with_values(image, padded), NECK_CT) == ""


@settings(max_examples=25, deadline=None)
@given(offset=st.one_of(st.sampled_from([1024, 1000, -1024, 32768]), st.integers(250, 4000), st.integers(-4000, -350)))
def test_a_ct_with_an_offset_is_told(offset: int) -> None:
    shifted = sitk.GetArrayFromImage(neck_scan()).astype(np.float32) + offset
    sentences = warned(with_values(neck_scan(), shifted), NECK_CT)
    assert "Hounsfield" in sentences or "does not look like CT" in sentences


@settings(max_examples=25, deadline=None)
@given(
    limits=st.one_of(
        st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-1.0, 100.0), (-128.0, 127.0), (-32768.0, 32767.0)]),
        st.tuples(st.just(0.0), st.floats(1e-6, 1e9)),
        st.tuples(st.floats(-100, 0), st.floats(1e-6, 40)),
    ),
    tagged=st.booleans(),
)
def test_a_ct_that_was_scaled_to_another_range_is_told(limits: tuple[float, float], tagged: bool) -> None:
    lower, upper = limits
    array = sitk.GetArrayFromImage(neck_scan()).astype(np.float64)
    scaled = lower + (array - array.min()) / np.ptp(array) * (upper - lower)
    image = with_tags(with_values(neck_scan(), scaled), "CT" if tagged else "")
    sentences = warned(image, NECK_CT)
    assert "Hounsfield" in sentences or "does not look like CT" in sentences


def test_a_ct_of_another_part_of_the_body_is_told() -> None:
    for radii in (LEG + TRUNK[:12], TRUNK, LEG):
        assert "no cross-section here looks like" in warned(ct_body(radii), NECK_CT)


def test_a_large_mr_is_no_head() -> None:
    noise = smooth_noise((20, 30, 40))
    assert "more than a head" in warned(make_image(noise - noise.min(), (9.0, 9.0, 3.0)), BRAIN)
    assert warned(make_image(noise - noise.min(), (5.0, 6.0, 8.0)), BRAIN) == "\n".join(
        one for one in image_warnings([make_image(noise - noise.min(), (5.0, 6.0, 8.0))], BRAIN) if "8.0 mm long" in one
    )


def test_a_scan_that_is_too_large_for_a_model_is_told_unless_the_model_has_a_locator() -> None:
    noise = smooth_noise((20, 30, 40))
    head = make_image(noise - noise.min(), (5.0, 6.0, 8.0))
    without = dataclasses.replace(HIPPOCAMPUS, input=dataclasses.replace(HIPPOCAMPUS.input, locator=None))
    assert "made for volumes of up to 60 x 65 x 75 mm; choose a region of interest" in warned(head, without)
    assert "region of interest" not in warned(head, HIPPOCAMPUS)
    assert "more than a head" in warned(make_image(noise - noise.min(), (9.0, 9.0, 3.0)), HIPPOCAMPUS)


def test_modality_by_headers_counts_more_than_intensities() -> None:
    crop = sitk.ReadImage(str(sample_path("hippocampus")))
    assert warned(with_tags(crop, "MR", "BRAIN"), HIPPOCAMPUS) == ""
    assert "looks like PT, but the model was trained on MR" in warned(with_tags(crop, "PT"), HIPPOCAMPUS)
    assert "looks like CT, but" in warned(with_tags(crop, "CT"), HIPPOCAMPUS)
    assert "looks like CT, but" in warned(neck_scan(), BRAIN)
    assert "looks like MR, but" in warned(with_tags(crop, "MR"), NECK_CT)
    of_anything = dataclasses.replace(HIPPOCAMPUS, modality="OT")
    assert "but the model was trained on" not in warned(with_tags(crop, "PT"), of_anything)
    assert "does not look like CT (no negative values)" in warned(crop, NECK_CT)


def test_the_part_of_the_body_by_headers() -> None:
    crop = sitk.ReadImage(str(sample_path("hippocampus")))
    sentence = "The volume was recorded as LEG, but the model is for the region Head."
    assert sentence in image_warnings([with_tags(crop, "MR", "LEG")], HIPPOCAMPUS)
    # A neck that is seen counts more than a code that somebody chose.
    assert warned(with_tags(neck_scan(), "CT", "CHEST"), NECK_CT) == ""
    assert "was recorded as HIP" in warned(with_tags(ct_body(LEG + TRUNK[:12]), "CT", "HIP"), NECK_CT)


@pytest.mark.parametrize(
    ("recorded", "wanted", "contradiction"),
    [
        ("BRAIN", "Head", False),
        ("HEADNECK", "Head", False),
        ("HEAD", "Head and neck", False),
        ("CSPINE", "Head and neck", False),
        ("WHOLEBODY", "Head", False),
        ("SPINE", "Head and neck", False),
        ("HEART", "Head", True),
        ("CHEST", "Head", True),
        ("HIP", "Head and neck", True),
        ("LEG", "Head", True),
        ("ABDOMEN", "Left hippocampus", True),
        ("KOPF", "Head", False),
        ("", "Head", False),
        ("HEAD", "Zebrafish", False),
    ],
)
def test_parts_of_the_body_are_compared_as_people_do(recorded: str, wanted: str, contradiction: bool) -> None:
    assert contradicts(recorded, wanted) is contradiction


def test_a_spine_may_show_anything() -> None:
    assert regions_of("WHOLE BODY") == regions_of("Spine") and len(regions_of("Spine")) > 5


def test_the_same_volume_for_two_inputs() -> None:
    two = dataclasses.replace(HIPPOCAMPUS.input, channels=HIPPOCAMPUS.input.channels * 2)
    card = dataclasses.replace(HIPPOCAMPUS, input=two)
    crop = sitk.ReadImage(str(sample_path("hippocampus")))
    assert any("The same volume is given" in one for one in image_warnings([crop, sitk.Image(crop)], card))
    other = with_values(crop, sitk.GetArrayFromImage(crop)[::-1].copy())
    assert image_warnings([crop, other], card) == []
    assert any("Volume 2 (T1)" in one for one in image_warnings([crop, with_tags(other, "PT")], card))


def test_tags_come_from_the_class_of_the_object_where_the_modality_is_missing() -> None:
    def of(**values: str) -> ScanTags:
        keys = {"0008|0060": "modality", "0018|0015": "part", "0008|0016": "kind"}
        return scan_tags(lambda key: values.get(keys[key], ""))

    assert of(modality="MR ", part="leg").modality == "MR"
    assert of(kind="1.2.840.10008.5.1.4.1.1.128") == ScanTags("PT")
    assert of(modality="OT", kind="1.2.840.10008.5.1.4.1.1.2\0") == ScanTags("CT")
    assert of(modality="CT", kind="1.2.840.10008.5.1.4.1.1.4") == ScanTags("CT")
    # Somebody's free text is no code, and may name a patient.
    assert of(modality="MR", part="Jane Doe born 1970") == ScanTags("MR")


@pytest.mark.parametrize(("modality", "part"), [("MR", "BRAIN"), ("PT", "LEG"), ("CT", "")])
def test_a_dicom_series_brings_its_tags_along(modality: str, part: str, tmp_path: Path) -> None:
    assert tags_of(read_volume(dicom_scan(tmp_path / "series", modality, part))) == ScanTags(modality, part)


@pytest.mark.parametrize("count", [2, 8, 52])
def test_a_labelmap_that_is_given_for_a_scan_is_told(count: int) -> None:
    crop = sitk.ReadImage(str(sample_path("hippocampus")))
    array = sitk.GetArrayFromImage(crop).astype(np.float64)
    assert "labelmap" not in warned(crop, HIPPOCAMPUS)
    labels = np.floor(array / (array.max() + 1) * count)
    for kind in (np.uint8, np.float32):
        assert "The volume looks like a labelmap" in warned(with_values(crop, labels.astype(kind)), HIPPOCAMPUS)
    assert "labelmap" not in warned(with_values(crop, labels / count), HIPPOCAMPUS), "normalised, not labels"


@pytest.mark.parametrize("axis", range(3))
def test_a_scan_whose_half_holds_zeros_is_told(axis: int) -> None:
    crop = sitk.ReadImage(str(sample_path("hippocampus")))
    for flipped in (False, True):
        array = sitk.GetArrayFromImage(crop).astype(np.int16) + 1
        planes = np.moveaxis(array, axis, 0)[:: -1 if flipped else 1]
        planes[len(planes) // 2 :] = 0
        sentences = warned(with_values(crop, array), HIPPOCAMPUS)
        assert re.search(r"\b(49|5\d)% of the slices of the volume along an axis hold only zeros", sentences)


def test_zeros_around_a_body_are_no_missing_slices() -> None:
    z, y, x = np.mgrid[:60, :60, :60]
    body = (z - 45) ** 2 + (y - 45) ** 2 + (x - 45) ** 2 < 14**2
    noise = smooth_noise((60, 60, 60))
    stripped = make_image(np.where(body, noise - noise.min() + 100, 0), (3.0, 3.0, 3.0))
    assert "only zeros" not in warned(stripped, BRAIN)


def test_what_no_model_is_for_is_not_suggested() -> None:
    """A PET of a leg was "an MR volume as large as a head"."""
    cards = [HIPPOCAMPUS, NECK_CT, BRAIN]
    noise = smooth_noise((30, 34, 34))
    head = make_image(noise - noise.min(), (6.0, 6.0, 6.0))
    assert suggest(look_at_image(head).appearance, cards).model == BRAIN
    assert suggest(look_at_image(with_tags(head, "MR", "HEAD")).appearance, cards).model == BRAIN
    leg = suggest(look_at_image(with_tags(head, "MR", "LEG")).appearance, cards)
    assert leg.model is None and "recorded as LEG" in leg.reason
    pet = suggest(look_at_image(with_tags(head, "PT", "LEG")).appearance, cards)
    assert pet.model is None and "looks like PT" in pet.reason


def test_a_model_for_a_region_that_nothing_is_known_of_is_never_suggested() -> None:
    heart = dataclasses.replace(BRAIN, body_region="Heart", title="Ventricle")
    noise = smooth_noise((30, 34, 34))
    suggestion = suggest(look_at_image(make_image(noise - noise.min(), (6.0, 6.0, 6.0))).appearance, [heart])
    assert suggestion.model is None and "must be chosen by you" in suggestion.reason


def test_padding_does_not_turn_an_mr_into_a_ct() -> None:
    crop = sitk.ReadImage(str(sample_path("hippocampus")))
    array = sitk.GetArrayFromImage(crop).astype(np.int16)
    array[:3] = -2000
    assert warned(with_values(crop, array), HIPPOCAMPUS) == ""
