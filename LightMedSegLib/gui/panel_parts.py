"""Putting the panel together from the .ui files of its sections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

_PARTS = ("Result", "FineTune", "Advanced")
"""Files of the sections, from top to bottom. Tab goes from widget to widget in the order in which they are added."""


def load_panel(path_of: Callable[[str], str]) -> Any:
    """The panel's widget with all its sections, in the scene. path_of: where a file of the module's resources is."""
    panel = slicer.util.loadUI(path_of("UI/LightMedSeg.ui"))
    panel.setMRMLScene(slicer.mrmlScene)
    for name in _PARTS:
        part = slicer.util.loadUI(path_of(f"UI/{name}.ui"))
        panel.layout().addWidget(part)
        part.setMRMLScene(slicer.mrmlScene)
    panel.layout().addStretch(1)
    return panel
