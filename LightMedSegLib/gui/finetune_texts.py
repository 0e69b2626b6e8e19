"""What the panel says about cases, a running job, its verdict, and versions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from LightMedSegLib.gui.times import duration_text

if TYPE_CHECKING:
    from LightMedSegLib.finetuning.case_record import TestThenTrain
    from LightMedSegLib.finetuning.job_progress import JobProgress
    from LightMedSegLib.finetuning.versions import TunedVersion


_NOTHING = "-"


def number_text(value: float | None) -> str:
    """A Dice value, a dash where there is none."""
    return _NOTHING if value is None or math.isnan(value) else f"{value:.3f}"


def change_text(before: float | None, after: float | None) -> str:
    """The difference with its sign."""
    return _NOTHING if before is None or after is None else f"{after - before:+.3f}"


def size_text(size: int) -> str:
    """Bytes for people."""
    return _("{size:.1f} MB").format(size=size / 1e6)


def dice_text(trial: TestThenTrain | None) -> str:
    """How good the untouched prediction was."""
    if trial is None or math.isnan(trial.mean):
        return _("No structure was in both the prediction and the correction.")
    return _("Dice of the prediction with your correction: {dice}.").format(dice=number_text(trial.mean))


def progress_text(progress: JobProgress) -> str:
    """What a job does, for how long, and how long it will take."""
    elapsed = duration_text(progress.elapsed)
    stage = _stage_text(progress)
    if progress.remaining is None or progress.phase != "training":
        return _("{stage}. Elapsed: {elapsed}.").format(stage=stage, elapsed=elapsed)
    return _("{stage}. Elapsed: {elapsed}, about {remaining} left.").format(
        stage=stage, elapsed=elapsed, remaining=duration_text(progress.remaining)
    )


def _stage_text(progress: JobProgress) -> str:
    if progress.phase == "starting":
        return _("Starting")
    if progress.phase == "comparing":
        return _("Comparing the present version with your corrections")
    if progress.phase != "training":
        return _("Testing the new version")
    if progress.part >= progress.parts:
        return _("Training on everything, step {step} of {steps}").format(step=progress.step, steps=progress.steps)
    return _("Test {part} of {parts}: training without a part of your corrections, step {step} of {steps}").format(
        part=max(1, progress.part), parts=progress.parts - 1, step=progress.step, steps=progress.steps
    )


def verdict_text(result: Mapping[str, Any]) -> str:
    """The verdict in words, with its reasons."""
    version = str(result["candidate"] or "").partition("@")[2]
    if not version:
        first = _("Nothing was trained, because something looks wrong:")
    elif result["adopted"]:
        first = _("Better: version {version} passed the tests and is in use now.").format(version=version)
    elif result["accepted"]:
        first = _("Better: version {version} passed the tests. Adopt it?").format(version=version)
    else:
        first = _("Not better: version {version} did not pass the tests and is not used.").format(version=version)
    return "\n".join([first, *result["reasons"], *result["notes"]])


def verdict_rows(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Where it was tested, structure, Dice before and after, change; the means first."""
    tables = (("held_out", _("Your corrections")), ("reference", _("Earlier knowledge")))
    for key, where in tables:
        table = result[key]
        if not table["labels"]:
            continue
        rows = {_("All structures"): table, **table["labels"]}
        for name, row in rows.items():
            before, after = row["before"], row["after"]
            yield where, name, number_text(before), number_text(after), change_text(before, after)


def origin_text(version: TunedVersion) -> str:
    """Where a version comes from."""
    if version.shipped:
        return _("Came with the program")
    if version.accepted is None:
        return _("Imported, {date}").format(date=version.card.created)
    return _("{cases} case(s), {date}").format(cases=version.card.training["cases"]["train"], date=version.card.created)


def tests_text(version: TunedVersion) -> str:
    """What the tests said."""
    if version.accepted is None:
        return _NOTHING
    return _("passed") if version.accepted else _("not passed")


def gain_text(report: Mapping[str, Any] | None) -> str:
    """Dice before and after where it was held out."""
    if report is None:
        return _NOTHING
    table = report["held_out"]
    return f"{number_text(table['before'])} → {number_text(table['after'])}"
