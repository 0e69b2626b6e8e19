"""The files of a model package on disk, before anything is believed about their content."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.model.card import ModelCard

CARD_FILE = "model.json"
WEIGHTS_FILE = "weights.safetensors"
RECIPE_FILE = "training.toml"
REFERENCE_FILE = "reference.safetensors"
_MB = 1024 * 1024

FILE_LIMITS: dict[str, int] = {
    CARD_FILE: 1 * _MB,
    WEIGHTS_FILE: 2048 * _MB,
    "README.md": 1 * _MB,
    "LICENSE.txt": 1 * _MB,
    RECIPE_FILE: 1 * _MB,
    "training-curve.png": 16 * _MB,
    REFERENCE_FILE: 512 * _MB,
}
"""The files of a package and the most bytes that each may have; all but the first two are optional."""


def read_card(folder: Path, shown: str | None = None) -> ModelCard:
    """The card of a package folder, and a quick look at the weights file's size; shown names it in messages.

    The same object for the same content: nobody may change what it holds.
    """
    shown = shown or folder.name
    try:
        card = _checked(read_file(folder / CARD_FILE, FILE_LIMITS[CARD_FILE]))
    except ModelPackageError as error:
        raise ModelPackageError(f"{shown}: {error}") from None
    weights = folder / card.weights.file
    if not weights.is_file():
        raise ModelPackageError(f"{shown} is not complete: it has no {card.weights.file}.")
    if weights.stat().st_size != card.weights.bytes:
        raise ModelPackageError(
            f"{shown}: {card.weights.file} has {weights.stat().st_size} bytes instead of {card.weights.bytes}; "
            "it is truncated or not the file of this card."
        )
    return card


@functools.lru_cache(maxsize=64)
def _checked(content: bytes) -> ModelCard:
    """The card; the panel reads every card again and again, and checking one takes a hundredth of a second."""
    return ModelCard.from_json(content)


def package_files(folder: Path) -> dict[str, Path]:
    """The files of the package in folder by name; anything else that lies there does not belong to it."""
    return {name: folder / name for name in FILE_LIMITS if (folder / name).is_file()}


def copy_package(source: Path, target: Path) -> None:
    """Copy the package's files (and only these) into the existing folder target."""
    for name, file in package_files(source).items():
        if file.stat().st_size > FILE_LIMITS[name]:
            raise ModelPackageError(f"{source.name}: {name} is larger than the {FILE_LIMITS[name]} bytes allowed.")
        shutil.copyfile(file, target / name)


def read_file(path: Path, limit: int, expected: int | None = None) -> bytes:
    """Read a file after a look at its size; one byte more than expected shows that it grew meanwhile."""
    try:
        size = path.stat().st_size
        if size > limit:
            raise ModelPackageError(f"{path.name} has {size} bytes, more than the {limit} allowed.")
        with path.open("rb") as file:
            content = file.read(limit + 1 if expected is None else expected + 1)
    except OSError as error:
        raise ModelPackageError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if expected is not None and len(content) != expected:
        raise ModelPackageError(f"{path.name} is truncated or too long: it should have {expected} bytes.")
    return content
