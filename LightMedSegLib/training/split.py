"""The fixed split of the cases into training, validation and test parts, by case name."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.storage.atomic_files import atomic_write
from LightMedSegLib.storage.file_names import comparable_name
from LightMedSegLib.storage.strict_json import parse_json
from LightMedSegLib.storage.text_files import read_text

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Sorted case names of the three parts; no name is in two of them."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        names = self.train + self.validation + self.test
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise TrainingDataError(f"The case {repeated[0]!r} is in two parts of the split.")
        if not self.train:
            raise TrainingDataError("The split holds no training case.")

    @property
    def sha256(self) -> str:
        """Hash of the case names of each part; equal for equal splits, whatever the layout of the file."""
        content = json.dumps({part: sorted(getattr(self, part)) for part in PARTS}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def check_available(self, names: Iterable[str]) -> None:
        """Raise TrainingDataError when a case of the split is not among names."""
        missing = sorted(set(self.train + self.validation + self.test) - set(names))
        if missing:
            raise TrainingDataError(
                f"The split names {len(missing)} case(s) that the training data lacks, first {missing[0]!r}; name the "
                "split of these data with --split, or let one be drawn with --set data.split= (nothing after it)."
            )


def draw_split(
    names: Iterable[str], validation: int, test: int, seed: int, patient_of: Callable[[str], str] = str
) -> Split:
    """Return a random split, the same for the same set of names and seed.

    patient_of: gives the patient of a case. All cases of a patient are in one part; the validation and test parts may
    then have a few more cases than asked for.
    """
    patients: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        patients.setdefault(patient_of(name), []).append(name)
    count = sum(map(len, patients.values()))
    if validation + test >= count:
        raise TrainingDataError(
            f"{count} cases are too few for {validation} validation and {test} test cases beside the training."
        )
    shuffled = sorted(patients)
    random.Random(seed).shuffle(shuffled)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for patient in shuffled:
        lacking = (part for part, size in (("test", test), ("validation", validation)) if len(parts[part]) < size)
        parts[next(lacking, "train")] += patients[patient]
    return Split(**{part: tuple(sorted(chosen)) for part, chosen in parts.items()})


def read_split(path: Path) -> Split:
    """Return the split in a JSON file with the keys train, validation and test."""
    try:
        content = parse_json(read_text(path))
    except OSError as error:
        raise TrainingDataError(f"The split file {path.name} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise TrainingDataError(f"The split file {path.name} cannot be used: {error}.") from None
    if not isinstance(content, dict) or any(not _is_list_of_names(content.get(part)) for part in PARTS):
        raise TrainingDataError(f"The split file {path.name} needs lists of case names for {', '.join(PARTS)}.")
    return Split(**{part: tuple(map(comparable_name, content[part])) for part in PARTS})


def write_split(path: Path, split: Split) -> None:
    """Write the split as JSON, one case name a line."""
    content = {part: sorted(getattr(split, part)) for part in PARTS}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
