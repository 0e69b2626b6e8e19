"""Untouched predictions of the models, stored in the user's data folder, so that a scene only refers to them.

One file each, ``predictions/<hash of its content>``, with labels only. Files not used for half a year are deleted, and
the least recently used ones if there are too many.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.geometry import bounding_box
from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.storage.atomic_files import atomic_write, make_private_folder, remove_stale

_FORMAT = "lightmedseg-prediction-1"
_KEY = re.compile(r"[0-9a-f]{32}")
_LARGEST = 64 * 2**20
_MOST_FILES, _MOST_BYTES = 500, 1000 * 2**20
_OLDEST_SECONDS = 183 * 24 * 3600


def predictions_folder() -> Path:
    """Return the folder of the predictions, which may not exist yet."""
    return user_data_folder() / "predictions"


def keep(labels: NDArray[np.uint8]) -> str:
    """The key of these labels (z, y, x), which are on the disk now; "" where they are too large or the disk refuses.

    In any thread.
    """
    content = _packed(labels)
    if len(content) > _LARGEST:
        return ""
    key, folder = hashlib.blake2b(content, digest_size=16).hexdigest(), predictions_folder()
    try:
        make_private_folder(folder)
        if (folder / key).is_file():
            os.utime(folder / key)
        else:
            with atomic_write(folder / key, private=True) as temporary:
                temporary.write_bytes(content)
            prune(folder)
    except (OSError, OutputError):
        # The segmentation itself does not depend on it.
        return ""
    return key


def recall(key: str, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    """The labels (z, y, x) of a key; None where this computer does not have them, or they are of another size."""
    path = predictions_folder() / key
    if not _KEY.fullmatch(key):
        return None
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if hashlib.blake2b(content, digest_size=16).hexdigest() != key:
            return None
        labels = _unpacked(content, shape)
        with contextlib.suppress(OSError):
            os.utime(path)
        return labels
    except (OSError, ValueError, zlib.error):
        return None


def prune(folder: Path) -> None:
    """Remove what has not been used for long, and the least recently used of too many."""
    remove_stale(folder)
    files = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if _KEY.fullmatch(path.name):
                files.append((path.stat().st_mtime, path.stat().st_size, path))
    total, oldest = 0, time.time() - _OLDEST_SECONDS
    for number, (used, size, path) in enumerate(sorted(files, reverse=True)):
        total += size
        if number and (number >= _MOST_FILES or total > _MOST_BYTES or used < oldest):
            with contextlib.suppress(OSError):
                path.unlink()


def _packed(labels: NDArray[np.uint8]) -> bytes:
    box = bounding_box(labels)
    numbers = [*labels.shape, *(edge for part in box for edge in (part.start, part.stop))]
    header = " ".join([_FORMAT, *(str(number) for number in numbers)]) + "\n"
    part = np.ascontiguousarray(labels[box], dtype=np.uint8).tobytes()
    return header.encode("ascii") + zlib.compress(part, level=1)


def _unpacked(content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    header, _, packed = content.partition(b"\n")
    name, *texts = header.decode("ascii").split(" ")
    z, y, x, z0, z1, y0, y1, x0, x1 = (int(text) for text in texts)
    if name != _FORMAT or (z, y, x) != shape:
        return None
    size = (z1 - z0, y1 - y0, x1 - x0)
    labels = np.zeros(shape, dtype=np.uint8)
    part = zlib.decompressobj().decompress(packed, labels.size + 1)
    labels[z0:z1, y0:y1, x0:x1] = np.frombuffer(part, dtype=np.uint8).reshape(size)
    return labels
