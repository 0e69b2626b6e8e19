"""Putting the panel together from the .ui files of its sections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

_PARTS = {"Result": "resultButton", "FineTune": "finetuneSectionButton", "Advanced": "advancedButton"}
"""File name of a part, and the section that it fills."""


def load_panel(path_of: Callable[[str], str]) -> Any:
    """The panel's widget with all its sections, in the scene. path_of: where a file of the module's resources is."""
    panel = slicer.util.loadUI(path_of("UI/LightMedSeg.ui"))
    for name, section in _PARTS.items():
        part = slicer.util.loadUI(path_of(f"UI/{name}.ui"))
        slicer.util.findChild(panel, section).layout().addWidget(part)
        part.setMRMLScene(slicer.mrmlScene)
    panel.setMRMLScene(slicer.mrmlScene)
    return panel
