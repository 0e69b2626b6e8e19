"""The texts about cases, a running job, its verdict, and versions."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from LightMedSegLib.gui.widgets.times import duration_text
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.storage.atomic_files import why_not_written

if TYPE_CHECKING:
    from LightMedSegLib.finetuning.cases.record import BaselineDice
    from LightMedSegLib.finetuning.job.progress import JobProgress
    from LightMedSegLib.finetuning.versions import TunedVersion


_NOTHING = "-"


def number_text(value: float | None) -> str:
    """A Dice value with three decimals; a dash for None or NaN."""
    return _NOTHING if value is None or math.isnan(value) else f"{value:.3f}"


def cases_text(count: int) -> str:
    """The number of cases with its noun."""
    return _("1 case") if count == 1 else _("{count} cases").format(count=count)


def size_text(size: int) -> str:
    """A size in bytes, as megabytes."""
    return _("{size:.1f} MB").format(size=size / 1e6)


def dice_text(trial: BaselineDice | None) -> str:
    """The Dice of the untouched prediction with the correction; "" where no model made one."""
    if trial is None:
        return ""
    if math.isnan(trial.mean):
        return _("No structure was in both the prediction and the correction.")
    return _("Dice of the prediction with your correction: {dice}.").format(dice=number_text(trial.mean))


def not_started_text(error: OSError, folder: Path) -> str:
    """Why the system did not start the process of the job in folder: the item, and what to do."""
    item = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes, os.PathLike)) else None
    if item is None:
        return _("The fine-tuning cannot start ({reason}); close other programs and try again.").format(
            reason=error.strerror or error
        )
    if folder in item.parents:
        return _("The fine-tuning cannot start, because {file} cannot be written: {reason}.").format(
            file=item, reason=why_not_written(error, item)
        )
    return _("The fine-tuning cannot start, because {file} cannot be run ({reason}); install Slicer again.").format(
        file=item, reason=error.strerror or error
    )


def progress_text(progress: JobProgress) -> str:
    """The stage of a job, the elapsed time, and during training the remaining time."""
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
        return _("Comparing the current version with your corrections")
    if progress.phase != "training":
        return _("Testing the new version")
    if progress.part >= progress.parts:
        return _("Training on all cases, step {step} of {steps}").format(step=progress.step, steps=progress.steps)
    return _("Test {part} of {parts}: training without a part of your corrections, step {step} of {steps}").format(
        part=max(1, progress.part), parts=progress.parts - 1, step=progress.step, steps=progress.steps
    )


def verdict_title(result: Mapping[str, Any]) -> str:
    """The verdict in a sentence."""
    version = str(result["candidate"] or "").partition("@")[2]
    if not version:
        return _("Nothing was trained, because something looks wrong:")
    if result["held_out"]["before"] is None:
        return _first_title(result, version)
    if result["adopted"]:
        return _("Better: version {version} passed the tests and is in use now.").format(version=version)
    if result["accepted"]:
        return _("Better: version {version} passed the tests. Adopt it?").format(version=version)
    return _("Not better: version {version} did not pass the tests and is not used.").format(version=version)


def _first_title(result: Mapping[str, Any], version: str) -> str:
    """The verdict on a version that nothing could be compared with."""
    if result["adopted"]:
        return _("Version {version} passed the tests and is in use now.").format(version=version)
    if result["accepted"]:
        return _("Version {version} passed the tests. Adopt it?").format(version=version)
    return _("Version {version} did not pass the tests and is not used.").format(version=version)


def verdict_text(result: Mapping[str, Any]) -> str:
    """Why a version was accepted or not, and what to do next if it was not."""
    lines = [*result["reasons"], *result["notes"]]
    # A job of an earlier version of the program has no advice.
    steps = [*result.get("next_steps", ())]
    if result["candidate"] and not result["accepted"]:
        steps.append(
            _(
                "Or keep the new version aside: the current one stays in use. If you find the new one better, you can "
                "still use it from the list of versions."
            )
        )
    if steps:
        lines += ["", _("What to do next:"), *(f"• {step}" for step in steps)]
    return "\n".join(lines)


def verdict_sections(result: Mapping[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """The rows of each test: structure, Dice before and after, change; the mean first."""
    sections = {}
    for key, title in (
        ("held_out", _("Your corrections, held out from the training")),
        ("reference", _("What the model knew before")),
    ):
        table = result[key]
        rows = {_("Mean"): table, **table["labels"]} if table["labels"] else {}
        lines = [_verdict_row(name, row["before"], row["after"]) for name, row in rows.items()]
        if lines:
            sections[title] = lines
    return sections


def _verdict_row(name: str, before: float | None, after: float | None) -> tuple[str, ...]:
    if before is None or after is None:
        return (name, number_text(before), number_text(after), _NOTHING)
    # Adding zero turns -0.0 into 0.0: nothing was lost.
    return (name, number_text(before), number_text(after), f"{round(after - before, 3) + 0.0:+.3f}")


def origin_text(version: TunedVersion) -> str:
    """The origin of a version: shipped, imported, or the number of cases; with the date."""
    if version.shipped:
        return _("Came with the program")
    if is_draft(version.card):
        return _("Not trained yet")
    if version.accepted is None:
        return _("Imported, {date}").format(date=version.card.created)
    cases = cases_text(version.card.training["cases"]["train"])
    return _("{cases}, {date}").format(cases=cases, date=version.card.created)


def tests_text(version: TunedVersion) -> str:
    """Whether the version passed the tests; a dash for an untested one."""
    if version.accepted is None:
        return _NOTHING
    return _("passed") if version.accepted else _("not passed")


def gain_text(report: Mapping[str, Any] | None) -> str:
    """Dice on held-out corrections before and after; a dash without a report."""
    if report is None:
        return _NOTHING
    table = report["held_out"]
    return f"{number_text(table['before'])} → {number_text(table['after'])}"
