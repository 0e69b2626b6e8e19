"""Conversion of a mask to a closed surface in any thread, by the filters that Slicer's own conversion uses.

Slicer's conversion holds Python's global interpreter lock: even in a thread it would freeze the user interface.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from LightMedSegLib.mrml.surfaces.enclosing import Bounds


@dataclass(frozen=True)
class SurfaceSettings:
    """Conversion parameters of a vtkSegmentation; its method is always the default one, flying edges."""

    smoothing: float = 0.5
    decimation: float = 0.0
    normals: bool = True

    @classmethod
    def of(cls, segmentation: Any) -> SurfaceSettings:
        """Return the present parameters of a segmentation."""
        read = segmentation.GetConversionParameter
        return cls(
            float(read("Smoothing factor")), float(read("Decimation factor")), read("Compute surface normals") != "0"
        )


def make_surface(mask: NDArray[np.bool_], origin: Sequence[int], matrix: Any, settings: SurfaceSettings) -> Any:
    """A vtkPolyData around the true voxels of mask (z, y, x), empty if there are none.

    origin: index (x, y, z) of the first voxel. matrix: vtkMatrix4x4 from indices to the world.
    """
    if not mask.any():
        return vtk.vtkPolyData()
    # A rim of background closes the surface where the mask ends.
    padded = np.pad(mask, 1).astype(np.uint8)
    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(padded.shape))
    image.SetOrigin(*(start - 1 for start in origin))
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel(), deep=True))
    edges = vtk.vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 1)
    edges.ComputeGradientsOff()
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    steps = [edges]
    if settings.decimation > 0:
        steps.append(_decimation(settings.decimation))
    if settings.smoothing > 0:
        steps.append(_smoothing(settings.smoothing))
    transform = vtk.vtkTransform()
    transform.SetMatrix(matrix)
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetTransform(transform)
    steps.append(placed)
    if settings.normals:
        normals = vtk.vtkPolyDataNormals()
        normals.ConsistencyOn()
        normals.SplittingOff()
        steps.append(normals)
    for before, after in itertools.pairwise(steps):
        after.SetInputConnection(before.GetOutputPort())
    steps[-1].Update()
    surface = vtk.vtkPolyData()
    surface.ShallowCopy(steps[-1].GetOutput())
    return surface


def world_bounds(box: tuple[slice, slice, slice], origin: Sequence[int], matrix: Any) -> Bounds:
    """Bounds in the world of a box of voxels (z, y, x) of an array whose first voxel has the index origin (x, y, z)."""
    edges = [(part.start + start, part.stop - 1 + start) for part, start in zip(reversed(box), origin, strict=True)]
    corners = np.array([matrix.MultiplyPoint((x, y, z, 1.0))[:3] for x in edges[0] for y in edges[1] for z in edges[2]])
    return tuple(corners.min(axis=0).tolist()), tuple(corners.max(axis=0).tolist())


def _decimation(factor: float) -> Any:
    decimation = vtk.vtkDecimatePro()
    decimation.SetFeatureAngle(60)
    decimation.SplittingOff()
    decimation.PreserveTopologyOn()
    decimation.SetMaximumError(1)
    decimation.SetTargetReduction(factor)
    return decimation


def _smoothing(factor: float) -> Any:
    smoothing = vtk.vtkWindowedSincPolyDataFilter()
    smoothing.SetNumberOfIterations(int(20 + 40 * factor))
    smoothing.SetPassBand(10 ** (-4 * factor))
    smoothing.BoundarySmoothingOff()
    smoothing.FeatureEdgeSmoothingOff()
    smoothing.NonManifoldSmoothingOn()
    smoothing.NormalizeCoordinatesOn()
    return smoothing
