"""Evaluation of a folder of segmentations: a case that cannot be compared is noted, and the others are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from LightMedSegLib.core.errors import InputImageError, LightMedSegError
from LightMedSegLib.evaluation.comparison import compare
from LightMedSegLib.evaluation.matching import match_folders, names_of_dataset
from LightMedSegLib.evaluation.metrics import LabelMetrics
from LightMedSegLib.evaluation.scores import CaseScore
from LightMedSegLib.evaluation.summary import Row, summarise
from LightMedSegLib.io.headers.header_geometry import header_geometry
from LightMedSegLib.io.labelmaps.matching import plain_name
from LightMedSegLib.model.store import resolve_model
from LightMedSegLib.storage.file_names import without_folders

if TYPE_CHECKING:
    from LightMedSegLib.model.package import Model


@dataclass(frozen=True)
class CaseResult:
    """One case: its metrics and notes, or the reason why it has none, in a sentence that names no folder."""

    case: str
    labels: tuple[LabelMetrics, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Choice:
    """Which labels of a case count.

    labels: names or values, none for all. marked_only: leave out labels without a voxel in the reference of the case.
    """

    labels: Sequence[str] = ()
    marked_only: bool = False

    def of(self, metrics: Sequence[LabelMetrics]) -> tuple[LabelMetrics, ...]:
        """Return the metrics that count."""
        return tuple(
            item
            for item in metrics
            if (not self.labels or any(_is_called(item, label) for label in self.labels))
            and (not self.marked_only or item.reference_volume_ml > 0)
        )

    def check_known(self, metrics: Sequence[LabelMetrics]) -> None:
        """Raise InputImageError for a chosen label that none of the metrics has."""
        for label in self.labels:
            if not any(_is_called(item, label) for item in metrics):
                known = ", ".join(dict.fromkeys(item.name for item in metrics))
                raise InputImageError(f"No segmentation has the label {label!r}; there are: {known}.")


@dataclass(frozen=True)
class FolderEvaluation:
    """The cases of two folders, in the order of their names, and the names of those that only one folder has."""

    cases: tuple[CaseResult, ...]
    only_predicted: tuple[str, ...] = ()
    only_in_reference: tuple[str, ...] = ()

    @property
    def scores(self) -> list[CaseScore]:
        """The metrics of all cases."""
        return [CaseScore(case.case, item) for case in self.cases for item in case.labels]

    def summary(self) -> list[Row]:
        """Return the means over the cases, with their intervals: a row for each label, and one for all together."""
        return summarise(self.scores)


def evaluate_folder(
    predictions: str | Path,
    references: str | Path,
    model: str | Path | Model | None = None,
    *,
    labels: Sequence[str] = (),
    marked_only: bool = False,
    tolerance_mm: float = 1.0,
    on_case: Callable[[CaseResult, int], None] | None = None,
) -> FolderEvaluation:
    """Return the metrics of every segmentation in a folder, compared with that of the same name in another folder.

    Args:
        predictions: folder of labelmaps or .seg.nrrd files; folders inside it are searched too.
        references: the same, taken as the truth.
        model: compare the labels of this model; None for all labels that two files name or contain.
        labels: names or values of the labels to compare; none for all.
        marked_only: leave out labels without a voxel in the reference of a case.
        tolerance_mm: of NSD.
        on_case: called with each result, and the number of cases.

    A case that cannot be compared has a failure in place of metrics. Raises InputImageError if the folders have no case
    in common, if no case can be compared, and for a label that no case has; ModelPackageError for an unknown model.
    """
    folders = Path(predictions).expanduser(), Path(references).expanduser()
    matched = match_folders(*folders)
    names = names_of_dataset(folders[0]), names_of_dataset(folders[1])
    loaded = resolve_model(model) if model is not None else None
    choice = Choice(labels, marked_only)
    cases: list[CaseResult] = []
    known: list[LabelMetrics] = []
    for name, pair in matched.pairs.items():
        result = _compared(name, pair, loaded, tolerance_mm, names)
        known += result.labels
        cases.append(replace(result, labels=choice.of(result.labels)))
        if on_case is not None:
            on_case(cases[-1], len(matched.pairs))
    if all(case.failure for case in cases):
        raise InputImageError(f"None of the {len(cases)} cases can be compared; the first one: {cases[0].failure}")
    choice.check_known(known)
    return FolderEvaluation(tuple(cases), matched.only_predicted, matched.only_in_reference)


def header_notes(prediction: Path, reference: Path) -> list[str]:
    """Return sentences about what is odd in the headers of two segmentations."""
    files = {"Prediction": prediction, "Reference": reference}
    return [f"{which}: {note}" for which, path in files.items() for note in header_geometry(path).notes]


def _compared(
    name: str,
    pair: tuple[Path, Path],
    model: Model | None,
    tolerance_mm: float,
    names: tuple[Mapping[int, str], Mapping[int, str]],
) -> CaseResult:
    try:
        found = compare(*pair, model, tolerance_mm=tolerance_mm, dataset_names=names)
        notes = [*found.notes, *header_notes(*pair)]
    except LightMedSegError as error:
        return CaseResult(name, failure=without_folders(str(error), pair))
    except OSError as error:
        return CaseResult(name, failure=f"{error.strerror or error}.")
    return CaseResult(name, tuple(found.labels), tuple(without_folders(note, pair) for note in notes))


def _is_called(item: LabelMetrics, label: str) -> bool:
    return label == str(item.value) or plain_name(label) == plain_name(item.name)
