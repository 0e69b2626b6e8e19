"""Labels and channels in the dataset.json of nnU-Net and of the Medical Segmentation Decathlon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.labelmaps.matching import plain_name
from LightMedSegLib.storage.strict_json import parse_json
from LightMedSegLib.storage.text_files import read_text

DATASET_FILE = "dataset.json"


def declared_labels(folder: Path) -> dict[str, int]:
    """Return the value of each label name in folder/dataset.json; empty without the file or without labels in it.

    nnU-Net maps names to values, the Decathlon values to names; nnU-Net's regions (a name with several values) are no
    labels.

    Raises InputImageError for a file that is no dataset description, two names with one value, and a name with two.
    """
    content = _content(folder)
    if content is None or "labels" not in content:
        return {}
    path, written = folder / DATASET_FILE, content["labels"]
    try:
        pairs = [(value, name) if name.isdecimal() else (name, value) for name, value in written.items()]
        found = [(str(name), _whole(value)) for name, value in pairs if not isinstance(value, list)]
    except (ValueError, TypeError, AttributeError):
        raise InputImageError(
            f'{path} cannot be used: it must hold "labels", each a name with a whole number.'
        ) from None
    labels: dict[str, int] = {}
    for name, value in found:
        if not 0 <= value <= 255:
            raise InputImageError(f"{path} gives {name!r} the value {value}; values go from 0 to 255.")
        same = [other for other in labels if labels[other] == value or plain_name(other) == plain_name(name) != ""]
        if same:
            raise InputImageError(
                f"{path} contradicts itself: {same[0]!r} has the value {labels[same[0]]}, {name!r} the value {value}."
            )
        labels[name] = value
    return labels


def declared_channels(folder: Path) -> int | None:
    """Return the number of channels of each case in folder/dataset.json; None if it is not given.

    Raises InputImageError for a file that is no dataset description.
    """
    return len(declared_channel_names(folder)) or None


def declared_channel_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the channels in folder/dataset.json, in the order of their numbers; none if not given.

    Raises InputImageError for a file that is no dataset description.
    """
    content = _content(folder) or {}
    declared = content.get("channel_names", content.get("modality"))
    if not isinstance(declared, dict):
        return ()
    return tuple(str(name) for _, name in sorted(declared.items(), key=lambda item: (len(item[0]), item[0])))


def _content(folder: Path) -> dict[str, Any] | None:
    path = folder / DATASET_FILE
    if not path.is_file():
        return None
    try:
        content = parse_json(read_text(path))
    except OSError as error:
        raise InputImageError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputImageError(f"{path} cannot be used: {error}.") from None
    if not isinstance(content, dict):
        raise InputImageError(f"{path} cannot be used: it describes no dataset.")
    return content


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)
