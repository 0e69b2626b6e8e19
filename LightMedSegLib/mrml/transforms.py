"""Matrices of scene nodes, and which parent transforms a volume may be under."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.volume_checks import ORTHOGONALITY_TOLERANCE

Matrix = NDArray[np.float64]
"""4x4, acting on column vectors."""


def to_array(matrix: vtk.vtkMatrix4x4) -> Matrix:
    """A vtkMatrix4x4 as an array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Three values (x, y, z) as numbers of Python."""
    x, y, z = values.tolist()
    return (x, y, z)


def is_sheared(matrix: Matrix) -> bool:
    """Whether the axes that a matrix makes of x, y and z are not at right angles to each other."""
    columns = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return bool(np.abs(columns.T @ columns - np.eye(3)).max() > ORTHOGONALITY_TOLERANCE)


def ijk_to_ras(volume_node: Any) -> Matrix:
    """Voxel index to the volume node's own RAS space (mm), without its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    return to_array(matrix)


def ijk_to_world(volume_node: Any) -> Matrix:
    """Voxel index to world RAS (mm), through the volume's parent transforms.

    Raises InputImageError for the transforms that :func:`parent_to_world` refuses, and where transform and volume
    together are sheared.
    """
    local = ijk_to_ras(volume_node)
    parent = parent_to_world(volume_node)
    if parent is None:
        return local
    result: Matrix = parent @ local
    if is_sheared(result):
        raise InputImageError(
            f"{_named(volume_node)} is sheared by its transform {_transform_name(volume_node)}; remove the transform, "
            "or resample the volume through it with the module Resample Scalar/Vector/DWI Volume."
        )
    return result


def parent_to_world(node: Any) -> Matrix | None:
    """The linear transform a node is under, up to the world; None if there is none.

    Raises InputImageError when the transform is not linear, flattens space, or mirrors it (left would become right).
    """
    transform_node = node.GetParentTransformNode()
    if transform_node is None:
        return None
    if not transform_node.IsTransformToWorldLinear():
        raise InputImageError(
            f"{_named(node)} is under the non-linear transform {_transform_name(node)}; harden it (Data module, "
            "right-click on the transform's icon, Harden transform) or remove it first."
        )
    matrix = vtk.vtkMatrix4x4()
    transform_node.GetMatrixTransformToWorld(matrix)
    result = to_array(matrix)
    determinant = float(np.linalg.det(result[:3, :3]))
    if not np.isfinite(result).all() or abs(determinant) < 1e-12:
        raise InputImageError(
            f"{_named(node)} is under the transform {_transform_name(node)}, which flattens space; remove it."
        )
    if determinant < 0:
        raise InputImageError(
            f"{_named(node)} is mirrored by its transform {_transform_name(node)}, so that left and right would be "
            "mistaken for each other; remove the transform, or harden it if the volume itself was stored mirrored."
        )
    return result


def between_nodes(source: Any, target: Any) -> Matrix:
    """Return the matrix from the space of source to that of target (both RAS, mm, below their parent transforms).

    Raises InputImageError when the way between them is not linear.
    """
    matrix = vtk.vtkMatrix4x4()
    linear = slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        source.GetParentTransformNode(), target.GetParentTransformNode(), matrix
    )
    if not linear:
        raise InputImageError(
            f"{_named(source)} and {_named(target)} are related by a non-linear transform; harden or remove it first."
        )
    return to_array(matrix)


def _named(node: Any) -> str:
    return f"'{node.GetName()}'"


def _transform_name(node: Any) -> str:
    return f"'{node.GetParentTransformNode().GetName()}'"
