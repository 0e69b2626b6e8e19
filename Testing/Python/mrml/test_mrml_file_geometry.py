"""The panel says where a volume's file contradicts the scene, or itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from mrml_nodes import add_volume, new_scene, slicer
from stated_files import affines, far_apart, matrix_of, nifti_file
from stated_slices import make_slice, write_series

from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.mrml.file_geometry import file_contradiction
from LightMedSegLib.mrml.transforms import ijk_to_ras

often = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLACE = np.column_stack([np.diag((1.0, 1.5, 2.0)), (10.0, 20.0, 30.0)])


def loaded(path: Path, name: str = "Scan") -> Any:
    """A volume node as Slicer loads it from a file."""
    node = new_scene_node(name)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    node.GetScene().AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


def new_scene_node(name: str) -> Any:
    scene = new_scene()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.kept_scene = scene
    return node


@often
@given(sform=affines(), qform=affines())
def test_whatever_slicer_made_of_a_header_it_lies_right_or_is_warned_of(
    tmp_path: Path, sform: np.ndarray, qform: np.ndarray
) -> None:
    edges = np.linalg.norm(qform[:, :3], axis=0)
    path = nifti_file(tmp_path / "a.nii", sform=sform, qform=qform, codes=(1, 2), pixdim=tuple(edges))
    node = loaded(path)
    right = not far_apart(ijk_to_ras(node)[:3], sform)
    assert right or file_contradiction(node).startswith("The voxels of 'Scan' ")
    if far_apart(qform, sform):
        assert file_contradiction(node) != ""


def test_a_sound_file_gives_no_warning(tmp_path: Path) -> None:
    path = nifti_file(tmp_path / "a.nii", sform=PLACE, qform=PLACE, codes=(1, 1), pixdim=(1.0, 1.5, 2.0))
    assert file_contradiction(loaded(path)) == ""


def test_a_volume_that_was_changed_on_purpose_gives_no_warning(tmp_path: Path) -> None:
    path = nifti_file(tmp_path / "a.nii", sform=PLACE, qform=PLACE, codes=(1, 1), pixdim=(1.0, 1.5, 2.0))
    node = loaded(path)
    node.SetOrigin(0.0, 0.0, 0.0)
    assert file_contradiction(node) == ""


def test_a_volume_without_a_file_gives_no_warning(tmp_path: Path) -> None:
    path = nifti_file(tmp_path / "a.nii", sform=PLACE, codes=(0, 1), pixdim=(1.0, 1.5, 2.0))
    node = add_volume(new_scene(), read_volume(path))
    assert file_contradiction(node) == ""
    node = loaded(path)
    path.unlink()
    assert file_contradiction(node) == ""


def test_lengths_that_differ_are_named(tmp_path: Path) -> None:
    doubled = np.column_stack([PLACE[:, :3] * 2, PLACE[:, 3]])
    node = loaded(nifti_file(tmp_path / "a.nii", sform=doubled, codes=(0, 1), pixdim=(1.0, 1.5, 2.0)))
    assert file_contradiction(node) == (
        "The voxels of 'Scan' are 2 x 3 x 4 mm by its file, but 1 x 1.5 x 2 mm in the scene: volumes and places would "
        "be wrong; correct the volume's geometry first."
    )


class AsRead:
    """A node that has not changed since it was read."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def GetModifiedSinceRead(self) -> bool:
        return False


def dicom_node(tmp_path: Path, placed: np.ndarray, **more: Any) -> Any:
    """A node whose files are a series at PLACE (LPS), but which lies where placed (LPS) says."""
    axes = np.eye(3)
    slices = [make_slice(k, PLACE[:, 3] + (0, 0, 2.0 * k), axes, (1.0, 1.5), **more) for k in range(5)]
    folder = write_series(tmp_path / "series", slices, range(5))
    image = read_volume(folder)
    np.testing.assert_allclose(matrix_of(image), PLACE, atol=1e-6)
    edges = np.linalg.norm(placed[:, :3], axis=0)
    image.SetSpacing(edges.tolist())
    image.SetOrigin(placed[:, 3].tolist())
    image.SetDirection((placed[:, :3] / edges).ravel().tolist())
    node = add_volume(new_scene(), image)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    node.GetScene().AddNode(storage)
    storage.SetFileName(str(folder / "IM0000"))
    for path in sorted(folder.iterdir()):
        storage.AddFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    return AsRead(node)


def changed(column: int, factor: float = 1.0, move: float = 0.0) -> np.ndarray:
    matrix = PLACE.copy()
    matrix[:, column] *= factor
    matrix[:, 3] += move
    return matrix


@pytest.mark.parametrize(
    "placed",
    [changed(0, 2.0), changed(2, 0.5), changed(2, 1.5), changed(0, -1.0), changed(1, -1.0), changed(0, 1.0, 5.0)],
)
def test_a_series_that_the_scene_misplaces_is_warned_of(tmp_path: Path, placed: np.ndarray) -> None:
    node = dicom_node(tmp_path, placed)
    assert file_contradiction(node).startswith("The voxels of 'Scan' ")


@pytest.mark.parametrize(("photometric", "warned"), [("MONOCHROME2", False), ("MONOCHROME1", True)])
def test_a_series_that_lies_right_is_warned_of_only_where_its_values_are_inverted(
    tmp_path: Path, photometric: str, warned: bool
) -> None:
    for number, placed in enumerate((PLACE, np.column_stack([PLACE[:, :2], -PLACE[:, 2], PLACE[:, 3] + (0, 0, 8.0)]))):
        node = dicom_node(tmp_path / str(number), placed, PhotometricInterpretation=photometric)
        assert ("MONOCHROME1" in file_contradiction(node)) == warned
        assert "voxels" not in file_contradiction(node)


def test_a_file_whose_voxels_slicer_takes_from_its_neighbour_is_warned_of(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "a.nii"):
        nifti_file(tmp_path / name, sform=PLACE, qform=PLACE, codes=(1, 1), pixdim=(1.0, 1.5, 2.0))
    assert "with a .nii file of the same name beside it" in file_contradiction(loaded(tmp_path / "a.nii.gz"))
    assert file_contradiction(loaded(tmp_path / "a.nii")) == ""


@pytest.mark.parametrize("content", [b"", b"no image", bytes(128) + b"DICM" + bytes(50)])
def test_a_file_of_another_format_gives_no_warning(tmp_path: Path, content: bytes) -> None:
    node = dicom_node(tmp_path, PLACE)
    for number in range(5):
        (tmp_path / "series" / f"IM{number:04d}").write_bytes(content)
    assert file_contradiction(node) == ""
