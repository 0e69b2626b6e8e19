"""Classical methods with seeds: random walker, geodesic distance by fast marching, and Slicer's Grow from seeds."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.errors import DependencyError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.interaction.strokes import Stroke
from prompted.seeded_crop import BACKGROUND, OBJECT, SeededCrop, region_of_object, region_of_prompts

Solver = Callable[[SeededCrop], NDArray[np.bool_]]

WALKER_BETA = 1000.0
EDGE_WEIGHT = 200.0
SMOOTHING_MM = 1.0


class Classical:
    """A method that starts again from all seeds after each prompt, in a window around them.

    truth: if given, the method works in a region around the object's box.
    """

    def __init__(self, image: sitk.Image, solve: Solver, truth: NDArray[np.bool_] | None = None) -> None:
        self._image = image
        self._solve = solve
        self._region = None if truth is None else region_of_object(truth)
        self._strokes: list[Stroke] = []

    def answer(self, stroke: Stroke) -> NDArray[np.bool_]:
        """The mask (z, y, x) of the volume after one more prompt."""
        self._strokes.append(stroke)
        region = self._region or region_of_prompts(self._strokes, Grid.of(self._image))
        crop = SeededCrop(self._image, region, self._strokes)
        return crop.whole(self._solve(crop))


def random_walker(crop: SeededCrop) -> NDArray[np.bool_]:
    """The voxels from which a random walk reaches the object's seeds first (Grady 2006), by scikit-image."""
    try:
        from skimage.segmentation import random_walker as walk
    except ImportError:
        raise DependencyError("The random walker needs the package scikit-image; install it to compare.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spacing = np.array(crop.spacing) / min(crop.spacing)
        return walk(crop.values, crop.seeds.astype(np.int32), WALKER_BETA, "cg_j", 1e-3, spacing=spacing) == OBJECT


def geodesic(crop: SeededCrop) -> NDArray[np.bool_]:
    """The voxels nearer to the object's seeds than to the others, on ways that edges make longer (fast marching)."""
    image = sitk.GetImageFromArray(crop.values)
    image.SetSpacing(crop.spacing[::-1])
    edges = sitk.GradientMagnitudeRecursiveGaussian(image, SMOOTHING_MM) * min(crop.spacing)
    speed = 1.0 / (1.0 + EDGE_WEIGHT * edges)
    to_object, to_background = (_arrival(speed, crop.seeds == value) for value in (OBJECT, BACKGROUND))
    return to_object < to_background


def grow_from_seeds(crop: SeededCrop) -> NDArray[np.bool_]:
    """What Slicer's effect Grow from seeds makes of the seeds (fast grow-cut, Zhu et al. 2014)."""
    try:
        import vtk
        from slicer_core.vtkSlicerSegmentationsModuleLogic import vtkImageGrowCutSegment
    except ImportError:
        raise DependencyError("Grow from seeds needs the package slicer-core; install it to compare.") from None
    from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    def volume(array: NDArray) -> vtk.vtkImageData:
        image = vtk.vtkImageData()
        image.SetDimensions(array.shape[::-1])
        image.SetSpacing(crop.spacing[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
        return image

    grow = vtkImageGrowCutSegment()
    grow.SetIntensityVolume(volume((crop.values * 1000).astype(np.int16)))
    grow.SetSeedLabelVolume(volume(crop.seeds))
    grow.Update()
    found = vtk_to_numpy(grow.GetOutput().GetPointData().GetScalars())
    return found.reshape(crop.values.shape) == OBJECT


def _arrival(speed: sitk.Image, seeds: NDArray[np.bool_]) -> NDArray[np.float32]:
    march = sitk.FastMarchingImageFilter()
    for z, y, x in np.argwhere(seeds).tolist():
        march.AddTrialPoint((x, y, z))
    return sitk.GetArrayFromImage(march.Execute(speed))


CLASSICAL: dict[str, Solver] = {
    "random walker": random_walker,
    "geodesic": geodesic,
    "grow from seeds": grow_from_seeds,
}
