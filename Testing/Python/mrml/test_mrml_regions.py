"""ROI nodes become boxes of voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import add_transform, add_volume, add_warp, new_scene, put_under, vtk_matrix

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.mrml.regions import roi_index_box

TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
RAS = np.diag((-1.0, -1.0, 1.0))


def add_roi(scene: Any, centre: np.ndarray, size: Any) -> Any:
    """centre in RAS."""
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    roi.SetSize(*size)
    roi.SetCenter(*centre)
    return roi


def plain_volume(scene: Any) -> tuple[Any, sitk.Image]:
    image = sitk.Image(30, 20, 10, sitk.sitkInt16)
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetOrigin((10, 20, 30))
    return add_volume(scene, image), image


def centre_of(image: sitk.Image, box: Any) -> np.ndarray:
    middle = [(first + last - 1) / 2 for first, last in box]
    return RAS @ image.TransformContinuousIndexToPhysicalPoint(middle)


@pytest.mark.parametrize("box", [((0, 30), (0, 20), (0, 10)), ((4, 9), (7, 8), (2, 10))])
def test_a_region_along_voxel_borders_gives_exactly_these_voxels(box: Any) -> None:
    scene = new_scene()
    node, image = plain_volume(scene)
    size = [(last - first) * spacing for (first, last), spacing in zip(box, image.GetSpacing(), strict=True)]
    assert roi_index_box(add_roi(scene, centre_of(image, box), size), node) == box


@pytest.mark.parametrize("box", [((0, 24), (0, 20), (0, 16)), ((3, 10), (1, 20), (7, 8)), ((5, 23), (2, 9), (0, 11))])
def test_a_region_fitted_to_an_oblique_volume_gives_exactly_these_voxels(box: Any, volume: sitk.Image) -> None:
    scene = new_scene()
    node = add_volume(scene, volume)
    size = [(last - first) * spacing for (first, last), spacing in zip(box, volume.GetSpacing(), strict=True)]
    roi = add_roi(scene, np.zeros(3), size)
    object_to_node = np.eye(4)
    object_to_node[:3, :3] = RAS @ np.reshape(volume.GetDirection(), (3, 3))
    object_to_node[:3, 3] = centre_of(volume, box)
    roi.SetAndObserveObjectToNodeMatrix(vtk_matrix(object_to_node))
    assert roi_index_box(roi, node) == box


def test_a_region_inside_one_voxel_gives_that_voxel() -> None:
    scene = new_scene()
    node, image = plain_volume(scene)
    roi = add_roi(scene, centre_of(image, ((5, 6), (6, 7), (7, 8))), (0.2, 0.2, 0.2))
    assert roi_index_box(roi, node) == ((5, 6), (6, 7), (7, 8))


def test_a_region_is_cut_at_the_borders_of_the_volume() -> None:
    scene = new_scene()
    node, image = plain_volume(scene)
    roi = add_roi(scene, centre_of(image, ((0, 4), (0, 4), (0, 4))), (1000, 8, 12))
    assert roi_index_box(roi, node) == ((0, 30), (0, 4), (0, 4))


def test_a_turned_region_under_a_transform_of_its_own_gives_the_box_around_its_corners(volume: sitk.Image) -> None:
    scene = new_scene()
    node = add_volume(scene, volume)
    put_under(node, add_transform(scene, TURN))
    middle = np.array([12.0, 10.0, 8.0])
    wanted = TURN @ RAS @ np.array(volume.TransformContinuousIndexToPhysicalPoint(middle.tolist()))
    shift = np.eye(4)
    shift[:3, 3] = (3, -5, 7)
    roi = add_roi(scene, np.zeros(3), (4, 6, 5))
    object_to_node = np.eye(4)
    object_to_node[:3, :3] = TURN.T
    object_to_node[:3, 3] = wanted - shift[:3, 3]
    roi.SetAndObserveObjectToNodeMatrix(vtk_matrix(object_to_node))
    put_under(roi, add_transform(scene, shift))
    inverse = np.linalg.inv(TURN @ RAS @ np.reshape(volume.GetDirection(), (3, 3)) @ np.diag(volume.GetSpacing()))
    half = np.abs(inverse @ TURN.T) @ np.array([2, 3, 2.5])
    expected = tuple((int(np.floor(c - h + 0.5)), int(np.ceil(c + h + 0.5))) for c, h in zip(middle, half, strict=True))
    assert roi_index_box(roi, node) == expected


def test_the_box_counts_from_the_first_voxel_of_the_array_whatever_the_extent() -> None:
    scene = new_scene()
    node, image = plain_volume(scene)
    roi = add_roi(scene, centre_of(image, ((4, 9), (7, 8), (2, 10))), (5, 2, 24))
    node.GetImageData().SetExtent(3, 32, 2, 21, 1, 10)
    assert roi_index_box(roi, node) == ((1, 6), (5, 6), (1, 9))


def test_unusable_regions_are_refused_in_words() -> None:
    scene = new_scene()
    node, image = plain_volume(scene)
    unplaced = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "New")
    with pytest.raises(InputImageError, match="The region of interest 'New' has no extent yet; draw it"):
        roi_index_box(unplaced, node)
    with pytest.raises(InputImageError, match="'Region' has no extent"):
        roi_index_box(add_roi(scene, np.zeros(3), (5, 0, 5)), node)
    with pytest.raises(InputImageError, match="'Region' lies outside 'Scan'; move it over the volume"):
        roi_index_box(add_roi(scene, np.array([500.0, 0, 0]), (5, 5, 5)), node)
    warped = add_roi(scene, centre_of(image, ((0, 4), (0, 4), (0, 4))), (5, 5, 5))
    put_under(warped, add_warp(scene))
    with pytest.raises(InputImageError, match="'Region' is under the non-linear transform 'Warp'"):
        roi_index_box(warped, node)


def test_the_box_is_the_one_the_library_understands() -> None:
    from LightMedSegLib.core.geometry import clip_box

    scene = new_scene()
    node, image = plain_volume(scene)
    box = roi_index_box(add_roi(scene, centre_of(image, ((1, 3), (2, 4), (3, 5))), (2, 4, 6)), node)
    assert clip_box(box, Grid.of(image)) == ((1, 3), (2, 4), (3, 5))
