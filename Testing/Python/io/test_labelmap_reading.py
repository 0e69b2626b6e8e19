"""Every labelmap is read by one function: its values, its layers, its place, and what its segments are called."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from model_factory import make_labels
from segment_files import cut, seg_nrrd

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.labelmaps.reading import Meaning, read_labelmap

LABELS = tuple(Label.from_json(label) for label in make_labels(3))
NAMES = [label.name for label in LABELS]
MEANING = Meaning(LABELS)
TURN = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
GRID = Grid((12, 10, 8), (0.7, 1.1, 2.5), (-31.25, 12.5, 700.125), TURN)


@pytest.fixture
def truth() -> np.ndarray:
    """Labels 1 to 3 (z, y, x) on GRID."""
    array = np.zeros(GRID.shape, dtype=np.uint8)
    array[1:4, 2:6, 3:7] = 1
    array[4:6, 2:8, 1:5] = 2
    array[6, 7:9, 9:11] = 3
    return array


def volume() -> sitk.Image:
    return GRID.image(np.zeros(GRID.shape, dtype=np.int16))


def values(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64]),
    ending=st.sampled_from([".nii.gz", ".nrrd", ".mha"]),
    spoiled=st.integers(0, 3),
    by=st.floats(1e-4, 0.9999),
    seed=st.integers(0, 1000),
)
def test_whole_values_are_read_exactly_and_any_other_is_refused(
    kind: type, ending: str, spoiled: int, by: float, seed: int
) -> None:
    array = np.random.default_rng(seed).integers(0, 4, GRID.shape).astype(kind)
    fractional = spoiled > 0 and np.issubdtype(kind, np.floating)
    wanted = array.astype(np.uint8)
    if fractional:
        array[(0, -1, 4)[spoiled - 1]][:, 3] += kind(by)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels{ending}"
        sitk.WriteImage(GRID.image(array), str(path))
        if fractional:
            with pytest.raises(InputImageError, match=r"labels.* is no segmentation: .* not whole numbers"):
                read_labelmap(path, volume(), MEANING)
        else:
            np.testing.assert_array_equal(values(read_labelmap(path, volume(), MEANING).image), wanted)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_segmentation_cut_to_any_extent_is_placed_on_the_volumes_grid(data: st.DataObject) -> None:
    first = [data.draw(st.integers(0, length - 1)) for length in GRID.shape]
    last = [data.draw(st.integers(low + 1, length)) for low, length in zip(first, GRID.shape, strict=True)]
    part, place = cut(np.zeros(GRID.shape, np.uint8), GRID, first, last)
    part = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 4, part.shape).astype(np.uint8)
    order = data.draw(st.permutations([1, 2, 3]))
    wanted = np.zeros(GRID.shape, dtype=np.uint8)
    # In the file a segment has the value that its place in the list gives it.
    wanted[tuple(slice(*pair) for pair in zip(first, last, strict=True))] = np.array([0, *order])[part]
    with tempfile.TemporaryDirectory() as folder:
        path = seg_nrrd(
            Path(folder) / "cut.seg.nrrd", [part], place, [(NAMES[o - 1], n, 0) for n, o in enumerate(order, start=1)]
        )
        reading = read_labelmap(path, volume(), MEANING)
    np.testing.assert_array_equal(values(reading.image), wanted)
    assert Grid.of(reading.image) == GRID
    assert bool(reading.notes) == any(part[part == n].any() and n != o for n, o in enumerate(order, start=1))


def test_a_segmentation_larger_than_its_volume_is_cut_only_where_it_is_empty(tmp_path: Path, truth: np.ndarray) -> None:
    padded = np.pad(truth, 2)
    origin = tuple(GRID.point((-2.0, -2.0, -2.0)).tolist())
    z, y, x = padded.shape
    place = Grid((x, y, z), GRID.spacing, origin, GRID.direction)
    described = [(name, number, 0) for number, name in enumerate(NAMES, start=1)]
    path = seg_nrrd(tmp_path / "large.seg.nrrd", [padded], place, described)
    np.testing.assert_array_equal(values(read_labelmap(path, volume(), MEANING).image), truth)
    padded[0, 0, :3] = 1
    seg_nrrd(path, [padded], place, described)
    with pytest.raises(InputImageError, match=r"large\.seg\.nrrd has 3 labelled voxel\(s\) outside"):
        read_labelmap(path, volume(), MEANING)


def test_an_empty_segmentation_is_one_voxel_somewhere_as_3d_slicer_saves_it(tmp_path: Path) -> None:
    nowhere = Grid((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    described = [(name, number, 0) for number, name in enumerate(NAMES, start=1)]
    path = seg_nrrd(tmp_path / "empty.seg.nrrd", [np.zeros((1, 1, 1), np.uint8)], nowhere, described)
    reading = read_labelmap(path, volume(), MEANING)
    assert Grid.of(reading.image) == GRID and not values(reading.image).any()


@pytest.mark.parametrize("shift", [(0.5, 0.0, 0.0), (0.0, 0.0, 1.0)])
def test_voxels_between_those_of_the_volume_are_refused(
    tmp_path: Path, truth: np.ndarray, shift: tuple[float, float, float]
) -> None:
    origin = tuple((np.array(GRID.origin) + shift).tolist())
    moved = Grid(GRID.size, GRID.spacing, origin, GRID.direction)
    path = seg_nrrd(tmp_path / "moved.seg.nrrd", [truth], moved, [(name, n + 1, 0) for n, name in enumerate(NAMES)])
    with pytest.raises(InputImageError, match="same grid"):
        read_labelmap(path, volume(), MEANING)


def test_a_plain_labelmap_must_have_the_volumes_grid(tmp_path: Path, truth: np.ndarray) -> None:
    part, place = cut(truth, GRID, (1, 1, 1), (7, 9, 11))
    sitk.WriteImage(place.image(np.ascontiguousarray(part)), str(tmp_path / "cut.nii.gz"))
    with pytest.raises(InputImageError, match="same grid"):
        read_labelmap(tmp_path / "cut.nii.gz", volume(), MEANING)


def test_layers_without_overlap_become_one_labelmap_by_their_names(tmp_path: Path, truth: np.ndarray) -> None:
    layers = [(truth == 2).astype(np.uint8), np.where(truth == 1, 2, np.where(truth == 3, 1, 0)).astype(np.uint8)]
    described = [(NAMES[1], 1, 0), (NAMES[2], 1, 1), (NAMES[0], 2, 1)]
    path = seg_nrrd(tmp_path / "layers.seg.nrrd", layers, GRID, described)
    np.testing.assert_array_equal(values(read_labelmap(path, volume(), MEANING).image), truth)
    plain = read_labelmap(path)
    assert plain.names == {1: NAMES[1], 2: NAMES[2], 3: NAMES[0]}
    np.testing.assert_array_equal(values(plain.image), np.array([0, 3, 1, 2], dtype=np.uint8)[truth])


def test_overlapping_layers_are_refused(tmp_path: Path, truth: np.ndarray) -> None:
    layers = [(truth == 1).astype(np.uint8), (truth > 0).astype(np.uint8)]
    path = seg_nrrd(tmp_path / "layers.seg.nrrd", layers, GRID, [(NAMES[0], 1, 0), (NAMES[1], 1, 1)])
    count = np.count_nonzero(truth == 1)
    with pytest.raises(InputImageError, match=rf"overlapping segments, {count} voxel\(s\)"):
        read_labelmap(path)


def test_an_old_file_without_values_has_a_layer_for_each_segment(tmp_path: Path, truth: np.ndarray) -> None:
    image = sitk.Compose([GRID.image((truth == value).astype(np.uint8)) for value in (3, 1, 2)])
    for number, value in enumerate((3, 1, 2)):
        image.SetMetaData(f"Segment{number}_Name", NAMES[value - 1])
    sitk.WriteImage(image, str(tmp_path / "old.seg.nrrd"))
    np.testing.assert_array_equal(values(read_labelmap(tmp_path / "old.seg.nrrd", volume(), MEANING).image), truth)


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ([(NAMES[0], 1, 0), ("Tumour", 2, 0), (NAMES[2], 3, 0)], "'Tumour' with the value 2, but no label"),
        ([(NAMES[0], 1, 0), (NAMES[1], 2, 0)], "holds the value 3, which none of its segments has"),
        ([(NAMES[0], 1, 0), (NAMES[1], 1, 0)], "gives the value 1 to two segments"),
        ([(NAMES[0], 1, 0), (NAMES[0], 2, 0), (NAMES[2], 3, 0)], "no label of the model is called so"),
        ([(NAMES[0], 1, 0), (NAMES[1], 2, 0), (NAMES[2], 3, 4)], "lacks the layer"),
    ],
)
def test_segments_that_contradict_the_model_or_the_voxels_are_refused(
    tmp_path: Path, truth: np.ndarray, described: list[tuple[str, int, int]], reason: str
) -> None:
    path = seg_nrrd(tmp_path / "wrong.seg.nrrd", [truth], GRID, described)
    with pytest.raises(InputImageError, match=reason):
        read_labelmap(path, volume(), MEANING)


def test_segments_that_nobody_named_count_by_their_values(tmp_path: Path, truth: np.ndarray) -> None:
    described = [("Segment_1", 1, 0), ("Segment_2", 2, 0), ("label 3", 3, 0)]
    path = seg_nrrd(tmp_path / "unnamed.seg.nrrd", [truth], GRID, described)
    reading = read_labelmap(path, volume(), MEANING)
    np.testing.assert_array_equal(values(reading.image), truth)
    assert reading.notes == ()


@pytest.mark.parametrize("value", [0, 1])
def test_an_empty_labelmap_and_a_full_one_are_labelmaps(tmp_path: Path, value: int) -> None:
    sitk.WriteImage(GRID.image(np.full(GRID.shape, value, np.uint8)), str(tmp_path / "same.nii.gz"))
    assert set(values(read_labelmap(tmp_path / "same.nii.gz", volume(), MEANING).image).ravel()) == {value}


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["odd.nii", "odd.nii.gz", "odd.nrrd"])
def test_a_labelmap_with_nan_is_refused(tmp_path: Path, truth: np.ndarray, name: str, value: float, kind: type) -> None:
    """The NIfTI reader makes 0 of it, so a labelmap would lose voxels in silence."""
    array = truth.astype(kind)
    sitk.WriteImage(GRID.image(array), str(tmp_path / name))
    np.testing.assert_array_equal(values(read_labelmap(tmp_path / name, volume(), MEANING).image), truth)
    array[-1, -1, -1] = value
    sitk.WriteImage(GRID.image(array), str(tmp_path / name))
    with pytest.raises(InputImageError, match=f"{name} is no segmentation"):
        read_labelmap(tmp_path / name, volume(), MEANING)


def test_values_that_no_label_has_are_refused(tmp_path: Path, truth: np.ndarray) -> None:
    sitk.WriteImage(GRID.image(np.where(truth == 3, 7, truth).astype(np.uint8)), str(tmp_path / "seven.nii.gz"))
    with pytest.raises(InputImageError, match="holds the value 7, which no label has"):
        read_labelmap(tmp_path / "seven.nii.gz", volume(), MEANING)
    assert read_labelmap(tmp_path / "seven.nii.gz", volume(), Meaning(LABELS, others=[7])).image.GetSize() == GRID.size


@settings(max_examples=30, deadline=None)
@given(
    order=st.permutations([1, 2, 3]),
    spelling=st.sampled_from([str.upper, str.lower, lambda name: name.replace(" ", "_"), lambda name: f" {name}. "]),
)
def test_a_datasets_names_decide_what_the_values_of_a_plain_labelmap_mean(order: list[int], spelling: object) -> None:
    array = np.random.default_rng(1).integers(0, 4, GRID.shape).astype(np.uint8)
    named = {value: spelling(NAMES[label - 1]) for value, label in enumerate(order, start=1)}  # type: ignore[operator]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.nii.gz"
        sitk.WriteImage(GRID.image(array), str(path))
        reading = read_labelmap(path, volume(), Meaning(LABELS, named, "dataset.json"))
    np.testing.assert_array_equal(values(reading.image), np.array([0, *order])[array])
    assert bool(reading.notes) == (list(order) != [1, 2, 3])
