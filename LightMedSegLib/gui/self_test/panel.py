"""Opens and reloads the module as a user does, for the module's self test."""

from __future__ import annotations

from typing import Any

import slicer


def opened(test: Any) -> Any:
    """The panel after the module was selected; without a main window it is only created and entered."""
    panel = slicer.util.getModuleWidget("LightMedSeg")
    slicer.util.selectModule("LightMedSeg") if slicer.util.mainWindow() else panel.enter()
    test.assertIsNotNone(panel.parameters)
    test.assertNotEqual(panel.ui.segmentButton.text, "")
    return panel


def reloaded(test: Any, panel: Any) -> Any:
    """The new panel after a reload of the module; the old one has released the scene."""
    slicer.util.reloadScriptedModule("LightMedSeg")
    fresh = opened(test)
    test.assertIsNot(fresh, panel)
    test.assertIsNone(panel.parameters)
    return fresh
