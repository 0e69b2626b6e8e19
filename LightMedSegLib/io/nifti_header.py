"""Checks of a NIfTI file that ITK leaves out.

ITK's NIfTI reader returns an image without complaint when the file ends early (the missing voxels hold
whatever was in memory) and replaces a zero voxel spacing by 1 mm. Both would give a plausible wrong
segmentation, so header and length are verified here before ITK reads the file.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

from LightMedSegLib.core.errors import InputImageError

_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"

# Byte offsets in the header of NIfTI-1, https://nifti.nimh.nih.gov/nifti-1.
_HEADER_BYTES = 348
_NIFTI_2_HEADER_BYTES = 540
_DIM, _BITS, _PIXDIM, _DATA_OFFSET = 40, 72, 76, 108
_FORM_CODES, _QUATERNION, _AFFINE = 252, 256, 280


def check_nifti(path: Path) -> None:
    """Raise InputImageError if the .nii or .nii.gz file at path is not NIfTI, damaged, cut short or without spacing."""
    try:
        with path.open("rb") as stream:
            compressed = stream.read(2) == _GZIP_MAGIC
            stream.seek(0)
            if compressed:
                with gzip.open(stream) as content:
                    expected = _expected_bytes(cast("IO[bytes]", content), path)
                    # Reading on to the end also verifies the checksum.
                    length = content.tell() + sum(len(chunk) for chunk in iter(lambda: content.read(_CHUNK_BYTES), b""))
            else:
                expected = _expected_bytes(stream, path)
                length = path.stat().st_size
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputImageError(f"{path} is damaged or incomplete; copy or export it again.") from error
    if length < expected:
        raise InputImageError(f"{path} is cut short: {length} of {expected} bytes are there; copy or export it again.")


def _expected_bytes(stream: IO[bytes], path: Path) -> int:
    """Uncompressed length that the header promises; the header itself is checked."""
    header = stream.read(_HEADER_BYTES)
    order = next((o for o in "<>" if header[:4] == struct.pack(o + "i", _HEADER_BYTES)), None)
    if order is None:
        if header[:4] in (struct.pack(o + "i", _NIFTI_2_HEADER_BYTES) for o in "<>"):
            raise InputImageError(f"{path} is in the format NIfTI-2, which is not supported; convert it to NIfTI-1.")
        raise InputImageError(f"{path} is not a NIfTI file, whatever its name says.")
    if len(header) < _HEADER_BYTES:
        raise InputImageError(f"{path} is damaged or incomplete; copy or export it again.")
    axes, *sizes = struct.unpack_from(order + "8h", header, _DIM)
    if not 1 <= axes <= 7 or min(sizes[:axes]) < 1:
        raise InputImageError(f"{path} has a NIfTI header with impossible dimensions.")
    spacing = struct.unpack_from(order + "8f", header, _PIXDIM)[1 : min(axes, 3) + 1]
    if not all(math.isfinite(s) and s != 0 for s in spacing):
        shown = ", ".join(f"{s:g}" for s in spacing)
        raise InputImageError(f"{path} has voxel spacing ({shown}) mm in its header; every spacing must be positive.")
    quaternion_code, affine_code = struct.unpack_from(order + "2h", header, _FORM_CODES)
    quaternion = struct.unpack_from(order + "6f", header, _QUATERNION) if quaternion_code else ()
    affine = struct.unpack_from(order + "12f", header, _AFFINE) if affine_code else ()
    if not all(map(math.isfinite, (*quaternion, *affine))):
        # ITK's decomposition of such a matrix never ends.
        raise InputImageError(f"{path} has a NIfTI header whose place in space is not finite; export it again.")
    (bits,) = struct.unpack_from(order + "h", header, _BITS)
    (offset,) = struct.unpack_from(order + "f", header, _DATA_OFFSET)
    if not math.isfinite(offset):
        raise InputImageError(f"{path} has a NIfTI header that does not say where its voxels begin.")
    return int(offset) + math.prod(sizes[:axes]) * bits // 8
