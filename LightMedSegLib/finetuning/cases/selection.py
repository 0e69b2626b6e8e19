"""Selection of the stored cases that a job learns from."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.model.card import ModelCard


def usable_records(store: CaseStore, wanted: Sequence[str], card: ModelCard) -> list[CaseRecord]:
    """Return the wanted cases in their order; if none are named, all undamaged cases that fit the model.

    Raises TrainingDataError for a wanted case that is missing, damaged or does not fit, and if none is left.
    """
    entries = {entry.case_id: entry for entry in store.list()}
    records = []
    for case_id in dict.fromkeys(wanted) if wanted else entries:
        entry = entries.get(case_id)
        if entry is None:
            raise TrainingDataError(f"There is no case {case_id}.")
        if entry.record is not None and entry.record.fits(card):
            records.append(entry.record)
        elif wanted:
            raise TrainingDataError(
                entry.problem
                or f"The case {case_id} was added for a model with another input than {card.name}; "
                "add its volume again for this model."
            )
    if not records:
        raise TrainingDataError(f"There is no corrected case for {card.name}; add one first.")
    return records


def reviewed_values(records: Collection[CaseRecord], labels: Sequence[Label]) -> set[int]:
    """Return the values in labels of all structures that were reviewed in any of the cases."""
    names = {label.name.casefold() for record in records for label in record.labels if label.value in record.reviewed}
    return {label.value for label in labels if label.name.casefold() in names}
