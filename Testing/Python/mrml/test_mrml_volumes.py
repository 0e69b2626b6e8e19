"""Volume nodes become images without losing a bit of voxels or geometry, or are refused in words."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import add_transform, add_volume, add_warp, new_scene, put_under, slicer
from vtk.util.numpy_support import get_numpy_array_type, numpy_to_vtk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.mrml.volumes import (
    VolumeState,
    check_volume_node,
    copy_steps,
    snapshot,
    volume_grid,
    voxels,
)

SCALAR_TYPES = ["Char", "SignedChar", "UnsignedChar", "Short", "UnsignedShort", "Int", "UnsignedInt", "Long",
                "UnsignedLong", "LongLong", "UnsignedLongLong", "Float", "Double"]  # fmt: skip
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])


def tilted(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])


def test_voxels_and_geometry_arrive_exactly(volume: sitk.Image) -> None:
    image = snapshot(add_volume(new_scene(), volume)).image()
    assert Grid.of(image) == Grid.of(volume)
    assert image.GetPixelID() == volume.GetPixelID()
    assert np.array_equal(sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(volume))


def test_no_geometry_value_becomes_minus_zero() -> None:
    grid = volume_grid(add_volume(new_scene(), sitk.Image(3, 4, 5, sitk.sitkUInt8)))
    assert not np.signbit([*grid.origin, *grid.direction]).any()


@pytest.mark.parametrize("kind", SCALAR_TYPES)
def test_every_scalar_type_of_vtk_keeps_its_values(kind: str, volume: sitk.Image) -> None:
    import vtk

    node = add_volume(new_scene(), volume)
    array = getattr(vtk, f"vtk{kind}Array")()
    limits = get_numpy_array_type(array.GetDataType())
    values = [index % 120 for index in range(node.GetImageData().GetNumberOfPoints())]
    if np.issubdtype(limits, np.integer):
        values[:2] = np.iinfo(limits).min, np.iinfo(limits).max
    array.SetNumberOfValues(len(values))
    for index, value in enumerate(values):
        # vtkCharArray takes text, every other type numbers.
        array.SetTuple1(index, value) if abs(value) < 2**50 else array.SetValue(index, value)
    node.GetImageData().GetPointData().SetScalars(array)
    found = sitk.GetArrayFromImage(snapshot(node).image()).ravel()
    assert found.tolist() == values
    assert found.dtype.itemsize == np.dtype(limits).itemsize


def test_the_image_is_a_copy_that_later_edits_do_not_reach(volume: sitk.Image) -> None:
    node = add_volume(new_scene(), volume)
    image = snapshot(node).image()
    voxels(node)[:] = 0
    assert np.array_equal(sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(volume))


def test_an_extent_that_does_not_begin_at_zero_moves_the_origin(volume: sitk.Image) -> None:
    node = add_volume(new_scene(), volume)
    data = node.GetImageData()
    data.SetExtent(2, 25, -1, 18, 5, 20)
    image = snapshot(node).image()
    assert image.GetSize() == volume.GetSize()
    assert np.allclose(image.GetOrigin(), volume.TransformContinuousIndexToPhysicalPoint((2.0, -1.0, 5.0)))


def test_a_volume_is_copied_in_small_steps() -> None:
    node = add_volume(new_scene(), sitk.Image(256, 256, 400, sitk.sitkInt16))
    steps = list(copy_steps(node))
    assert len(steps) >= 6
    assert steps[-1] is not None
    assert steps[-1].array.shape == (400, 256, 256)


def test_a_volume_that_changes_between_two_steps_is_refused_and_its_old_memory_is_not_read() -> None:
    node = add_volume(new_scene(), sitk.Image(256, 256, 400, sitk.sitkInt16))
    steps = copy_steps(node)
    next(steps)
    node.GetImageData().AllocateScalars(4, 1)
    node.GetImageData().Modified()
    with pytest.raises(InputImageError, match="'Scan' changed while it was read"):
        list(steps)


def test_the_state_changes_with_voxels_and_geometry_but_not_with_display_or_name(volume: sitk.Image) -> None:
    scene = new_scene()
    node = add_volume(scene, volume)
    before = VolumeState.of(node)
    node.SetName("other")
    node.CreateDefaultDisplayNodes()
    put_under(node, add_transform(scene, TURN))
    assert VolumeState.of(node) == before
    node.SetOrigin(0, 0, 1)
    assert VolumeState.of(node) != before
    before = VolumeState.of(node)
    voxels(node)[0, 0, 0] += 1
    node.GetImageData().GetPointData().GetScalars().Modified()
    assert VolumeState.of(node) != before


@pytest.mark.parametrize("matrix", [TURN, tilted(33) @ TURN, np.diag((1.25, 0.5, 2.0)) @ np.eye(3)])
def test_a_linear_parent_transform_counts_as_if_it_were_hardened(matrix: np.ndarray) -> None:
    scene = new_scene()
    image = sitk.Image(5, 6, 7, sitk.sitkInt16)
    image.SetSpacing((0.7, 0.9, 2.5))
    image.SetOrigin((3, -4, 50))
    node = add_volume(scene, image)
    outer = add_transform(scene, np.array([[1, 0, 0, 7], [0, 1, 0, -3], [0, 0, 1, 11], [0, 0, 0, 1]]))
    put_under(node, add_transform(scene, matrix, outer))
    through = volume_grid(node)
    assert through != Grid.of(image)
    node.HardenTransform()
    hardened = volume_grid(node)
    for item in ("spacing", "origin", "direction"):
        assert np.allclose(getattr(through, item), getattr(hardened, item), atol=1e-9)


def test_a_rotation_leaves_the_spacing_untouched_to_the_last_bit(volume: sitk.Image) -> None:
    scene = new_scene()
    node = add_volume(scene, volume)
    put_under(node, add_transform(scene, tilted(17.3) @ TURN))
    assert volume_grid(node).spacing == volume.GetSpacing()


def test_a_non_linear_transform_is_refused_with_what_to_do(volume: sitk.Image) -> None:
    scene = new_scene()
    node = add_volume(scene, volume)
    put_under(node, add_warp(scene))
    with pytest.raises(InputImageError, match="'Scan' is under the non-linear transform 'Warp'; harden it"):
        check_volume_node(node)


def test_a_shear_is_refused_with_what_to_do(volume: sitk.Image) -> None:
    scene = new_scene()
    node = add_volume(scene, volume)
    put_under(node, add_transform(scene, np.array([[1, 0, 0.2], [0, 1, 0], [0, 0, 1]])))
    with pytest.raises(InputImageError, match=r"'Scan' is sheared by its transform 'Move'; remove .* or resample"):
        check_volume_node(node)


def test_a_volume_that_is_sheared_itself_is_refused(volume: sitk.Image) -> None:
    node = add_volume(new_scene(), volume)
    node.SetIJKToRASDirections(1, 0.3, 0, 0, 1, 0, 0, 0, 1)
    with pytest.raises(InputImageError, match="'Scan' has axes that are not at right angles"):
        check_volume_node(node)


def test_a_mirroring_transform_is_refused_with_what_to_do(volume: sitk.Image) -> None:
    scene = new_scene()
    node = add_volume(scene, volume)
    put_under(node, add_transform(scene, np.diag((-1.0, 1.0, 1.0))))
    with pytest.raises(InputImageError, match=r"'Scan' is mirrored by its transform 'Move'.*remove the transform"):
        check_volume_node(node)


def test_a_transform_that_flattens_space_is_refused(volume: sitk.Image) -> None:
    scene = new_scene()
    node = add_volume(scene, volume)
    put_under(node, add_transform(scene, np.diag((1.0, 0.0, 1.0))))
    with pytest.raises(InputImageError, match="flattens space"):
        check_volume_node(node)


def test_a_left_handed_volume_is_no_mirror_image(volume: sitk.Image) -> None:
    flipped = sitk.Flip(volume, (True, False, False), False)
    check_volume_node(add_volume(new_scene(), flipped))


def test_volumes_without_scalar_3d_voxels_are_refused_in_words(volume: sitk.Image) -> None:
    scene = new_scene()
    with pytest.raises(InputImageError, match="No volume is chosen"):
        check_volume_node(None)
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    with pytest.raises(InputImageError, match="'Empty' holds no scalar voxels"):
        check_volume_node(empty)
    with pytest.raises(InputImageError, match="'Model' holds no scalar voxels"):
        check_volume_node(scene.AddNewNodeByClass("vtkMRMLModelNode", "Model"))
    slice_node = add_volume(scene, sitk.Image(8, 9, 1, sitk.sitkInt16), "Slice")
    with pytest.raises(InputImageError, match=r"'Slice' is a single slice \(8 x 9 x 1 voxels\)"):
        check_volume_node(slice_node)
    colour = add_volume(scene, volume, "Colour")
    colour.GetImageData().GetPointData().SetScalars(numpy_to_vtk(np.zeros((volume.GetNumberOfPixels(), 3))))
    with pytest.raises(InputImageError, match="'Colour' has 3 components"):
        check_volume_node(colour)
    vector = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Vector")
    vector.SetAndObserveImageData(colour.GetImageData())
    with pytest.raises(InputImageError, match="'Vector' has 3 components"):
        check_volume_node(vector)


def test_a_label_map_volume_is_a_volume(labelmap: sitk.Image) -> None:
    scene = new_scene()
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    source = add_volume(scene, labelmap)
    node.SetAndObserveImageData(source.GetImageData())
    node.CopyOrientation(source)
    assert isinstance(node, slicer.vtkMRMLScalarVolumeNode)
    assert np.array_equal(snapshot(node).array, sitk.GetArrayViewFromImage(labelmap))
    assert snapshot(node).grid == Grid.of(labelmap)
