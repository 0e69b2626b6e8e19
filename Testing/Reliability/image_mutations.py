"""NIfTI, NRRD and MetaImage files with something wrong, or something unusual but right, in them.

Every mutation says what must happen: SAME: the labels are those of the sound volume. REFUSED: the command refuses the
file. EITHER: it refuses it, or its result lies on the grid and has the values that ITK reads from the file.
"""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from Reliability.package_mutations import flipped

SAME, REFUSED, EITHER = "same", "refused", "either"
STEP = 1000
"""Voxels of class n have the value n * STEP."""


@dataclass(frozen=True)
class Spoiled:
    """A file or folder to segment, what was done to it, and what must happen."""

    path: Path
    what: str
    expected: str


def sound_array() -> np.ndarray:
    """int16 (z, y, x) with two blocks that show every flip and exchange of axes."""
    array = np.zeros((12, 14, 16), dtype=np.int16)
    array[2:7, 2:6, 3:13] = STEP
    array[8:11, 7:13, 2:9] = 2 * STEP
    return array


def sound_image() -> sitk.Image:
    """The array at 1 mm, turned and shifted."""
    image = sitk.GetImageFromArray(sound_array())
    image.SetOrigin((-31.5, 12.25, 40.0))
    image.SetDirection((0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    return image


def spoiled_file(folder: Path, rng: random.Random) -> Spoiled:
    """One file of a random format with a random mutation."""
    kind = rng.choice(("nii", "nii.gz", "nrrd", "mha"))
    path = folder / f"scan.{kind}"
    sitk.WriteImage(sound_image(), str(path), useCompression=kind == "nrrd" and rng.random() < 0.5)
    mutations = _NIFTI if kind.startswith("nii") else _TEXT
    mutation, expected = rng.choice(mutations)
    content = path.read_bytes()
    compressed = kind == "nii.gz" and mutation not in _ON_THE_FILE
    content = gzip.decompress(content) if compressed else content
    content = mutation(content, rng)
    path.write_bytes(gzip.compress(content) if compressed else content)
    return Spoiled(path, f"{kind}: {mutation.__name__.strip('_')}", expected)


# --- whole files


def _untouched(content: bytes, rng: random.Random) -> bytes:
    return content


def _cut_in_the_header(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, 60)]


def _cut_in_the_voxels(content: bytes, rng: random.Random) -> bytes:
    return content[: int(len(content) * rng.uniform(0.4, 0.9))]


def _bytes_changed(content: bytes, rng: random.Random) -> bytes:
    end = min(len(content), 400)
    return flipped(content[:end], rng) + content[end:]


def _bytes_changed_anywhere(content: bytes, rng: random.Random) -> bytes:
    return flipped(content, rng)


def _compressed_twice(content: bytes, rng: random.Random) -> bytes:
    return gzip.compress(content)


# --- NIfTI: offsets in the header as in nifti1.h


def _field(offset: int, kind: str, values: tuple[float, ...]) -> Callable[[bytes, random.Random], bytes]:
    def change(content: bytes, rng: random.Random) -> bytes:
        changed = bytearray(content)
        struct.pack_into(f"<{kind}", changed, offset, rng.choice(values))
        return bytes(changed)

    change.__name__ = f"field at {offset}"
    return change


def _axis_count(content: bytes, rng: random.Random) -> bytes:
    return _field(40, "h", (0, -1, 1, 2, 4, 7, 8, 1000))(content, rng)


def _one_size(content: bytes, rng: random.Random) -> bytes:
    return _field(42 + 2 * rng.randrange(3), "h", (0, -5, 1, 3, 17, 32767))(content, rng)


def _voxel_type(content: bytes, rng: random.Random) -> bytes:
    return _field(70, "h", (0, 1, 2, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1536, 2304, -1, 30000))(content, rng)


def _bits(content: bytes, rng: random.Random) -> bytes:
    return _field(72, "h", (0, 8, 64, -16, 32000))(content, rng)


def _bad_spacing(content: bytes, rng: random.Random) -> bytes:
    nan, infinity = float("nan"), float("inf")
    return _field(80 + 4 * rng.randrange(3), "f", (0.0, nan, infinity, -infinity))(content, rng)


def _other_spacing(content: bytes, rng: random.Random) -> bytes:
    return _field(80 + 4 * rng.randrange(3), "f", (0.5, 3.0, -1.0, 1e-30, 1e30, 7.9, 20.0))(content, rng)


def _data_offset(content: bytes, rng: random.Random) -> bytes:
    return _field(108, "f", (0.0, -352.0, 16.0, 354.0, 1e9, float("nan"), float("inf")))(content, rng)


def _orientation_code(content: bytes, rng: random.Random) -> bytes:
    return _field(rng.choice((252, 254)), "h", (0, 1, 4, -1, 99))(content, rng)


def _affine(content: bytes, rng: random.Random) -> bytes:
    nan = float("nan")
    return _field(280 + 4 * rng.randrange(12), "f", (0.0, 1.0, -1.0, 0.3, nan, 1e30, float("inf")))(content, rng)


def _quaternion(content: bytes, rng: random.Random) -> bytes:
    return _field(256 + 4 * rng.randrange(6), "f", (0.0, 0.7, 2.0, float("nan"), 1e30))(content, rng)


def _magic(content: bytes, rng: random.Random) -> bytes:
    return content[:344] + rng.choice((b"ni1\0", b"n+2\0", b"\0\0\0\0", b"abcd")) + content[348:]


def _header_size(content: bytes, rng: random.Random) -> bytes:
    return struct.pack("<i", rng.choice((0, 540, 347, -348, 2**31 - 1))) + content[4:]


def _description(content: bytes, rng: random.Random) -> bytes:
    return content[:148] + rng.choice((b"DOE^JANE 1970", b"\xff" * 40, b"%s%n")).ljust(80, b"\0") + content[228:]


def _bytes_behind_the_voxels(content: bytes, rng: random.Random) -> bytes:
    return content + bytes(rng.randrange(1, 3000))


def _other_byte_order(content: bytes, rng: random.Random) -> bytes:
    """The same volume as a big-endian computer writes it."""
    groups = ((0, "i", 1), (32, "i", 1), (36, "h", 1), (40, "h", 8), (56, "f", 3), (68, "h", 4), (76, "f", 8),
              (108, "f", 3), (120, "h", 1), (124, "f", 4), (140, "i", 2), (252, "h", 2), (256, "f", 18))  # fmt: skip
    changed = bytearray(content)
    for offset, kind, count in groups:
        struct.pack_into(f">{count}{kind}", changed, offset, *struct.unpack_from(f"<{count}{kind}", content, offset))
    voxels = np.frombuffer(content[352:], dtype="<i2").astype(">i2")
    return bytes(changed[:352]) + voxels.tobytes()


_ON_THE_FILE = (_cut_in_the_voxels, _compressed_twice)

_NIFTI: tuple[tuple[Callable[[bytes, random.Random], bytes], str], ...] = (
    (_untouched, SAME), (_description, SAME), (_bytes_behind_the_voxels, SAME), (_other_byte_order, SAME),
    (_cut_in_the_header, REFUSED), (_cut_in_the_voxels, REFUSED), (_compressed_twice, EITHER), (_bad_spacing, REFUSED),
    (_header_size, REFUSED), (_bytes_changed, EITHER), (_bytes_changed_anywhere, EITHER), (_axis_count, EITHER),
    (_one_size, EITHER), (_voxel_type, EITHER), (_bits, EITHER), (_other_spacing, EITHER), (_data_offset, EITHER),
    (_orientation_code, EITHER), (_affine, EITHER), (_quaternion, EITHER), (_magic, EITHER),
)  # fmt: skip


# --- NRRD and MetaImage: lines of text, then the voxels

VALUES = (
    "", "0", "-1", "1", "3", "4", "16 14 12", "16 14", "16 14 13", "99999 99999 99999", "2000000000 2 2", "nan nan nan",
    "1 0 0 0 1 0 0 0 1", "1 0 0 0.4 1 0 0 0 1", "(1,0,0) (0,1,0) (0,0,1)", "(1,0,0) (0.5,1,0) (0,0,1)", "inf inf inf",
    "(nan,0,0) (0,1,0) (0,0,1)", "none none none", "short", "float", "double", "MET_SHORT", "MET_FLOAT", "MET_UCHAR",
    "block", "raw", "gzip", "ascii", "hex", "bzip2", "big", "True", "False", "LOCAL", "LIST", "/etc/passwd", "../x.raw",
    "slice%03d.raw 1 12 1", "left-posterior-superior", "right-anterior-superior", "scanner-xyz", "\x00", "x" * 5000,
    "1e400", "(1e30,0,0) (0,1,0) (0,0,1)", "0 0 0", "1 1 0", "%99999d.raw 1 12 1", "x%d%s%n.raw 1 12 1",
    "1e-30 1 1", "vector domain domain", "%s%n",
)  # fmt: skip


def _line_deleted(content: bytes, rng: random.Random) -> bytes:
    lines, rest = _lines(content)
    del lines[rng.randrange(len(lines))]
    return _joined(lines, rest)


def _line_repeated(content: bytes, rng: random.Random) -> bytes:
    lines, rest = _lines(content)
    lines.insert(rng.randrange(1, len(lines)), rng.choice(lines[1:]))
    return _joined(lines, rest)


def _value_changed(content: bytes, rng: random.Random) -> bytes:
    lines, rest = _lines(content)
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        mark = b" = " if b" = " in lines[at] else b": "
        lines[at] = lines[at].split(mark)[0] + mark + rng.choice(VALUES).encode()
    return _joined(lines, rest)


def _lines(content: bytes) -> tuple[list[bytes], bytes]:
    mark = b"\n\n" if content.startswith(b"NRRD") else b"LOCAL\n"
    at = content.index(mark) + len(mark)
    return content[:at].rstrip(b"\n").split(b"\n"), content[at:]


def _joined(lines: list[bytes], rest: bytes) -> bytes:
    blank = b"\n" if lines and lines[0].startswith(b"NRRD") else b""
    return b"\n".join(lines) + b"\n" + blank + rest


_TEXT: tuple[tuple[Callable[[bytes, random.Random], bytes], str], ...] = (
    (_untouched, SAME), (_cut_in_the_header, REFUSED), (_cut_in_the_voxels, REFUSED), (_line_deleted, EITHER),
    (_line_repeated, EITHER), (_value_changed, EITHER), (_value_changed, EITHER), (_value_changed, EITHER),
    (_bytes_changed, EITHER), (_bytes_changed_anywhere, EITHER),
)  # fmt: skip
