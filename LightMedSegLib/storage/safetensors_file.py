"""Read and write the safetensors format: named arrays, no code.

Layout: eight bytes little-endian header length, a JSON header of ``name -> dtype, shape, data_offsets``,
then the raw little-endian C-order data without gaps. This is own code because torch is the only package that the
extension asks its users to install. The header is checked before it is used: no size in it leads to an allocation
beyond the size of the file.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.storage.strict_json import parse_json

MAX_HEADER_BYTES = 4 * 1024 * 1024
MAX_DIMENSIONS = 8

_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "U8": np.dtype("u1"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class _Entry:
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def read_tensors(path: str | Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return all arrays of a safetensors file, in the order of their data.

    Raises ModelPackageError, with the file's name and the reason, unless the file is valid.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelPackageError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    return parse_tensors(content, path.name)


def parse_tensors(content: bytes, file_name: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays in the bytes of a safetensors file; file_name is for messages only."""
    try:
        header_end = _header_end(content)
        entries = _entries(content[8:header_end], len(content) - header_end)
        data = memoryview(content)[header_end:]
        return {entry.name: _array(entry, data) for entry in entries}
    except ValueError as error:
        raise ModelPackageError(f"{file_name} is not a sound safetensors file: {error}.") from None


def write_tensors(path: str | Path, tensors: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write arrays of type float64/32/16, int64/32/16 or uint8; ValueError for another type or a reserved name.

    The bytes depend on names and values only, so equal tensors give equal files.
    """
    header: dict[str, Any] = {}
    chunks: list[bytes] = []
    offset = 0
    # Wide types first keeps every array aligned to its item size.
    for name in sorted(tensors, key=lambda key: (-tensors[key].dtype.itemsize, key)):
        array = tensors[name]
        dtype = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
        if dtype not in _NAMES:
            raise ValueError(f"tensor {name!r} has type {array.dtype}, which is not stored")
        if not name or name == "__metadata__":
            raise ValueError(f"{name!r} cannot be a tensor's name")
        chunk = array.astype(dtype, order="C", copy=False).tobytes()
        header[name] = {
            "dtype": _NAMES[dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(chunk)],
        }
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with Path(path).open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(chunks)


def _header_end(content: bytes) -> int:
    if len(content) < 8:
        raise ValueError(f"it has only {len(content)} bytes")
    (length,) = struct.unpack("<Q", content[:8])
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"it announces a header of {length} bytes")
    if 8 + length > len(content):
        raise ValueError("it ends inside its header")
    return int(8 + length)


def _entries(header_bytes: bytes, data_bytes: int) -> list[_Entry]:
    if not header_bytes.startswith(b"{"):
        raise ValueError("its header does not begin with '{'")
    header = parse_json(header_bytes)
    _check_metadata(header.pop("__metadata__", {}))
    entries = sorted(
        (_entry(name, fields) for name, fields in header.items()), key=lambda entry: (entry.begin, entry.end)
    )
    position = 0
    for entry in entries:
        if entry.begin != position:
            raise ValueError(f"the data of {entry.name[:80]!r} overlaps other data or leaves a gap")
        position = entry.end
    if position != data_bytes:
        raise ValueError(f"it holds {data_bytes} bytes of data, but its header describes {position}")
    return entries


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its __metadata__ is not a table of texts")


def _entry(name: str, fields: Any) -> _Entry:
    shown = repr(name[:80])
    if not isinstance(fields, dict) or fields.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {shown} lacks dtype, shape or data_offsets, or has more")
    dtype = _DTYPES.get(fields["dtype"]) if isinstance(fields["dtype"], str) else None
    if dtype is None:
        raise ValueError(f"tensor {shown} has the unsupported dtype {str(fields['dtype'])[:20]!r}")
    shape, offsets = fields["shape"], fields["data_offsets"]
    # If one size is zero, the others can be arbitrarily large without data, but numpy cannot handle all of them.
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS or math.prod(size or 1 for size in shape) >= 2**48:
        raise ValueError(f"tensor {shown} has an impossible shape")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"tensor {shown} has impossible data_offsets")
    if math.prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
        raise ValueError(f"tensor {shown} has a shape that does not match the size of its data")
    return _Entry(name, dtype, tuple(shape), offsets[0], offsets[1])


def _array(entry: _Entry, data: memoryview) -> np.ndarray[Any, Any]:
    stored = np.frombuffer(data[entry.begin : entry.end], dtype=entry.dtype)
    return stored.astype(entry.dtype.newbyteorder("="), copy=True).reshape(entry.shape)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**62 for value in values)
