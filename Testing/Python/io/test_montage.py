"""The montage shows the right voxels, in the right colours, the right way up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_labels

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.montage import COLUMNS, GAP_PIXELS, PANEL_PIXELS, montage, write_montage

LABELS = [Label.from_json(label) for label in make_labels(2)]
SIDE = PANEL_PIXELS + 2 * GAP_PIXELS


def flat_scan(like: sitk.Image) -> sitk.Image:
    """A dark volume with one bright corner voxel, so that the window is defined."""
    scan = sitk.Image(like.GetSize(), sitk.sitkInt16)
    scan.CopyInformation(like)
    scan[0, 0, 0] = 1000
    return scan


def panels(picture: np.ndarray) -> np.ndarray:
    """The picture cut into (plane, column, row, column of pixels, colour)."""
    return picture.reshape(3, SIDE, COLUMNS, SIDE, 3).transpose(0, 2, 1, 3, 4)


def test_the_picture_has_a_row_for_each_plane_and_the_colours_of_the_segments(labelmap: sitk.Image) -> None:
    picture = montage(flat_scan(labelmap), labelmap, LABELS)
    assert picture.shape == (3 * SIDE, COLUMNS * SIDE, 3)
    for label in LABELS:
        shown = (panels(picture) == label.color).all(axis=-1).any(axis=(2, 3))
        assert shown.any(axis=1).all(), f"{label.name} is missing in a plane"


def test_nothing_is_coloured_without_segments(labelmap: sitk.Image) -> None:
    picture = montage(flat_scan(labelmap), labelmap * 0, LABELS)
    assert (picture[..., 0] == picture[..., 1]).all()


def test_left_posterior_and_superior_are_where_a_radiologist_expects_them() -> None:
    """One blob at the patient's left, back and top, stored in an array that runs the other way along every axis."""
    array = np.zeros((30, 30, 30), dtype=np.uint8)
    array[12:18, 12:18, 12:18] = 1
    array[2:6, 2:6, 2:6] = 2
    labelmap = sitk.GetImageFromArray(array)
    labelmap.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, -1))
    axial, coronal, sagittal = panels(montage(flat_scan(labelmap), labelmap, LABELS))
    for plane, vertical, horizontal in ((axial, 1, 1), (coronal, -1, 1), (sagittal, -1, 1)):
        middle, corner = (centre(plane, label.color) for label in LABELS)
        assert np.sign(corner[0] - middle[0]) == vertical
        assert np.sign(corner[1] - middle[1]) == horizontal


def test_voxels_are_shown_with_their_true_proportions() -> None:
    array = np.zeros((10, 40, 40), dtype=np.uint8)
    array[2:8, 10:30, 10:30] = 1
    labelmap = sitk.GetImageFromArray(array)
    labelmap.SetSpacing((1.0, 1.0, 4.0))
    coronal = panels(montage(flat_scan(labelmap), labelmap, LABELS))[1]
    rows, columns = np.nonzero((coronal[COLUMNS // 2] == LABELS[0].color).all(axis=-1))
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(24 / 20, rel=0.05)


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


def centre(plane: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Mean row and column of a colour over the panels of one plane that show it."""
    return np.argwhere((plane == color).all(axis=-1))[:, 1:].mean(axis=0)
