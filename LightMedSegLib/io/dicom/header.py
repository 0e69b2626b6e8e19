"""Values of a DICOM header, which may be damaged anywhere."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import DependencyError


def pydicom_package() -> Any:
    """The package pydicom; raises DependencyError."""
    try:
        import pydicom
    except ImportError as error:
        raise DependencyError("A DICOM series needs the Python package pydicom; pip install pydicom.") from error
    return pydicom


def header_of(file: str | Path, keywords: Sequence[str]) -> Any:
    """Return an object with these tags of a DICOM file, None if its header cannot be read."""
    pydicom = pydicom_package()
    try:
        # Its warnings would show values of the header.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(os.fspath(file), stop_before_pixels=True, specific_tags=list(keywords))
    except Exception:  # A damaged header makes pydicom raise almost anything; reading the series gives the reason.
        return None


def text_of(header: Any, keyword: str) -> str:
    """Return the value of a tag as text, "" if there is none or it is damaged."""
    value = value_of(header, keyword)
    return "" if value is None else str(value).strip()


def value_of(header: Any, keyword: str) -> Any:
    """Return the value of a tag, None if there is none or it is damaged."""
    try:
        return None if header is None else header.get(keyword)
    except Exception:  # pydicom converts a value, which may be damaged, only when it is asked for.
        return None


def frame_count(header: Any) -> int:
    """Return how many frames an object has, 0 if its header is damaged."""
    text = text_of(header, "NumberOfFrames") or "1"
    return int(text) if text.isdecimal() else 0
