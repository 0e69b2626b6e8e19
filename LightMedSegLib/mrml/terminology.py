"""Coded terminology of segments, which DICOM export needs."""

from __future__ import annotations

from typing import Any

import slicer

from LightMedSegLib.labels import Terminology


def terminology_entry(terminology: Terminology, logic: Any = None) -> str:
    """The text that a segment's terminology tag holds.

    logic: Slicer's terminologies logic, if there is one. Where the codes are not in the default list but in
    another list that the user has loaded, that list is named, so that Slicer's selector opens at the right place.
    Codes in no list are valid all the same: the entry carries their meanings, and DICOM export takes them from it.
    """
    text = terminology.to_slicer()
    if logic is None:
        return text
    entry = slicer.vtkSlicerTerminologyEntry()
    logic.DeserializeTerminologyEntry(text, entry)
    logic.UpdateEntryFromLoadedTerminologies(entry, [], [])
    return terminology.to_slicer(entry.GetTerminologyContextName() or "", entry.GetRegionContextName() or "")


def scene_terminologies_logic() -> Any:
    """The running application's terminologies logic; None where there is none."""
    modules = getattr(slicer, "modules", None)
    module = getattr(modules, "terminologies", None)
    return module.logic() if module is not None else None
