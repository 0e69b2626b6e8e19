"""Durations and progress in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from LightMedSegLib.mrml.jobs.job_state import Progress

_WINDOW = re.compile(r"Segmenting, window (\d+) of (\d+)")


def duration_text(seconds: float) -> str:
    """Whole seconds, and minutes from one minute on."""
    whole = max(0, round(seconds))
    if whole < 60:
        return _("{seconds} s").format(seconds=whole)
    return _("{minutes} min {seconds} s").format(minutes=whole // 60, seconds=whole % 60)


def progress_text(progress: Progress) -> str:
    """The stage, the elapsed time, and the remaining time if it is known."""
    stage, elapsed = _stage_text(progress.message), duration_text(progress.elapsed)
    if progress.remaining is None:
        return _("{stage}. Elapsed: {elapsed}.").format(stage=stage, elapsed=elapsed)
    return _("{stage}. Elapsed: {elapsed}, about {remaining} left.").format(
        # Otherwise "about 0 s" would be shown until the end.
        stage=stage,
        elapsed=elapsed,
        remaining=duration_text(max(1.0, progress.remaining)),
    )


def _stage_text(message: str) -> str:
    """The stage in the user's language; the library reports stages in English."""
    window = _WINDOW.fullmatch(message)
    if window:
        return _("Segmenting, window {done} of {total}").format(done=window[1], total=window[2])
    known = {
        "Reading the volume": _("Reading the volume"),
        "Starting PyTorch": _("Starting PyTorch"),
        "Loading the model": _("Loading the model"),
        "Preparing the volume": _("Preparing the volume"),
        "Searching for the structures": _("Searching for the structures"),
        "Cleaning up": _("Cleaning up"),
        "Done": _("Done"),
    }
    return known.get(message, message)
