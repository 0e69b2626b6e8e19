"""What a plan needs to know about a dataset: its cases, structures and channels, and the facts of its scans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError, TrainingDataError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.io.cases.case_list import channels_of_csv
from LightMedSegLib.io.cases.dataset_description import DATASET_FILE, declared_channel_names
from LightMedSegLib.io.datasets import case_name, find_cases
from LightMedSegLib.io.labelmaps.case_labels import read_case_labels
from LightMedSegLib.io.labelmaps.reading import read_labelmap
from LightMedSegLib.io.labelmaps.values import present_values
from LightMedSegLib.io.scan_tags import tags_of
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.learning.own_models import make_label
from LightMedSegLib.learning.prepared_case import IGNORED
from LightMedSegLib.training.planning.scan_facts import ScanFacts, scan_facts

_EVERY = 20
_VALUES_PER_SCAN = 10_000


@dataclass(frozen=True)
class Dataset:
    """A folder or CSV file of cases.

    layout: as in the configuration. channels: their names, "" where unknown. labels: with the values 1, 2, ... facts:
    of the scans with any structure, a list for each channel.
    """

    place: Path
    layout: str
    channels: tuple[str, ...]
    labels: tuple[Label, ...]
    cases: tuple[Case, ...]
    facts: tuple[tuple[ScanFacts, ...], ...]


def read_dataset(place: Path, report: Callable[[str], None]) -> Dataset:
    """Read every scan of a dataset once.

    Structures are named by dataset.json, else by the segments of .seg.nrrd files, else by number. Raises
    TrainingDataError for a dataset without cases or structures, and for a case that training could not use.
    """
    layout = "csv" if place.is_file() else "decathlon"
    channels = _channels(place)
    cases = tuple(find_cases(place, layout, len(channels)))
    _report_unlabelled(cases, layout, report)
    labels = _labels(cases)
    found: list[list[ScanFacts]] = []
    for number, case in enumerate(cases, start=1):
        facts = _facts_of(case, labels)
        if facts:
            found.append(facts)
        if number % _EVERY == 0 or number == len(cases):
            report(f"read {number} of {len(cases)} cases")
    if not found:
        raise TrainingDataError("None of the cases has a voxel of any structure; there is nothing to learn.")
    return Dataset(place, layout, channels, labels, cases, tuple(zip(*found, strict=True)))


def _report_unlabelled(cases: Sequence[Case], layout: str, report: Callable[[str], None]) -> None:
    """Report how many volumes beside those of the cases have no labelmap; a CSV file names what it wants."""
    if layout == "csv":
        return
    used, folder = {image for case in cases for image in case.images}, cases[0].images[0].parent
    count = sum(bool(case_name(path)) and path not in used for path in folder.iterdir())
    if count:
        report(f"left out {count} {'volume' if count == 1 else 'volumes'} without a labelmap")


def _channels(place: Path) -> tuple[str, ...]:
    if place.is_file():
        return ("",) * channels_of_csv(place)
    try:
        return declared_channel_names(place) or ("",)
    except InputImageError as error:
        raise TrainingDataError(str(error)) from None


def _labels(cases: Sequence[Case]) -> tuple[Label, ...]:
    """Return labels with the values 1, 2, ...: named ones in the order of their values."""
    names = [name for _, name in sorted(cases[0].dataset_labels)]
    if not names:
        by_value: dict[int, str] = {}
        for case in cases:
            with _in_case(case):
                labelmap = read_labelmap(case.labelmap)
            for value in {*present_values(labelmap.image), *labelmap.names, *(case.labelled or ())} - {IGNORED}:
                by_value[value] = by_value.get(value) or labelmap.names.get(value, "")
        values = sorted(by_value)
        named = dict.fromkeys(by_value[value] for value in values if by_value[value])
        if not named and values != list(range(1, len(values) + 1)):
            raise TrainingDataError(
                f"The labelmaps have the values {', '.join(map(str, values))}; write a {DATASET_FILE} with their "
                "names, or let them be 1, 2, 3 ..."
            )
        names = list(named) or [f"Structure {value}" for value in values]
    return tuple(make_label(value, name) for value, name in enumerate(names, start=1))


def _facts_of(case: Case, labels: Sequence[Label]) -> list[ScanFacts]:
    """Return the facts of a case for each channel; none if it has no structure."""
    with _in_case(case):
        volumes = [read_volume(path) for path in case.images]
        marked = read_case_labels(case, volumes[0], labels, (IGNORED,)).image
    values = np.array(sitk.GetArrayViewFromImage(marked))
    values[values == IGNORED] = 0
    if not values.any():
        return []
    known = [label.value for label in labels]
    facts = []
    for volume in volumes:
        if not Grid.of(volume).same_as(Grid.of(volumes[0])):
            raise TrainingDataError(f"The volumes of the case {case.name!r} are not all on the same grid.")
        array = sitk.GetArrayViewFromImage(volume)
        found = scan_facts(array, Grid.of(volume), values, known, tags_of(volume).modality)
        facts.append(replace(found, inside=_some(found.inside), around=_some(found.around)))
    return facts


def _some(sample: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return fewer values, so that those of a thousand scans fit into memory."""
    return sample[:: max(1, len(sample) // _VALUES_PER_SCAN)].copy()


@contextmanager
def _in_case(case: Case) -> Iterator[None]:
    try:
        yield
    except InputImageError as error:
        raise TrainingDataError(f"The case {case.name!r} cannot be used: {error}") from error
