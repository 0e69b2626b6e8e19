"""Which model suits a volume: synthetic bodies, and the reason in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightMedSegLib.checks.scan_facts import look_at_image
from LightMedSegLib.cli import main
from LightMedSegLib.io.sample_data import sample_path
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.store import resolve_model
from LightMedSegLib.model.suggestion import Appearance, Stack, appearance_of, modality_by_intensity, suggest

VENTRICLE = resolve_model("left-ventricle-cine-mr").card
HIPPOCAMPUS = resolve_model("hippocampus-t1-mr").card


def card(name: str, modality: str) -> ModelCard:
    whole = dataclasses.replace(HIPPOCAMPUS.input, largest_extent=None)
    return dataclasses.replace(HIPPOCAMPUS, name=name, title=name, modality=modality, input=whole)


CARDS = [HIPPOCAMPUS, card("neck", "CT"), card("brain", "MR")]


def body(radii_mm: list[float], spacing: float = 3.0, table: bool = True) -> np.ndarray:
    """A CT (z, y, x) of discs of the given radii, 10 mm of each, with a table below."""
    size = int(440 / spacing)
    y, x = (np.arange(size) - size / 2) * spacing, (np.arange(size) - size / 2) * spacing
    planes = []
    for radius in radii_mm:
        plane = np.where(x[None] ** 2 + y[:, None] ** 2 < radius**2, 40, -1000)
        if table:
            plane[-6:-3] = 100
        planes += [plane] * round(10 / spacing)
    return np.array(planes, dtype=np.int16)


TRUNK, NECK, HEAD, LEG = [150.0] * 25, [62.0] * 9, [95.0] * 14, [75.0] * 30


@pytest.mark.parametrize(
    ("radii", "found"),
    [
        (TRUNK + NECK + HEAD, True),
        (NECK + HEAD, True),
        (TRUNK[:6] + NECK, True),
        (TRUNK, False),
        (HEAD, False),
        (LEG + TRUNK, False),
        (LEG, False),
    ],
    ids=["whole body", "head and neck", "shoulders and neck", "trunk", "head alone", "legs and trunk", "leg"],
)
def test_a_ct_needs_a_neck(radii: list[float], found: bool) -> None:
    suggestion = suggest(appearance_of(body(radii), (3.0, 3.0, 10 / round(10 / 3.0))), CARDS)
    assert (suggestion.model is not None) == found, suggestion.reason
    assert "neck" in suggestion.reason


def with_air(array: np.ndarray, at_mm: tuple[float, float], radius_mm: float, spacing: float = 3.0) -> np.ndarray:
    """A hole in every plane of body(); at_mm: its middle, from the middle of the body, in y and x."""
    y, x = ((np.arange(array.shape[1]) - array.shape[1] / 2) * spacing - middle for middle in at_mm)
    array[:, x[None] ** 2 + y[:, None] ** 2 < radius_mm**2] = -1000
    return array


@pytest.mark.parametrize(
    ("radii", "at_mm", "radius", "found"),
    [
        (NECK, (-30, 0), 10, True),
        ([62.0, 64.0, 68.0, 72.0, 78.0, 84.0, 88.0, 91.0, 92.0], (-30, 0), 10, True),
        (TRUNK[:2] + NECK[:5], (-30, 0), 10, True),
        (NECK[:2], (-30, 0), 10, False),
        (LEG, (71, 0), 10, False),
        (LEG + TRUNK, (-30, 0), 10, False),
        (NECK, (0, 0), 45, False),
        (TRUNK, (-30, 0), 10, False),
    ],
    ids=["neck", "neck and jaw", "from the shoulders", "too short", "gap", "leg below a trunk", "hollow", "trunk"],
)
def test_a_short_crop_of_the_neck_is_known_by_its_airway(
    radii: list[float], at_mm: tuple[float, float], radius: float, found: bool
) -> None:
    spacing = (3.0, 3.0, 10 / round(10 / 3.0))
    suggestion = suggest(appearance_of(with_air(body(radii), at_mm, radius), spacing), CARDS)
    assert (suggestion.model is not None) == found, suggestion.reason


def test_slices_from_the_head_down_or_along_another_axis_are_told_so() -> None:
    turned = np.ascontiguousarray(np.moveaxis(body(TRUNK + NECK + HEAD), 0, 2))
    assert suggest(appearance_of(turned, (10 / 3, 3.0, 3.0), upward=0), CARDS).model == CARDS[1]


def test_mr_is_a_crop_or_a_head_or_neither() -> None:
    chosen = {
        extent: suggest(Appearance("MR", extent), CARDS).model
        for extent in [(35.0, 50.0, 36.0), (220.0, 220.0, 170.0), (351.0, 273.0, 60.0), (30.0, 300.0, 300.0)]
    }
    assert [model.name if model else None for model in chosen.values()] == [HIPPOCAMPUS.name, "brain", None, None]
    assert "351 x 273 x 60 mm" in suggest(Appearance("MR", (351.0, 273.0, 60.0)), CARDS).reason


def test_what_no_model_knows_is_said() -> None:
    assert "looks like PT" in suggest(Appearance("PT", (400.0, 400.0, 900.0)), CARDS).reason
    assert "choose a model yourself" in suggest(Appearance("", (1.0, 1.0, 1.0)), CARDS).reason
    assert suggest(Appearance("MR", (35.0, 50.0, 36.0)), []).reason == "No models are installed."


# Sizes in mm and normals (LPS) of short-axis stacks of five patients in the Sunnybrook Cardiac Data.
SHORT_AXES = [
    Stack(9, 10.0, 350.0, (0.67, -0.67, -0.32)),
    Stack(9, 10.0, 350.0, (0.62, -0.67, -0.41)),
    Stack(10, 8.0, 330.0, (0.63, -0.66, -0.41)),
    Stack(9, 8.0, 350.0, (0.72, -0.66, -0.22)),
    Stack(11, 8.0, 350.0, (0.47, -0.71, -0.52)),
]


def model_for(stack: Stack, body_part: str = "", modality: str = "MR") -> ModelCard | None:
    extent = (330.0, 330.0, stack.count * stack.distance_mm)
    return suggest(Appearance(modality, extent, body_part=body_part, stack=stack), [*CARDS, VENTRICLE]).model


@pytest.mark.parametrize("stack", SHORT_AXES)
def test_a_short_axis_stack_of_the_heart_is_known_by_the_place_of_its_slices(stack: Stack) -> None:
    x, y, z = stack.normal
    backwards = dataclasses.replace(stack, normal=(-x, -y, -z))
    for either in (stack, backwards):
        assert model_for(either) == VENTRICLE, "and not a head, although it may be as large as one"
        assert model_for(either, "HEART") == model_for(either, "CHEST") == VENTRICLE
        assert model_for(either, "HEAD") != VENTRICLE and model_for(either, modality="PT") is None


@pytest.mark.parametrize(
    "stack",
    [
        Stack(9, 10.0, 350.0, (0.0, 0.0, 1.0)),
        Stack(24, 5.0, 230.0, (0.0, 0.34, 0.94)),
        Stack(20, 5.0, 230.0, (0.08, 0.7, 0.7)),
        Stack(10, 8.0, 350.0, (0.31, -0.2, 0.93)),
        Stack(10, 8.0, 350.0, (0.6, 0.75, -0.25)),
        Stack(24, 5.0, 230.0, (0.92, -0.30, -0.25)),
        Stack(24, 5.0, 230.0, (0.36, -0.86, -0.36)),
        Stack(24, 5.0, 230.0, (-0.32, 0.28, 0.90)),
        Stack(1, 8.0, 350.0, SHORT_AXES[0].normal),
        Stack(3, 8.0, 350.0, SHORT_AXES[0].normal),
        Stack(120, 1.0, 350.0, SHORT_AXES[0].normal),
        Stack(20, 4.5, 150.0, SHORT_AXES[0].normal),
    ],
    ids=[
        "axial", "tilted head", "across the hippocampus", "four chambers", "two chambers", "sagittal head",
        "coronal head", "turned head", "one slice", "long axes", "thin slices", "joint",
    ],
)  # fmt: skip
def test_other_slices_are_no_short_axis_stack(stack: Stack) -> None:
    assert model_for(stack) != VENTRICLE
    reason = suggest(Appearance("MR", (400.0, 400.0, 90.0), stack=stack), [VENTRICLE]).reason
    assert "needs a short-axis stack" in reason


def test_the_slices_of_an_image_are_where_its_header_says() -> None:
    values = np.random.default_rng(0).integers(1, 300, (9, 64, 64)).astype(np.int16)
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing((5.4, 5.4, 8.0))
        across = np.array(SHORT_AXES[2].normal) / np.linalg.norm(SHORT_AXES[2].normal)
        right = np.cross((0.0, 0.0, 1.0), across)
        right /= np.linalg.norm(right)
        image.SetDirection(np.column_stack([right, np.cross(across, right), across]).ravel().tolist())
        image = sitk.PermuteAxes(image, order)
        stack = look_at_image(image).appearance.stack
        assert stack is not None
        assert (stack.count, stack.distance_mm) == (9, 8.0) and stack.field_mm == pytest.approx(64 * 5.4)
        assert stack.normal == pytest.approx(tuple(across))
        assert suggest(look_at_image(image).appearance, [*CARDS, VENTRICLE]).model == VENTRICLE


def test_modality_by_intensity() -> None:
    assert modality_by_intensity(body(HEAD)) == "CT"
    assert modality_by_intensity(np.arange(1000.0).reshape(10, 10, 10)) == "MR"
    assert modality_by_intensity(np.zeros((4, 4, 4))) == ""
    assert modality_by_intensity(np.linspace(-3, 3, 1000).reshape(10, 10, 10)) == ""


def test_the_command_names_a_model_and_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["auto", str(sample_path("hippocampus"))]) == 0
    name, reason = capsys.readouterr().out.splitlines()
    assert name == "hippocampus-t1-mr" and reason.endswith(f"{HIPPOCAMPUS.title}.")
    path = tmp_path / "leg.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(body(LEG)), path)
    assert main(["auto", str(path)]) == 3
    assert capsys.readouterr().out.startswith("no model\n")
