"""The header of a NIfTI file, with checks that ITK does not make.

ITK's NIfTI reader returns an image without an error if the file ends early (the missing voxels are uninitialised
memory) and replaces a zero voxel spacing by 1 mm. Both would give a plausible but wrong segmentation, so header and
length are verified here before ITK reads the file.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from LightMedSegLib.core.errors import InputImageError

_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"

# Byte offsets in the header of NIfTI-1, https://nifti.nimh.nih.gov/nifti-1.
_HEADER_BYTES = 348
_NIFTI_2_HEADER_BYTES = 540
_DIM, _TYPE, _PIXDIM, _DATA_OFFSET, _SCALING, _UNITS = 40, 70, 76, 108, 112, 123
_FORM_CODES, _QUATERNION, _AFFINE = 252, 256, 280
_MAGIC, _MAGICS = 344, (b"n+1\0", b"ni1\0")
_UNIT_OF_LENGTH = 7

_BITS_OF_TYPE = {
    2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64, 1536: 128,
    1792: 128, 2048: 256, 2304: 32,
}  # fmt: skip
"""Of a voxel, for each code of its type."""

_FLOATS = {16: "f4", 64: "f8"}
"""NumPy's name for the types of floating-point voxels."""


@dataclass(frozen=True)
class NiftiHeader:
    """The fields of a NIfTI-1 header.

    size: voxels along x, y, z. spacing: pixdim 1 to 3. handedness: pixdim 0. quaternion: b, c, d and the qform's
    offset x, y, z. affine: the sform, row-major, 3 x 4. unit: the code of the unit of length. offset: of the first
    voxel in bytes. length: bytes that the file must have. floats: NumPy's name for the type of floating-point voxels,
    "" for others.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    handedness: float
    qform_code: int
    sform_code: int
    quaternion: tuple[float, ...]
    affine: tuple[float, ...]
    unit: int
    offset: int
    length: int
    floats: str


def check_nifti(path: Path) -> None:
    """Raise InputImageError if the .nii or .nii.gz file at path is not NIfTI, damaged, cut short or without spacing."""
    with _content(path) as (content, compressed):
        header = _parsed(content.read(_HEADER_BYTES), path)
        if compressed:
            # Reading on to the end also verifies the checksum.
            length = content.tell() + sum(len(chunk) for chunk in iter(lambda: content.read(_CHUNK_BYTES), b""))
        else:
            length = path.stat().st_size
    if length < header.length:
        raise InputImageError(
            f"{path} is cut short: {length} of {header.length} bytes are there; copy or export it again."
        )


def read_nifti_header(path: Path) -> NiftiHeader:
    """Return the header of the NIfTI-1 file at path without reading the rest. Raises InputImageError."""
    with _content(path) as (content, _):
        return _parsed(content.read(_HEADER_BYTES), path)


def count_not_finite(path: Path) -> int:
    """Return how many voxels of the NIfTI-1 file at path are NaN or infinite, which ITK reads as 0.

    Raises InputImageError.
    """
    with _content(path) as (content, _):
        header = _parsed(content.read(_HEADER_BYTES), path)
        if not header.floats:
            return 0
        content.seek(header.offset)
        chunks = iter(lambda: content.read(min(_CHUNK_BYTES, header.length - content.tell())), b"")
        return sum(int(np.count_nonzero(~np.isfinite(np.frombuffer(chunk, header.floats)))) for chunk in chunks)


@contextmanager
def _content(path: Path) -> Iterator[tuple[IO[bytes], bool]]:
    """Yield the uncompressed bytes of a file, and whether they were compressed, independent of its name."""
    try:
        with path.open("rb") as stream:
            compressed = stream.read(2) == _GZIP_MAGIC
            stream.seek(0)
            if not compressed:
                yield stream, False
                return
            with gzip.open(stream) as content:
                yield cast("IO[bytes]", content), True
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputImageError(f"{path} is damaged or incomplete; copy or export it again.") from error


def _parsed(header: bytes, path: Path) -> NiftiHeader:
    order = next((o for o in "<>" if header[:4] == struct.pack(o + "i", _HEADER_BYTES)), None)
    if order is None:
        if header[:4] in (struct.pack(o + "i", _NIFTI_2_HEADER_BYTES) for o in "<>"):
            raise InputImageError(f"{path} is in the format NIfTI-2, which is not supported; convert it to NIfTI-1.")
        raise InputImageError(f"{path} is not a NIfTI file, whatever its name says.")
    if len(header) < _HEADER_BYTES:
        raise InputImageError(f"{path} is damaged or incomplete; copy or export it again.")
    if header[_MAGIC:] not in _MAGICS:
        # An Analyze header looks alike, but says nothing of how the scan lies.
        raise InputImageError(f"{path} is not a NIfTI file, whatever its name says.")
    axes, *sizes = struct.unpack_from(order + "8h", header, _DIM)
    if not 1 <= axes <= 7 or min(sizes[:axes]) < 1:
        raise InputImageError(f"{path} has a NIfTI header with impossible dimensions.")
    handedness, *spacing = struct.unpack_from(order + "8f", header, _PIXDIM)
    used = spacing[: min(axes, 3)]
    if not all(math.isfinite(s) and s != 0 for s in used):
        shown = ", ".join(f"{s:g}" for s in used)
        raise InputImageError(f"{path} has voxel spacing ({shown}) mm in its header; every spacing must be positive.")
    quaternion_code, affine_code = struct.unpack_from(order + "2h", header, _FORM_CODES)
    quaternion = struct.unpack_from(order + "6f", header, _QUATERNION)
    affine = struct.unpack_from(order + "12f", header, _AFFINE)
    in_use = (*(quaternion if quaternion_code else ()), *(affine if affine_code else ()))
    if not all(map(math.isfinite, in_use)):
        # ITK's decomposition of such a matrix never ends.
        raise InputImageError(f"{path} has a NIfTI header whose place in space is not finite; export it again.")
    if min(quaternion_code, affine_code) < 0:
        raise InputImageError(f"{path} has a NIfTI header with an impossible qform or sform code; export it again.")
    kind, bits = struct.unpack_from(order + "2h", header, _TYPE)
    if bits != _BITS_OF_TYPE.get(kind, bits):
        # Readers believe one or the other.
        raise InputImageError(f"{path} has a NIfTI header whose type and size of voxels differ; export it again.")
    slope, intercept = struct.unpack_from(order + "2f", header, _SCALING)
    if (slope == 0 or not math.isfinite(slope)) and math.isfinite(intercept) and intercept != 0:
        # By the standard, a slope of 0 means that the intercept does not count; ITK adds it.
        raise InputImageError(
            f"{path} has a NIfTI header that contradicts itself: its intercept (scl_inter) is {intercept:g}, but its "
            f"slope (scl_slope) is {slope:g}, not 1; correct the header or export it again."
        )
    (offset,) = struct.unpack_from(order + "f", header, _DATA_OFFSET)
    if not math.isfinite(offset) or (header[_MAGIC:] == _MAGICS[0] and offset < _HEADER_BYTES):
        raise InputImageError(f"{path} has a NIfTI header that does not say where its voxels begin; export it again.")
    return NiftiHeader(
        size=_first_three(sizes[: min(axes, 3)]),
        spacing=_first_three(used),
        handedness=handedness,
        qform_code=quaternion_code,
        sform_code=affine_code,
        quaternion=quaternion,
        affine=affine,
        unit=header[_UNITS] & _UNIT_OF_LENGTH,
        offset=int(offset),
        length=int(offset) + math.prod(sizes[:axes]) * bits // 8,
        floats=order + _FLOATS[kind] if kind in _FLOATS else "",
    )


def _first_three(values: list[Any]) -> tuple[Any, Any, Any]:
    x, y, z = (*values, 1, 1, 1)[:3]
    return (x, y, z)
