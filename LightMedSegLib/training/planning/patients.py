"""Which cases are of one patient, and how many patients are held out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.training.split import Split, draw_split

_BIDS = re.compile(r"(sub-[A-Za-z0-9]+)(?:_|$)")
_VISIT = re.compile(r"(.*\d.*?)(?:[_-](?:ses|session|visit|timepoint|time|tp|followup|fu|baseline|bl|t|v)[_-]?\d*)+")
"""A name with a number, and behind it a session or a point in time."""

_ENOUGH_FOR_A_TEST = 30
_TENTH, _FIFTH = 10, 5


def patient_of(name: str) -> str:
    """Return the part of a case's name that tells its patient.

    That is sub-XX of a BIDS name; a name without an ending such as _ses-2, _visit1 or _t2; else the whole name.
    """
    found = _BIDS.match(name) or _VISIT.fullmatch(name)
    return found[1] if found else name


def patients_of(cases: Iterable[Case]) -> dict[str, str]:
    """Return the patient of each case, by the column patient of a CSV file or by the name of the case."""
    return {case.name: case.patient or patient_of(case.name) for case in cases}


def split_by_patient(patients: Mapping[str, str], seed: int) -> Split:
    """Return a split of the cases by patient: a tenth each for validation and test, or of few a fifth for validation.

    patients: of each case. A single patient has no part but the training.
    """
    held_out, tested = len(set(patients.values())), 0
    if held_out >= _ENOUGH_FOR_A_TEST:
        tested = len(patients) // _TENTH
        validated = len(patients) // _TENTH
    else:
        validated = max(1, len(patients) // _FIFTH) if held_out > 1 else 0
    return draw_split(patients, validated, tested, seed, patients.__getitem__)


def split_for_validation(names: Sequence[str], seed: int) -> Split:
    """Return the split of a run that names none: a tenth of the cases for validation, at least one, by patient."""
    patients = {patient_of(name) for name in names}
    validated = max(1, len(names) // _TENTH) if len(patients) > 1 else 0
    return draw_split(names, validated, 0, seed, patient_of)
