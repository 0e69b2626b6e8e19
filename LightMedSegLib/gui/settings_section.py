"""The section Advanced: device and threads, which belong to the user and not to the scene, and the version."""

from __future__ import annotations

import sys
from typing import Protocol

from slicer.i18n import tr as _

from LightMedSegLib import __version__
from LightMedSegLib.core.user_folders import user_models_folder
from LightMedSegLib.gui import settings
from LightMedSegLib.gui.panel import Panel, WithModels


class _Panel(Panel, WithModels, Protocol):
    """The panel with the sections that this one asks."""


class SettingsSection:
    """Connects the widgets of the section Advanced."""

    def __init__(self, panel: _Panel) -> None:
        self._panel = panel
        self._ui = panel.ui
        self._devices = [name for name in settings.DEVICES if name != "mps" or sys.platform == "darwin"]
        labels = {
            "auto": _("Automatic"),
            "cpu": _("Processor (CPU)"),
            "cuda": _("NVIDIA card (CUDA)"),
            "mps": _("Apple graphics (MPS)"),
        }
        for name in self._devices:
            self._ui.deviceSelector.addItem(labels[name])
        chosen = settings.device()
        self._ui.deviceSelector.currentIndex = self._devices.index(chosen) if chosen in self._devices else 0
        self._ui.threadsSpinBox.value = settings.threads()
        self._ui.deviceSelector.connect("currentIndexChanged(int)", self._on_device)
        self._ui.threadsSpinBox.connect("valueChanged(int)", settings.set_threads)
        self._ui.aboutLabel.text = _("LightMedSeg {version}. Your own models are in {folder}.").format(
            version=__version__, folder=user_models_folder()
        )

    def show(self) -> None:
        """Disable the settings that have no effect for the chosen model."""
        card = self._panel.models.card
        self._ui.overlapSlider.enabled = self._panel.state.current.ownOverlap
        allowed = card is not None and card.input.preview_spacing is not None
        self._ui.previewCheckBox.enabled = allowed
        self._ui.previewCheckBox.toolTip = (
            _("For large scans: a quick coarse result first, which the full one replaces.")
            if allowed
            else _("The coarse results of this model are not accurate enough to be shown.")
        )

    def _on_device(self, index: int) -> None:
        settings.set_device(self._devices[index])
