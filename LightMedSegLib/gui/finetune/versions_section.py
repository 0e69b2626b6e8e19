"""The list of versions of the chosen model, with buttons to use, roll back and delete."""

from __future__ import annotations

from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.finetuning.versions import TunedVersion, adopt, gate_report, list_versions, roll_back
from LightMedSegLib.gui.finetune.texts import gain_text, origin_text, tests_text
from LightMedSegLib.gui.panel import Panel, WithModels, WithVerdict
from LightMedSegLib.gui.widgets.tables import fill_table, set_up_table


class _Panel(Panel, WithModels, WithVerdict, Protocol):
    """The panel with the sections that this one asks."""


class VersionsSection:
    """Lists the versions of the chosen model and drives the buttons below the list."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self._name = ""
        self._versions: list[TunedVersion] = []
        ui = panel.ui
        set_up_table(ui.versionsTable, 1)
        ui.versionsTable.connect("itemSelectionChanged()", self._show_buttons)
        ui.useVersionButton.connect("clicked()", self.use)
        ui.rollBackButton.connect("clicked()", self.roll_back)
        ui.deleteVersionButton.connect("clicked()", self.delete)

    def reload(self) -> None:
        """Make the next show() read the store again."""
        self._name = ""

    def show(self) -> None:
        """Show the versions of the chosen model, newest first."""
        ui, card = self._panel.ui, self._panel.models.card
        name = card.name if card is not None else ""
        if name != self._name:
            self._name = name
            self._versions = list(reversed(list_versions(self._panel.logic.store, name))) if name else []
            fill_table(ui.versionsTable, [_row(version) for version in self._versions], self._tool_tips())
        in_use = self._in_use()
        ui.versionsGroup.visible = len(self._versions) > 1
        ui.versionsLabel.text = (
            _("In use: version {version} of {model}.").format(version=in_use.card.version, model=in_use.card.title)
            if in_use is not None
            else ""
        )
        self._show_buttons()

    def use(self) -> None:
        """Use the selected version; one that did not pass the tests only after a confirmation."""
        version = self._selected()
        if version is None:
            return
        if version.accepted is False and not slicer.util.confirmYesNoDisplay(
            _("Version {version} did not pass the tests. {reasons}\n\nUse it anyway?").format(
                version=version.card.version, reasons=" ".join(version.reasons)
            ),
            _("Use a version that did not pass"),
        ):
            return
        self._change(lambda: adopt(self._panel.logic.store, version.card.identifier, against_the_gate=True))

    def roll_back(self) -> None:
        """Go back to the parent of the version in use."""
        self._change(lambda: roll_back(self._panel.logic.store, self._name))

    def delete(self) -> None:
        """Delete the selected version after a confirmation."""
        version = self._selected()
        if version is None or version.active or version.shipped:
            return
        if not slicer.util.confirmOkCancelDisplay(
            _("Delete version {version} from the disk? This cannot be undone.").format(version=version.card.version),
            _("Delete the version"),
        ):
            return
        try:
            self._panel.logic.store.remove(version.card.identifier)
            self._panel.verdict.forget_version(version.card)
        except LightMedSegError as error:
            slicer.util.errorDisplay(str(error))
        in_use = self._in_use()
        if self._panel.state.current.model == version.card.identifier and in_use is not None:
            self._panel.state.current.model = in_use.card.identifier
        self._reload_all()

    def _change(self, change: Any) -> None:
        try:
            model = change()
        except LightMedSegError as error:
            slicer.util.errorDisplay(str(error))
            return
        self._panel.state.current.model = model.card.identifier
        self._reload_all()

    def _reload_all(self) -> None:
        self._panel.models.reload()
        self.reload()
        self._panel.update()

    def _selected(self) -> TunedVersion | None:
        row = self._panel.ui.versionsTable.currentRow()
        return self._versions[row] if 0 <= row < len(self._versions) else None

    def _in_use(self) -> TunedVersion | None:
        return next((version for version in self._versions if version.active), None)

    def _show_buttons(self) -> None:
        ui, selected, in_use = self._panel.ui, self._selected(), self._in_use()
        ui.useVersionButton.enabled = selected is not None and not selected.active
        ui.deleteVersionButton.enabled = selected is not None and not selected.active and not selected.shipped
        ui.rollBackButton.enabled = in_use is not None and in_use.card.parent is not None

    def _tool_tips(self) -> list[str]:
        return [" ".join(version.reasons) or version.card.description for version in self._versions]


def _row(version: TunedVersion) -> tuple[str, ...]:
    return (
        version.card.version,
        origin_text(version),
        gain_text(gate_report(version.card)),
        _("in use") if version.active else tests_text(version),
    )
