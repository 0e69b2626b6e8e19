"""Assembles the panel: loads the .ui files of its sections and creates the objects that drive them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import slicer

from LightMedSegLib.gui.correct.autosave_line import AutosaveLine
from LightMedSegLib.gui.correct.section import CorrectSection
from LightMedSegLib.gui.doubt.section import DoubtSection
from LightMedSegLib.gui.effort.section import EffortSection
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
from LightMedSegLib.gui.widgets.shortcuts import Shortcuts

_PARTS = ("Result", "Doubt", "Autosave", "Correct", "FineTune", "Effort", "Advanced")
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
    doubt: DoubtSection
    autosave: AutosaveLine
    correct: CorrectSection
    steps: FinetuneSteps
    cases: CasesSection
    effort: EffortSection
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
    panel.doubt = DoubtSection(panel)
    panel.autosave = AutosaveLine(panel)
    panel.correct = CorrectSection(panel)
    panel.steps = FinetuneSteps(panel)
    panel.cases = CasesSection(panel)
    panel.effort = EffortSection(panel)
    panel.addCase = AddCaseSection(panel)
    panel.versions = VersionsSection(panel)
    panel.verdict = VerdictSection(panel)
    panel.finetune = FinetuneSection(panel)
    panel.settings = SettingsSection(panel)


def show_segmentation(panel: WholePanel) -> None:
    """Update the sections of a run and of its result, of which each may depend on those before."""
    panel.torch.show()
    panel.models.show()
    panel.suggestion.show()
    panel.result.show()
    panel.settings.show()
    panel.run.show()
    panel.doubt.show()
    panel.autosave.show()
    panel.correct.show()


def add_shortcuts(panel: WholePanel) -> Shortcuts:
    """The panel's keys; Esc discards a structure that is being made, else it cancels a run."""
    shortcuts = Shortcuts(
        panel.parent,
        start=lambda: panel.run.start(),
        cancel=lambda: None if panel.correct.discard() else panel.run.cancel(),
        accept=panel.correct.accept,
        places=(panel.doubt.next, panel.doubt.previous, panel.doubt.toggle_looked),
    )
    panel.logic.runner.on_busy = shortcuts.set_running
    panel.correct.on_deciding = shortcuts.set_deciding
    panel.doubt.on_places = shortcuts.set_places
    return shortcuts


def show_fine_tuning(panel: WholePanel) -> None:
    """Update the sections of fine-tuning, of which each may depend on those before."""
    panel.cases.show()
    panel.effort.show()
    panel.addCase.show()
    panel.finetune.show()
    panel.versions.show()
    panel.verdict.show()


def forget_scene(panel: WholePanel) -> None:
    """Release the nodes of the scene; called before the scene is closed."""
    panel.run.forget()
    panel.correct.forget()
    panel.doubt.forget()
    panel.effort.forget()
    panel.result.forget()
    panel.finetune.curves.scene_is_closing()


def close_sections(panel: WholePanel) -> None:
    """End what the sections do; called before the panel is destroyed."""
    panel.correct.close()
    panel.finetune.close()
    panel.autosave.close()
    panel.doubt.close()
    panel.effort.close()
    panel.steps.close()
    panel.result.close()
