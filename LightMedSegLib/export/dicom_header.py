"""The header of a DICOM series, as the DICOM object that refers to the series may copy it.

Archives hold values that the standard does not allow: dates with hyphens, words where a letter belongs, unknown
character sets. What is meant is put into the standard's form where that is certain, and left empty otherwise. No value
of an attribute ever gets into a message: it may tell who the patient is.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_REQUIRED = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
)  # fmt: skip
"""Without these no object can refer to a slice or lie in its space; converters to DICOM sometimes forget them."""

_REQUIRED_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""What the standard wants to be present although it may be empty; series from research often lack some."""

_STUDY = {
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
    "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "AdmittingDiagnosesDescription", "AdmissionID",
    "ConsultingPhysicianName", "ServiceEpisodeID", "ServiceEpisodeDescription", "ReasonForVisit",
}  # fmt: skip
_PATIENT_GROUPS = (0x0010, 0x0012)
_SEXES = {"M", "F", "O", ""}
_SEX_WORDS = {"MALE": "M", "FEMALE": "F", "OTHER": "O"}
_UNICODE = "ISO_IR 192"
_LONGEST_NAME = 64
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
"""Stands where bytes are no text in the declared character set."""


def missing_attribute(one: Any) -> str:
    """Why no object can refer to the slice one, "" if one can: the attribute that it lacks or has wrong."""
    from pydicom.uid import UID

    for name in _REQUIRED:
        value = str(one.get(name) or "")
        if not value:
            return f"a slice has no {name}"
        if name.endswith("UID") and not UID(value).is_valid:
            return f"a slice has a {name} that DICOM does not allow"
    return ""


def tidy(one: Any) -> str:
    """Bring what is copied of the slice one, a pydicom data set, into the standard's form.

    Returns a sentence for the user that names the attributes that were changed; "" if none was.
    """
    with discreet():
        corrected, emptied = _tidied(one)
    parts = []
    if corrected:
        parts.append(f"{' and '.join(corrected)} written in the form that DICOM asks for")
    if emptied:
        parts.append(f"{' and '.join(emptied)} left empty, because DICOM does not allow what the series has")
    return f"The DICOM segmentation has {', and '.join(parts)}." if parts else ""


@contextmanager
def discreet() -> Iterator[None]:
    """In the block neither warnings nor log lines of the DICOM packages are shown: they hold patients' names."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _tidied(one: Any) -> tuple[list[str], list[str]]:
    corrected, emptied = [], []
    if not _known_character_set(one):
        corrected.append("SpecificCharacterSet")
    for tag in [tag for tag in one.keys() if _is_copied(tag)]:  # noqa: SIM118 - values may not be readable
        name = _keyword(tag)
        element = _readable(one, tag)
        if element is not None and _is_allowed(element):
            if element.VR == "PN":
                # As text, so that it is written in the character set of the new object.
                element.value = [str(name) for name in element.value] if element.VM > 1 else str(element.value)
            continue
        wanted = "" if element is None else _in_form(element)
        if wanted:
            element.value = wanted
            corrected.append(name)
        else:
            del one[tag]
            emptied.append(name)
    for name in _REQUIRED_EMPTY:
        if name not in one:
            setattr(one, name, "")
    one.SpecificCharacterSet = _UNICODE
    return corrected, emptied


def _known_character_set(one: Any) -> bool:
    from pydicom.charset import python_encoding

    declared = one.get("SpecificCharacterSet") or ""
    names = [declared] if isinstance(declared, str) else declared
    return all(name in python_encoding for name in names)


def _is_copied(tag: Any) -> bool:
    return tag.group in _PATIENT_GROUPS or _keyword(tag) in _STUDY


def _keyword(tag: Any) -> str:
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) or "an attribute"


def _readable(one: Any, tag: Any) -> Any:
    """The element, None where its bytes are no value at all."""
    try:
        return one[tag]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None


def _is_allowed(element: Any) -> bool:
    """Whether the standard allows the value."""
    from pydicom.datadict import dictionary_VM

    if element.VR == "SQ" or element.is_empty:
        return True
    several = element.VM > 1
    try:
        if several and dictionary_VM(element.tag) == "1":
            return False
        return all(_is_value(element, value) for value in (element.value if several else [element.value]))
    except (LookupError, TypeError, ValueError):
        return False


def _is_value(element: Any, value: Any) -> bool:
    """As _is_allowed for one of several values; raises ValueError for some that the standard does not allow."""
    from pydicom import config
    from pydicom.valuerep import DA, TM, validate_value

    text = str(value)
    if element.keyword == "PatientSex" and text not in _SEXES:
        return False
    if element.VR == "PN" and max(map(len, text.split("="))) > _LONGEST_NAME:
        return False
    validate_value(element.VR, text if isinstance(value, str) or element.VR in ("DS", "IS") else value, config.RAISE)
    if element.VR in ("DA", "TM"):
        {"DA": DA, "TM": TM}[element.VR](text)
    return _UNREADABLE not in text


def _in_form(element: Any) -> str:
    """The value in the form of the standard where it is certain what is meant; else an empty text."""
    from pydicom.valuerep import DA, TM

    text = "" if element.VM > 1 else str(element.value).strip()
    if element.VR == "DA":
        date = re.match(r"(\d{4})[-./](\d{2})[-./](\d{2})(?!\d)", text)
        return _valid(DA, "".join(date.groups())) if date else ""
    if element.VR == "TM":
        time = re.match(r"(\d{2}):(\d{2})(?::(\d{2}))?(?!\d)", text)
        return _valid(TM, "".join(filter(None, time.groups()))) if time else ""
    if element.keyword == "PatientSex":
        word = text.upper()
        return _SEX_WORDS.get(word, word if word in _SEXES else "")
    return ""


def _valid(kind: Any, text: str) -> str:
    try:
        kind(text)
    except ValueError:
        return ""
    return text
