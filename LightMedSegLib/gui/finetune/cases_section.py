"""Step 2 of fine-tuning: the list of cases, each with the Dice of the untouched prediction."""

from __future__ import annotations

from typing import Protocol

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.finetuning.cases.store import CaseEntry
from LightMedSegLib.gui.finetune.texts import cases_text, number_text, size_text
from LightMedSegLib.gui.panel import Panel, WithModels
from LightMedSegLib.gui.widgets.tables import fill_table, set_up_table
from LightMedSegLib.model.card import ModelCard


class _Panel(Panel, WithModels, Protocol):
    """The panel with the sections that this one asks."""


class CasesSection:
    """Lists the cases of the chosen model."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self._entries: list[CaseEntry] = []
        self._shown: list[CaseEntry] = []
        set_up_table(panel.ui.casesTable, 1)
        panel.ui.casesTable.connect("itemSelectionChanged()", self._show_button)
        panel.ui.deleteCaseButton.connect("clicked()", self.delete)
        self.reload()

    def identifiers_for(self, card: ModelCard | None) -> set[str]:
        """The identifiers of the cases that a model can be trained on."""
        return {entry.case_id for entry in self._entries if card and entry.record and entry.record.fits(card)}

    @property
    def usable(self) -> list[CaseEntry]:
        """The cases that the chosen model can be trained on."""
        known = self.identifiers_for(self._panel.models.card)
        return [entry for entry in self._entries if entry.case_id in known]

    def reload(self) -> None:
        """Read the store again."""
        self._entries = self._panel.logic.cases.list()

    def show(self) -> None:
        """Show the cases of the chosen model, and damaged ones, which can only be deleted."""
        ui = self._panel.ui
        shown = [entry for entry in self._entries if entry in self.usable or entry.record is None]
        if shown != self._shown or ui.casesTable.rowCount != len(shown):
            self._shown = shown
            fill_table(ui.casesTable, [_row(entry) for entry in shown], [_details(entry) for entry in shown])
        ui.casesTable.visible = ui.deleteCaseButton.visible = bool(shown)
        ui.casesLabel.text = self._summary()
        self._show_button()

    def delete(self) -> None:
        """Delete the selected case after a confirmation."""
        row = self._panel.ui.casesTable.currentRow()
        if not 0 <= row < len(self._shown):
            return
        entry = self._shown[row]
        name = _("case {number}").format(number=entry.record.number) if entry.record else _("the damaged case")
        if not slicer.util.confirmOkCancelDisplay(
            _("Delete {case} from the disk? This cannot be undone.").format(case=name), _("Delete the case")
        ):
            return
        try:
            self._panel.logic.cases.remove(entry.case_id)
        except LightMedSegError as error:
            slicer.util.errorDisplay(str(error))
        self.reload()
        self._panel.update()

    def _show_button(self) -> None:
        self._panel.ui.deleteCaseButton.enabled = 0 <= self._panel.ui.casesTable.currentRow() < len(self._shown)

    def _summary(self) -> str:
        if not self._entries:
            return _("There is no case yet.")
        size = size_text(sum(entry.size for entry in self._entries))
        others = len(self._entries) - len(self._shown)
        if others:
            return _("{cases} for this model, {others} for others; together {size} on the disk.").format(
                cases=cases_text(len(self.usable)), others=others, size=size
            )
        return _("{cases}, {size} on the disk.").format(cases=cases_text(len(self._shown)), size=size)


def _row(entry: CaseEntry) -> tuple[str, ...]:
    record = entry.record
    if record is None:
        return (_("damaged"), "", "", size_text(entry.size))
    number = str(record.number) if record.revision == 1 else f"{record.number} ({record.revision})"
    trial = record.baseline_dice
    return (number, record.added, number_text(trial.mean if trial is not None else None), size_text(entry.size))


def _details(entry: CaseEntry) -> str:
    if entry.record is None:
        return entry.problem or ""
    trial = entry.record.baseline_dice
    scores = trial.dice if trial is not None else {}
    lines = [_("{structure}: {dice}").format(structure=name, dice=number_text(dice)) for name, dice in scores.items()]
    return "\n".join([_("Dice of the untouched prediction with your correction:"), *lines])
