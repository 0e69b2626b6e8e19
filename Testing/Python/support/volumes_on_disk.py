"""Volume files, sound and broken, that tests write."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import SimpleITK as sitk


def plain_volume(size: tuple[int, int, int] = (20, 18, 16), seed: int = 0) -> sitk.Image:
    """Random int16 voxels on a 1 mm grid; size is (x, y, z)."""
    array = np.random.default_rng(seed).integers(0, 1000, size[::-1]).astype(np.int16)
    return sitk.GetImageFromArray(array)


def cut_to(path: Path, share: float) -> Path:
    """Keep only the first share of a file's bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def metaimage(path: Path, **fields: str) -> Path:
    """An uncompressed .mha file of 8 x 8 x 8 shorts whose header fields may be changed."""
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": "1 1 1",
        "DimSize": "8 8 8",
        "ElementType": "MET_SHORT",
        **fields,
        "ElementDataFile": "LOCAL",
    }
    text = "".join(f"{key} = {value}\n" for key, value in header.items())
    path.write_bytes(text.encode() + np.arange(512, dtype=np.int16).tobytes())
    return path


def nifti_with(path: Path, kind: str, offset: int, *values: float) -> Path:
    """An uncompressed NIfTI-1 file with some header bytes replaced."""
    sitk.WriteImage(plain_volume(), str(path))
    content = bytearray(path.read_bytes())
    struct.pack_into(f"<{len(values)}{kind}", content, offset, *values)
    path.write_bytes(content)
    return path


def dicom_series(
    folder: Path,
    positions: list[tuple[float, float, float]] | None = None,
    series: int = 1,
    orientation: str = "1\\0\\0\\0\\1\\0",
    more_tags: dict[str, str] | None = None,
) -> Path:
    """A synthetic MR series of 12 x 10 slices, 2 mm apart unless positions are given; slice n holds n and up."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for n, position in enumerate(positions or [(5.0, -3.0, 2.0 * n) for n in range(6)]):
        plane = sitk.GetImageFromArray(np.arange(120, dtype=np.int16).reshape(10, 12) + n)
        plane.SetSpacing((0.8, 0.9))
        for key, value in {
            "0008|0060": "MR",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.{series}.{n + 1}",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.99",
            "0020|000e": f"1.2.826.0.1.3680043.2.1125.{series}",
            "0020|0011": str(series),
            "0020|0013": str(n + 1),
            "0020|0032": "\\".join(f"{x:g}" for x in position),
            "0020|0037": orientation,
            "0028|0030": "0.9\\0.8",
            "0018|0050": "2",
            **(more_tags or {}),
        }.items():
            plane.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"series{series}-{n:03d}.dcm"))
        writer.Execute(plane)
    return folder


def time_points(folder: Path, count: int = 3, missing: int = 0, series: int = 1) -> Path:
    """A DICOM series of six slices, each at several times one after the other, as scanners store a cine."""
    places = [(5.0, -3.0, 2.0 * slice_) for slice_ in range(6) for _ in range(count)]
    return dicom_series(folder, places[: len(places) - missing], series)
