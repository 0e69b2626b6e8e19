"""The user's settings, the same for all scenes: device, threads, adoption of versions, counting of corrections."""

from __future__ import annotations

import qt
import slicer

_DEVICE, _THREADS, _ADOPTION = "LightMedSeg/Device", "LightMedSeg/Threads", "LightMedSeg/AdoptAtOnce"
_EFFORT = "LightMedSeg/CountEffort"

DEVICES = ("auto", "cpu", "cuda", "mps")


def device() -> str:
    """One of DEVICES."""
    stored = str(slicer.util.settingsValue(_DEVICE, "auto"))
    return stored if stored in DEVICES else "auto"


def set_device(name: str) -> None:
    """Store one of DEVICES."""
    qt.QSettings().setValue(_DEVICE, name)


def threads() -> int:
    """The number of processor threads; 0 lets the program choose."""
    try:
        return max(0, slicer.util.settingsValue(_THREADS, 0, converter=int))
    except (TypeError, ValueError):
        # The settings are a text file that users can edit.
        return 0


def set_threads(count: int) -> None:
    """Store the number of processor threads; 0 lets the program choose."""
    qt.QSettings().setValue(_THREADS, int(count))


def adopts_at_once() -> bool:
    """Whether a fine-tuned version that passes its tests is used without a click."""
    return bool(slicer.util.settingsValue(_ADOPTION, False, converter=slicer.util.toBool))


def set_adopts_at_once(wanted: bool) -> None:
    """Store whether such a version is used without a click."""
    qt.QSettings().setValue(_ADOPTION, bool(wanted))


def counts_effort() -> bool:
    """Whether time and strokes of corrections are counted."""
    return bool(slicer.util.settingsValue(_EFFORT, True, converter=slicer.util.toBool))


def set_counts_effort(wanted: bool) -> None:
    """Store whether time and strokes of corrections are counted."""
    qt.QSettings().setValue(_EFFORT, bool(wanted))
