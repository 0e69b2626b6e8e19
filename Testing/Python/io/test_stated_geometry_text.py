"""NRRD and MetaImage headers whose statements about space disagree, or that ITK reads differently from the format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stated_files import affines, assert_placed, matrix_of, nrrd_file, rotations, vector_text, voxels
from volumes_on_disk import metaimage

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.io.volume_notes import notes_of

often = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SPACES = {
    "left-posterior-superior": (1, 1, 1), "LPS": (1, 1, 1), "right-anterior-superior": (-1, -1, 1),
    "RAS": (-1, -1, 1), "left-anterior-superior": (1, -1, 1), "LAS": (1, -1, 1),
}  # fmt: skip
UNITS = {"mm": 1.0, "m": 0.001, "cm": 0.1, "um": 1000.0, "micron": 1000.0}


def placed(path: Path, matrix: np.ndarray, **fields: str) -> Path:
    """A NRRD file with space directions and origin."""
    directions = " ".join(f"({vector_text(column)})" for column in matrix[:, :3].T)
    return nrrd_file(path, **fields, space_directions=directions, space_origin=f"({vector_text(matrix[:, 3])})")


@often
@given(place=affines(), space=st.sampled_from(sorted(SPACES)), unit=st.sampled_from(["", *UNITS]))
def test_a_nrrd_file_lies_where_its_space_and_units_say(
    tmp_path: Path, place: np.ndarray, space: str, unit: str
) -> None:
    units = {"space_units": f'"{unit}" "{unit}" "{unit}"'} if unit else {}
    stated = np.diag(SPACES[space]) @ place * UNITS.get(unit, 1.0)
    image = read_volume(placed(tmp_path / "a.nrrd", stated, space=space, **units))
    assert_placed(image, place)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels())
    if unit in ("m", "cm", "um", "micron"):
        assert f"gives lengths in {unit}" in notes_of(image)[0]
    elif SPACES[space] != (1, -1, 1):
        assert notes_of(image) == []


@pytest.mark.parametrize(
    "fields",
    [{"spacings": "1 2 3"}, {"space_dimension": "3"}, {"space": "scanner-xyz"}, {"space": "3D-left-handed"}],
)
def test_a_nrrd_file_without_an_anatomical_space_has_a_note(tmp_path: Path, fields: dict[str, str]) -> None:
    place = np.column_stack([np.diag((1.0, 2.0, 3.0)), np.zeros(3)])
    path = tmp_path / "a.nrrd"
    image = read_volume(nrrd_file(path, **fields) if "spacings" in fields else placed(path, place, **fields))
    np.testing.assert_allclose(image.GetSpacing(), (1, 2, 3))
    assert ["does not say how its axes lie" in note for note in notes_of(image)] == [True]


@pytest.mark.parametrize("centers", [None, "cell cell cell", "node node node"])
def test_a_nrrd_file_with_axis_mins_lies_where_itk_puts_it(tmp_path: Path, centers: str | None) -> None:
    fields = {"spacings": "1 2 3", "axis_mins": "10 20 30"} | ({"centers": centers} if centers else {})
    path = nrrd_file(tmp_path / "a.nrrd", **fields)
    image = read_volume(path)
    np.testing.assert_allclose(matrix_of(image), matrix_of(sitk.ReadImage(str(path))))
    assert "does not say how its axes lie" in notes_of(image)[0]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"spacings": "1 0 1"},
        {"spacings": "-1 1 1"},
        {"spacings": "nan nan nan"},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,nan)"},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,0)"},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,1,1)"},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) none"},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,1)", "spacings": "2 2 2"},
        {"space": "LPS", "spacings": "2 2 2"},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,1)", "space_origin": "(nan,nan,nan)"},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,1)", "space_origin": "(1,2)"},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,1)", "space_units": '"mm" "mm" "m"'},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,1)", "space_units": '"ell" "ell" "ell"'},
        {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,1)", "space_units": '"um" "um" "um"'},
    ],
)
def test_a_nrrd_file_that_does_not_say_where_its_voxels_lie_is_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    with pytest.raises(InputImageError):
        read_volume(nrrd_file(tmp_path / "a.nrrd", **fields))


def meta(path: Path, matrix: np.ndarray, spacing: np.ndarray, **fields: str) -> Path:
    """A MetaImage file with these axes (columns), spacing and origin."""
    axes = matrix[:, :3] / np.linalg.norm(matrix[:, :3], axis=0)
    texts = (axes.T.ravel(), spacing, matrix[:, 3])
    keys = ("TransformMatrix", "ElementSpacing", "Offset")
    numbers = {key: vector_text(text).replace(",", " ") for key, text in zip(keys, texts, strict=True)}
    return metaimage(path, **{**numbers, **fields})


@often
@given(place=affines(), unit=st.sampled_from(["", "?", "mm", "cm", "um"]))
def test_a_metaimage_file_lies_where_its_matrix_and_unit_say(tmp_path: Path, place: np.ndarray, unit: str) -> None:
    stated = place * UNITS.get(unit, 1.0)
    units = {"DistanceUnits": unit} if unit else {}
    image = read_volume(meta(tmp_path / "a.mha", stated, np.linalg.norm(stated[:, :3], axis=0), **units))
    assert_placed(image, place)
    assert ["converted to mm" in note for note in notes_of(image)] == ([True] if unit in ("cm", "um") else [])


@often
@given(axes=rotations)
def test_the_anatomical_orientation_that_itk_writes_contradicts_no_matrix(tmp_path: Path, axes: np.ndarray) -> None:
    image = sitk.GetImageFromArray(voxels())
    image.SetDirection(axes.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    assert b"AnatomicalOrientation" in (tmp_path / "a.mha").read_bytes()
    assert notes_of(read_volume(tmp_path / "a.mha")) == []


@pytest.mark.parametrize("letters", ["LPI", "LAI", "RPI", "AIR", "RAS"])
def test_an_anatomical_orientation_that_is_not_the_matrix_s_has_a_note(tmp_path: Path, letters: str) -> None:
    image = read_volume(metaimage(tmp_path / "a.mha", AnatomicalOrientation=letters))
    np.testing.assert_allclose(image.GetDirection(), np.eye(3).ravel())
    assert f"its AnatomicalOrientation {letters} is not that of its TransformMatrix" in notes_of(image)[0]


def without(path: Path, key: str) -> Path:
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(key.encode() + b" ")))
    return path


def test_an_anatomical_orientation_alone_is_refused_as_no_reader_follows_it(tmp_path: Path) -> None:
    path = without(metaimage(tmp_path / "a.mha", AnatomicalOrientation="LPS"), "TransformMatrix")
    with pytest.raises(InputImageError, match="no TransformMatrix that says so"):
        read_volume(path)
    path = without(metaimage(tmp_path / "b.mha", AnatomicalOrientation="RAI"), "TransformMatrix")
    assert notes_of(read_volume(path)) == []


def test_an_element_size_takes_the_place_of_a_missing_spacing_with_a_note(tmp_path: Path) -> None:
    path = without(metaimage(tmp_path / "a.mha", ElementSize="2 2 3"), "ElementSpacing")
    image = read_volume(path)
    assert image.GetSpacing() == (2, 2, 3)
    assert "no ElementSpacing; its ElementSize was used" in notes_of(image)[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"ElementSpacing": "-1 1 1"},
        {"ElementSpacing": "1 1"},
        {"ElementSpacing": "0 1 1"},
        {"ElementSpacing": "nan 1 1"},
        {"TransformMatrix": "2 0 0 0 1 0 0 0 1"},
        {"TransformMatrix": "1 0 0 0.3 1 0 0 0 1"},
        {"TransformMatrix": "1 0 0 0 1 0 0 0 0"},
        {"TransformMatrix": "0 1 0 1 0 0 0 0 1", "CenterOfRotation": "10 0 0"},
        {"Position": "5 5 5"},
        {"Rotation": "0 1 0 1 0 0 0 0 1"},
        {"DistanceUnits": "um"},
    ],
)
def test_a_metaimage_header_that_cannot_be_meant_is_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    with pytest.raises(InputImageError):
        read_volume(metaimage(tmp_path / "a.mha", **fields))


def test_a_metaimage_header_without_a_spacing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputImageError, match="does not say where its voxels lie"):
        read_volume(without(metaimage(tmp_path / "a.mha"), "ElementSpacing"))


@pytest.mark.parametrize(
    ("name", "line"),
    [("a.nrrd", b"space: RAS\n"), ("a.mha", b"ElementSpacing = 2 2 2\n"), ("a.mha", b"Offset = 1 1 1\n")],
)
def test_a_field_that_is_given_twice_with_different_values_is_refused(tmp_path: Path, name: str, line: bytes) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(voxels()), str(tmp_path / name), False)
    content = (tmp_path / name).read_bytes()
    first = content.index(b"\n", content.index(b"\n") + 1) + 1
    (tmp_path / name).write_bytes(content[:first] + line + content[first:])
    with pytest.raises(InputImageError):
        read_volume(tmp_path / name)


def test_a_file_cannot_bring_notes_of_its_own(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(voxels())
    image.SetMetaData("LightMedSeg_Notes", "All is well.")
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    assert notes_of(read_volume(tmp_path / "a.nrrd")) == []
