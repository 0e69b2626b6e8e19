"""The section Time and strokes: what this result has taken so far, and the curves over the cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from slicer.i18n import tr as _

from LightMedSegLib.finetuning.cases.effort import Effort
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.gui import settings
from LightMedSegLib.gui.effort.counter import EffortCounter
from LightMedSegLib.gui.finetune.texts import cases_text
from LightMedSegLib.gui.panel import Panel, WithCases
from LightMedSegLib.gui.widgets.plots import Plots
from LightMedSegLib.gui.widgets.times import duration_text
from LightMedSegLib.mrml.progress_plot import Curve

_HEIGHT = 110
_BLUE, _ORANGE, _GREEN = (0.12, 0.47, 0.71), (0.90, 0.45, 0.0), (0.17, 0.63, 0.17)


class _Panel(Panel, WithCases, Protocol):
    """The panel with the sections that this one asks."""


class EffortSection:
    """Owns the counter, and draws the Dice of the untouched predictions, strokes and minutes of the cases."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self.counter = EffortCounter(lambda: panel.state.in_use)
        titles = [_("Dice of the untouched prediction"), _("Strokes"), _("Minutes")]
        names = ["LightMedSegEffortDice", "LightMedSegEffortStrokes", "LightMedSegEffortMinutes"]
        self.plots = Plots(panel.ui.effortPlotFrame, dict(zip(names, titles, strict=True)), _("Case"), _HEIGHT)
        self._drawn: list[CaseRecord] = []
        ui = panel.ui
        ui.countEffortCheckBox.checked = settings.counts_effort()
        ui.countEffortCheckBox.connect("toggled(bool)", self.switch)
        ui.effortSectionButton.connect("contentsCollapsed(bool)", lambda collapsed: self.show())

    def switch(self, wanted: bool) -> None:
        """Count from now on, or no longer."""
        settings.set_counts_effort(wanted)
        if self._panel.state.in_use:
            self.show()

    def effort(self, node: Any) -> Effort | None:
        """What the correction of a segmentation node has taken; None where it is not counted."""
        self.counter.follow(node)
        return self.counter.effort()

    def restart(self, node: Any) -> None:
        """A new result was written into a segmentation node: nothing was corrected in it yet."""
        self.counter.restart(node)

    def show(self) -> None:
        """Update the section, and follow the chosen segmentation."""
        if not self._panel.state.in_use:
            return
        ui = self._panel.ui
        effort = self.effort(self._panel.state.current.outputSegmentation)
        records = [entry.record for entry in self._panel.cases.usable if entry.record and entry.record.effort]
        # The whole part: an empty one would leave a gap.
        ui.LightMedSegEffort.visible = effort is not None or bool(records)
        ui.effortLabel.text = "\n".join(_lines(effort, records))
        ui.effortPlotFrame.visible = len(records) > 1
        if len(records) > 1 and not ui.effortSectionButton.collapsed and records != self._drawn:
            self._drawn = records
            self.plots.draw(_charts(records), max(record.number for record in records), self._owner())

    def forget(self) -> None:
        """Release the nodes of the scene; called before the scene is closed."""
        self._drawn = []
        self.counter.forget()
        self.plots.scene_is_closing()

    def close(self) -> None:
        """Store what was counted and remove the plots; called before the panel is destroyed."""
        self.counter.close()
        self.plots.close()

    def _owner(self) -> Any:
        return self._panel.state.current.parameterNode


def _lines(effort: Effort | None, records: Sequence[CaseRecord]) -> list[str]:
    lines = []
    if effort is not None:
        lines.append(
            _("This result so far: {time}, strokes: {strokes}.").format(
                time=duration_text(effort.seconds), strokes=effort.strokes
            )
        )
    efforts = [record.effort for record in records if record.effort is not None]
    if efforts:
        seconds = sum(one.seconds for one in efforts) / len(efforts)
        strokes = sum(one.strokes for one in efforts) / len(efforts)
        lines.append(
            _("Mean of {cases}: {time}, strokes: {strokes}.").format(
                cases=cases_text(len(efforts)), time=duration_text(seconds), strokes=f"{strokes:.1f}"
            )
        )
    return lines


def _charts(records: Sequence[CaseRecord]) -> list[dict[str, Curve]]:
    dice, strokes, minutes = [], [], []
    for record in records:
        if record.effort is None:
            continue
        number = float(record.number)
        strokes.append((number, float(record.effort.strokes)))
        minutes.append((number, record.effort.seconds / 60))
        if record.baseline_dice is not None and not math.isnan(record.baseline_dice.mean):
            dice.append((number, record.baseline_dice.mean))
    curves = ((_("Dice"), dice, _BLUE), (_("Strokes"), strokes, _ORANGE), (_("Minutes"), minutes, _GREEN))
    return [{name: Curve(points, color, dots=True)} for name, points, color in curves]
