"""Putting the panel together: the .ui files of its sections, and the objects that drive them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from LightMedSegLib.gui.add_case_section import AddCaseSection
from LightMedSegLib.gui.cases_section import CasesSection
from LightMedSegLib.gui.finetune_section import FinetuneSection
from LightMedSegLib.gui.finetune_steps import FinetuneSteps
from LightMedSegLib.gui.model_section import ModelSection
from LightMedSegLib.gui.result_section import ResultSection
from LightMedSegLib.gui.run_section import RunSection
from LightMedSegLib.gui.settings_section import SettingsSection
from LightMedSegLib.gui.suggestion import SuggestionButton
from LightMedSegLib.gui.torch_section import TorchSection
from LightMedSegLib.gui.verdict_section import VerdictSection
from LightMedSegLib.gui.versions_section import VersionsSection

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


def add_sections(panel: Any) -> None:
    """Give the panel its sections, which may use those before them. panel has ui, logic, parameters and update()."""
    panel.torch = TorchSection(panel)
    panel.models = ModelSection(panel)
    panel.suggestion = SuggestionButton(panel)
    panel.result = ResultSection(panel)
    panel.run = RunSection(panel)
    panel.steps = FinetuneSteps(panel)
    panel.cases = CasesSection(panel)
    panel.addCase = AddCaseSection(panel)
    panel.versions = VersionsSection(panel)
    panel.verdict = VerdictSection(panel)
    panel.finetune = FinetuneSection(panel)
    panel.settings = SettingsSection(panel)
