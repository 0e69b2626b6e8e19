"""Ways to spoil the zip file of a model package."""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
from pathlib import Path

from Reliability.package_mutations import flipped

NAMES = (
    "../model.json", "../../evil", "/etc/evil", "C:/evil", "C:\\evil", "..\\evil", "a/../../evil", "a//b",
    "model.json\0.txt", "MODEL.JSON", "model.json/", "evil.py", "__init__.py", "top/sub/model.json", "other/model.json",
    ".hidden", "x" * 3000, "top/weights.safetensors", "top/README.md ", "nul", "top/\u202emodel.json", "", "top/..",
)  # fmt: skip

_BOMB_BYTES = 30_000_000


def spoil_zip(folder: Path, path: Path, rng: random.Random) -> str:
    """Pack the files of folder into path, with something wrong; returns what."""
    kinds = ("names", "special", "bomb", "many", "method", "bytes", "cut", "around", "lies", "sound")
    kind = rng.choice(kinds)
    content = _packed(folder, rng, kind)
    if kind == "bytes":
        content = flipped(content, rng)
    elif kind == "cut":
        content = content[: rng.randrange(len(content))]
    elif kind == "around":
        content = rng.choice((b"MZ" + bytes(300) + content, content + b"trailing", content + content, content[::-1]))
    elif kind == "lies":
        content = _with_other_numbers(content, rng)
    path.write_bytes(content)
    return f"zip {kind}"


def _packed(folder: Path, rng: random.Random, kind: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        top = rng.choice(("", "top/"))
        for file in sorted(folder.iterdir()):
            archive.writestr(top + file.name, file.read_bytes())
        if kind == "names":
            for name in rng.sample(NAMES, rng.randint(1, 3)):
                _write_named(archive, name)
        elif kind == "special":
            entry = zipfile.ZipInfo(rng.choice((top + "README.md", top + "LICENSE.txt", "link")))
            mode = rng.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR, stat.S_IFSOCK, stat.S_IFREG))
            entry.external_attr = (mode | 0o6777) << 16
            archive.writestr(entry, rng.choice(("/etc/passwd", "../../..", "model.json")))
        elif kind == "bomb":
            name = rng.choice((top + "README.md", top + "training-curve.png", top + "extra", top + "LICENSE.txt"))
            archive.writestr(name, bytes(_BOMB_BYTES))
        elif kind == "many":
            for number in range(rng.choice((70, 3000))):
                archive.writestr(f"{top}{number}", b"")
        elif kind == "method":
            method = rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            archive.writestr(top + "README.md", b"text", method)
    return memory.getvalue()


def _write_named(archive: zipfile.ZipFile, name: str) -> None:
    entry = zipfile.ZipInfo("placeholder")
    # zipfile tidies names that it is given at once.
    entry.filename = entry.orig_filename = name
    archive.writestr(entry, b"{}")


def _with_other_numbers(content: bytes, rng: random.Random) -> bytes:
    """Sizes, checksums, flags, methods and offsets in the local and central headers say something else."""
    changed = bytearray(content)
    marks = [at for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06") for at in _all(content, mark)]
    for _ in range(rng.randint(1, 3)):
        at = rng.choice(marks) + rng.randint(4, 45)
        if at + 4 <= len(changed):
            value = rng.choice((0, 1, 8, 99, 0xFFFF, 2**31, 2**32 - 1, rng.randrange(2**32)))
            _put(changed, at, value, rng)
    return bytes(changed)


def _put(changed: bytearray, at: int, value: int, rng: random.Random) -> None:
    if rng.random() < 0.5:
        struct.pack_into("<I", changed, at, value)
    else:
        struct.pack_into("<H", changed, at, value & 0xFFFF)


def _all(content: bytes, mark: bytes) -> list[int]:
    found, at = [], content.find(mark)
    while at >= 0:
        found.append(at)
        at = content.find(mark, at + 1)
    return found
