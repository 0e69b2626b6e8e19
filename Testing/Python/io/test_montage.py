"""The montage shows the right voxels, in the right colours, the right way up, with letters and a legend."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_labels

from LightMedSegLib.core.errors import DependencyError, OutputError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.montage import ROW_WIDTH, montage, write_montage
from LightMedSegLib.io.pictures.legend import legend_entries
from LightMedSegLib.io.pictures.overlay import Paint, painted, window
from LightMedSegLib.io.pictures.scene import MARGIN, SMALLEST_MARGIN_MM, Scene, SliceView
from LightMedSegLib.io.pictures.sheet import BACKGROUND, DIRECTIONS, sheet

LABELS = [Label.from_json(label) for label in make_labels(2)]


def flat_scan(like: sitk.Image) -> sitk.Image:
    """A dark volume with one bright corner voxel, so that the window is defined."""
    scan = sitk.Image(like.GetSize(), sitk.sitkInt16)
    scan.CopyInformation(like)
    scan[0, 0, 0] = 1000
    return scan


def two_blobs() -> sitk.Image:
    """A blob in the middle and one at the patient's left, back and top; every axis of the array runs the other way."""
    array = np.zeros((30, 30, 30), dtype=np.uint8)
    array[12:18, 12:18, 12:18] = 1
    array[2:6, 2:6, 2:6] = 2
    labelmap = sitk.GetImageFromArray(array)
    labelmap.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, -1))
    return labelmap


def of_color(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return (picture == color).all(axis=-1)


def test_the_picture_has_rows_of_slices_and_the_colours_of_the_segments(labelmap: sitk.Image) -> None:
    picture = montage(flat_scan(labelmap), labelmap, LABELS)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert picture.shape[1] <= ROW_WIDTH + 40
    assert all(of_color(picture, label.color).any() for label in LABELS)


def test_nothing_is_coloured_without_segments(labelmap: sitk.Image) -> None:
    picture = montage(flat_scan(labelmap), labelmap * 0, LABELS)
    assert np.ptp(picture.astype(int), axis=-1).max() == 0


def test_left_posterior_and_superior_are_where_a_radiologist_expects_them() -> None:
    scene = Scene(flat_scan(two_blobs()), two_blobs())
    for axis, directions in enumerate(((1, 1), (-1, 1), (-1, 1))):
        seen: dict[int, list[np.ndarray]] = {1: [], 2: []}
        for view in scene.spread(axis, 6):
            _, values = scene.pixels(view, 0.5)
            for value, places in seen.items():
                places.extend(np.argwhere(values == value))
        middle, corner = (np.mean(seen[value], axis=0) for value in (1, 2))
        assert tuple(np.sign(corner - middle)) == directions, axis
        _, right, upper, lower = DIRECTIONS[axis]
        assert (right, lower if directions[0] > 0 else upper) == tuple(("LP", "LS", "PS")[axis])


def test_every_edge_of_a_slice_has_a_letter() -> None:
    panel = np.zeros((200, 300, 3), dtype=np.uint8)
    pixels = sheet([[(0, panel)]], {}).astype(int).sum(axis=-1) > 300
    rows, columns = np.nonzero(pixels)
    height, width = pixels.shape
    for near in (columns < 30, columns > width - 30, rows < 30, rows > height - 30):
        assert near.any()
    assert not pixels[60 : height - 60, 60 : width - 60].any()


def test_voxels_are_shown_with_their_true_proportions_and_a_margin() -> None:
    array = np.zeros((30, 80, 80), dtype=np.uint8)
    array[10:20, 20:60, 20:60] = 1
    labelmap = sitk.GetImageFromArray(array)
    labelmap.SetSpacing((2.0, 2.0, 6.0))
    scene = Scene(flat_scan(labelmap), labelmap)
    _, values = scene.pixels(SliceView(1, 40), 0.5)
    rows, columns = np.nonzero(values == 1)
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(60 / 80, rel=0.03)
    assert values.shape == tuple(round((side + 2 * max(MARGIN * 80, SMALLEST_MARGIN_MM)) / 0.5) for side in (60, 80))


def test_large_structures_are_filled_lightly_and_small_ones_have_outlines_in_full_colour() -> None:
    values = np.zeros((4, 60, 60), dtype=np.uint8)
    values[:, :50, :50] = 1
    values[:, 52:56, 2:8], values[:, 52:56, 20:26] = 2, 3
    labels = [LABELS[0], LABELS[1], replace(LABELS[1], value=3)]
    paint = Paint.of(values, labels)
    assert paint.areas[1] < paint.areas[2]
    picture = painted(np.full((60, 60), 100, dtype=np.uint8), values[0], paint, line=2)
    assert all(tuple(picture[row, 3]) == labels[1].color for row in (52, 53, 54, 55))
    inner, line = (np.abs(picture[25, column].astype(int) - 100).max() for column in (25, 48))
    assert inner < line / 2
    assert tuple(picture[59, 59]) == (100, 100, 100)


def test_a_ct_has_the_window_of_soft_tissue_and_another_scan_that_of_its_intensities() -> None:
    gray = np.linspace(-1000, 3000, 1000, dtype=np.float32)
    nothing = np.zeros(gray.shape, dtype=np.uint8)
    assert window(gray, nothing, "CT") == (-160, 240)
    low, high = window(gray, nothing, "MR")
    assert -1000 < low < -900 and 2900 < high < 3000
    assert window(gray, (np.abs(gray) < 100).astype(np.uint8), "MR")[1] < 500


def test_a_legend_has_one_entry_for_both_sides_of_one_colour() -> None:
    left, right = (replace(LABELS[0], name=f"{side} thalamus") for side in ("Left", "Right"))
    other = replace(right, color=(1, 2, 3))
    assert legend_entries([left, right]) == {"Thalamus": left.color}
    left = replace(left, value=7)
    assert legend_entries([left, other], {7}) == {"Left thalamus": left.color}
    assert legend_entries([left, other]) == {"Left thalamus": left.color, "Right thalamus": (1, 2, 3)}


def test_the_legend_has_a_swatch_of_each_structure_below_the_slices() -> None:
    panel = np.full((40, 30, 3), BACKGROUND, dtype=np.uint8)
    legend = {"A": (250, 0, 0), "B": (0, 250, 0), "A long name of a structure": (0, 0, 250)}
    picture = sheet([[(0, panel)]], legend, title="A title")
    tops = [np.nonzero(of_color(picture, color))[0].min() for color in legend.values()]
    assert min(tops) > 40 and len(set(tops)) > 1 and picture.shape[1] > 200
    assert of_color(picture[:30], BACKGROUND).mean() < 1


def test_the_file_is_a_png_that_holds_the_picture(no_leftovers: Path, labelmap: sitk.Image) -> None:
    path = no_leftovers / "picture.png"
    write_montage(path, flat_scan(labelmap), labelmap, LABELS)
    assert path.read_bytes().startswith(b"\x89PNG")
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(str(path))), montage(flat_scan(labelmap), labelmap, LABELS)
    )


def test_another_format_is_refused(tmp_path: Path, labelmap: sitk.Image) -> None:
    with pytest.raises(OutputError, match=r"picture\.jpg is no name for a montage"):
        write_montage(tmp_path / "picture.jpg", flat_scan(labelmap), labelmap, LABELS)


def test_a_missing_pillow_is_named(tmp_path: Path, labelmap: sitk.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DependencyError, match="A montage needs the Python package Pillow; pip install pillow"):
        write_montage(tmp_path / "picture.png", flat_scan(labelmap), labelmap, LABELS)
