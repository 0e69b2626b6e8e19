"""The frame that offers to install PyTorch."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import DependencyError
from LightMedSegLib.gui import torch_setup
from LightMedSegLib.gui.panel import Panel


class TorchSection:
    """Shows and drives the frame that offers to install PyTorch."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        panel.ui.installTorchButton.connect("clicked()", self.install)

    def show(self) -> None:
        """Show the frame while PyTorch is missing; hide it otherwise."""
        missing = not torch_setup.torch_installed()
        self._panel.ui.torchFrame.visible = missing
        if missing:
            self._panel.ui.torchLabel.text = torch_setup.missing_text()
            self._panel.ui.installTorchButton.text = torch_setup.button_text()

    def install(self) -> None:
        """Install what is missing; a dialog shows why if that fails."""
        ui = self._panel.ui
        ui.torchLabel.text = _("Installing. This may take some minutes, during which Slicer does not respond.")
        ui.installTorchButton.enabled = False
        slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)
        try:
            torch_setup.install()
        except DependencyError as error:
            slicer.util.errorDisplay(str(error), windowTitle=_("PyTorch was not installed"))
        finally:
            ui.installTorchButton.enabled = True
            self.show()
        self._panel.update()
