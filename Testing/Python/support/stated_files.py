"""Image files whose headers say what a test wants, true or not."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

LPS_FROM_RAS = np.diag((-1.0, -1.0, 1.0))
SIZE = (6, 5, 4)

_flips = st.tuples(*[st.sampled_from((1.0, -1.0))] * 3)
_angles = st.tuples(*[st.floats(-np.pi, np.pi)] * 3)
lengths = st.tuples(*[st.floats(0.8, 5.0)] * 3)
positions = st.tuples(*[st.floats(-300.0, 300.0)] * 3)


def turn(angles: tuple[float, ...]) -> np.ndarray:
    """A rotation matrix."""
    return Rotation.from_euler("xyz", angles).as_matrix()


@st.composite
def affines(draw: Any) -> np.ndarray:
    """A (3, 4) matrix of any rotation, flips, voxel lengths and origin."""
    axes = turn(draw(_angles)) * draw(_flips) * draw(lengths)
    return np.column_stack([axes, draw(positions)])


rotations = _angles.map(turn)


def voxels(size: tuple[int, ...] = SIZE) -> np.ndarray:
    """int16, (z, y, x)."""
    return np.arange(np.prod(size), dtype=np.int16).reshape(size[::-1])


def nifti_file(
    path: Path,
    *,
    sform: np.ndarray | None = None,
    qform: np.ndarray | None = None,
    codes: tuple[int, int] = (0, 0),
    pixdim: tuple[float, ...] = (1.0, 1.0, 1.0),
    unit: int = 2,
    order: str = "<",
) -> Path:
    """A NIfTI-1 file; sform and qform are (3, 4), RAS, codes theirs; of the qform only turn, flip and origin count."""
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(np.int16)
    header.set_data_shape(SIZE)
    if qform is not None:
        header.set_qform(np.vstack([qform, [0, 0, 0, 1]]), strip_shears=True)
    if sform is not None:
        header["srow_x"], header["srow_y"], header["srow_z"] = sform
    header["qform_code"], header["sform_code"] = codes
    header["pixdim"][1:4] = pixdim
    header["xyzt_units"], header["magic"], header["vox_offset"] = unit, b"n+1", 352
    content = header.binaryblock + bytes(4) + voxels().astype(f"{order}i2").tobytes()
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def nrrd_file(path: Path, **fields: str) -> Path:
    """A NRRD file of SIZE with these fields; underscores stand for spaces."""
    basic = {"type": "short", "dimension": "3", "sizes": "6 5 4", "endian": "little", "encoding": "raw"}
    lines = [f"{key.replace('_', ' ')}: {value}" for key, value in {**basic, **fields}.items()]
    path.write_bytes("\n".join(["NRRD0005", *lines, "", ""]).encode() + voxels().astype("<i2").tobytes())
    return path


def vector_text(values: np.ndarray) -> str:
    """Numbers as headers write vectors, with all digits."""
    return ",".join(repr(float(value)) for value in values)


def matrix_of(image: sitk.Image) -> np.ndarray:
    """(3, 4), index to LPS."""
    axes = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    return np.column_stack([axes, image.GetOrigin()])


def assert_placed(image: sitk.Image, matrix: np.ndarray) -> None:
    """The image lies where the (3, 4) matrix (LPS) says: 0.1 % of lengths, 0.001 of directions, a tenth of a voxel."""
    found, edges = matrix_of(image), np.linalg.norm(matrix[:, :3], axis=0)
    np.testing.assert_allclose(image.GetSpacing(), edges, rtol=1e-3)
    np.testing.assert_allclose(found[:, :3] / edges, matrix[:, :3] / edges, atol=3e-3)
    assert np.linalg.norm(found[:, 3] - matrix[:, 3]) <= 0.11 * edges.min()


def far_apart(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two (3, 4) matrices differ by far more than any rounding."""
    edges = np.linalg.norm(second[:, :3], axis=0)
    other = np.linalg.norm(first[:, :3], axis=0)
    return bool(
        np.abs(other / edges - 1).max() > 0.01
        or np.abs((first - second)[:, :3] / edges).max() > 0.02
        or np.linalg.norm((first - second)[:, 3]) > edges.min()
    )
