"""What the program remembers of its user across scenes: where to run, with how many threads, and who adopts."""

from __future__ import annotations

import qt
import slicer

_DEVICE, _THREADS, _ADOPTION = "LightMedSeg/Device", "LightMedSeg/Threads", "LightMedSeg/AdoptAtOnce"

DEVICES = ("auto", "cpu", "cuda", "mps")


def device() -> str:
    """One of DEVICES."""
    stored = str(slicer.util.settingsValue(_DEVICE, "auto"))
    return stored if stored in DEVICES else "auto"


def set_device(name: str) -> None:
    """Remember one of DEVICES."""
    qt.QSettings().setValue(_DEVICE, name)


def threads() -> int:
    """Processor threads, 0 for the program's own choice."""
    try:
        return max(0, slicer.util.settingsValue(_THREADS, 0, converter=int))
    except (TypeError, ValueError):
        # Settings are a text file that people edit.
        return 0


def set_threads(count: int) -> None:
    """Remember the number of threads, 0 for the program's own choice."""
    qt.QSettings().setValue(_THREADS, int(count))


def adopts_at_once() -> bool:
    """Whether a fine-tuned version that passes its tests is used without a click."""
    return bool(slicer.util.settingsValue(_ADOPTION, False, converter=slicer.util.toBool))


def set_adopts_at_once(wanted: bool) -> None:
    """Remember that choice."""
    qt.QSettings().setValue(_ADOPTION, bool(wanted))
