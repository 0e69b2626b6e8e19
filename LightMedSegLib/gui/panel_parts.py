"""Assembles the panel: loads the .ui files of its sections and creates the objects that drive them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import slicer

from LightMedSegLib.gui.correct.autosave_line import AutosaveLine
from LightMedSegLib.gui.finetune.add_case_section import AddCaseSection
from LightMedSegLib.gui.finetune.cases_section import CasesSection
from LightMedSegLib.gui.finetune.run_section import FinetuneSection
from LightMedSegLib.gui.finetune.steps import FinetuneSteps
from LightMedSegLib.gui.finetune.verdict_section import VerdictSection
from LightMedSegLib.gui.finetune.versions_section import VersionsSection
from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.gui.segment.model_section import ModelSection
from LightMedSegLib.gui.segment.result_section import ResultSection
from LightMedSegLib.gui.segment.run_section import RunSection
from LightMedSegLib.gui.segment.suggestion import SuggestionButton
from LightMedSegLib.gui.settings_section import SettingsSection
from LightMedSegLib.gui.torch_section import TorchSection

_PARTS = ("Result", "Autosave", "FineTune", "Advanced")
"""Files of the sections, from top to bottom. Tab goes from widget to widget in the order in which they are added."""


def load_panel(path_of: Callable[[str], str]) -> Any:
    """The panel's widget with all its sections, connected to the scene. path_of: the path of a file in Resources."""
    panel = slicer.util.loadUI(path_of("UI/LightMedSeg.ui"))
    panel.setMRMLScene(slicer.mrmlScene)
    for name in _PARTS:
        part = slicer.util.loadUI(path_of(f"UI/{name}.ui"))
        panel.layout().addWidget(part)
        part.setMRMLScene(slicer.mrmlScene)
    panel.layout().addStretch(1)
    return panel


class WholePanel(Panel, Protocol):
    """The panel with all its sections: it fits what each of them asks for."""

    torch: TorchSection
    models: ModelSection
    suggestion: SuggestionButton
    result: ResultSection
    run: RunSection
    autosave: AutosaveLine
    steps: FinetuneSteps
    cases: CasesSection
    addCase: AddCaseSection
    versions: VersionsSection
    verdict: VerdictSection
    finetune: FinetuneSection
    settings: SettingsSection


def add_sections(panel: WholePanel) -> None:
    """Create the sections of the panel. A constructor may use only the sections that are created before it."""
    panel.torch = TorchSection(panel)
    panel.models = ModelSection(panel)
    panel.suggestion = SuggestionButton(panel)
    panel.result = ResultSection(panel)
    panel.run = RunSection(panel)
    panel.autosave = AutosaveLine(panel)
    panel.steps = FinetuneSteps(panel)
    panel.cases = CasesSection(panel)
    panel.addCase = AddCaseSection(panel)
    panel.versions = VersionsSection(panel)
    panel.verdict = VerdictSection(panel)
    panel.finetune = FinetuneSection(panel)
    panel.settings = SettingsSection(panel)
