"""What a section may ask of the panel and of the other sections.

A section declares the panel that it needs: :class:`Panel`, together with the ``With...`` protocols of the sections
that it asks. mypy then checks every access, and panel_parts.py that the panel fits each of its sections.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from LightMedSegLib.finetuning.cases.effort import Effort
    from LightMedSegLib.finetuning.cases.store import CaseEntry, CaseStore
    from LightMedSegLib.finetuning.job.settings import FinetuneSettings
    from LightMedSegLib.gui.finetune.process import JobProcess
    from LightMedSegLib.gui.parameters import LightMedSegParameterNode
    from LightMedSegLib.gui.segment.runner import Runner
    from LightMedSegLib.model.card import ModelCard
    from LightMedSegLib.model.store import ModelStore
    from LightMedSegLib.mrml.jobs.job_state import Job
    from LightMedSegLib.mrml.jobs.segment_job import Outcome
    from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels


class PanelState:
    """The state that all sections share. parameters: of the scene; None while the panel is not in use."""

    def __init__(self) -> None:
        self.parameters: LightMedSegParameterNode | None = None

    @property
    def in_use(self) -> bool:
        """Whether the panel is shown and connected to the scene."""
        return self.parameters is not None

    @property
    def current(self) -> LightMedSegParameterNode:
        """The parameters of the scene. Raises RuntimeError while the panel is not in use."""
        if self.parameters is None:
            raise RuntimeError("The panel is not in use: it has no parameters now.")
        return self.parameters


class PanelLogic(Protocol):
    """The parts of LightMedSegLogic that sections use; its docstrings say what they are."""

    store: ModelStore
    cases: CaseStore
    runner: Runner
    case_runner: Runner
    jobs_folder: Path
    launch: Callable[[Path], JobProcess]
    finetune_settings: FinetuneSettings
    torch_ready: Callable[[], bool]

    @property
    def job(self) -> Job | None:
        """The segmentation that has not ended yet."""

    def getParameterNode(self) -> LightMedSegParameterNode:
        """The parameters of the scene, also while the panel is not in use."""

    def process(
        self,
        volumeNode: Sequence[Any],
        segmentationNode: Any,
        model: str,
        roi: Any,
        device: str,
        wait: bool,
        *,
        overlap: float | None,
        mirror: Sequence[str] | None,
        threads: int | None,
        preview: bool,
        overwrite: bool,
        doubt: bool,
        onOutcome: Callable[[Outcome], None],
        onEnd: Callable[[Job], None],
    ) -> Any:
        """Segment volumes, one node per channel of the model."""

    def cancel(self) -> None:
        """Stop the segmentation."""


class Panel(Protocol):
    """What every section may use. ui: the widgets by name. parent: the widget of the whole panel."""

    ui: Any
    parent: Any
    logic: PanelLogic
    state: PanelState

    def update(self) -> None:
        """Show every section again."""


class Models(Protocol):
    """The models that are installed."""

    @property
    def card(self) -> ModelCard | None:
        """The card of the chosen model."""

    def card_of(self, identifier: str) -> ModelCard | None:
        """The card of name@version."""

    def names(self) -> list[str]:
        """Identifiers in the order of the selector."""

    def reload(self) -> None:
        """Read the store again."""


class Result(Protocol):
    """The chosen segmentation."""

    def volume(self) -> Any:
        """The node of the volume that the segmentation was made from, else of the chosen one."""

    def take(self, outcome: Outcome, warnings: Sequence[str]) -> None:
        """Show the result of a run."""

    def show_notes(self, above: Sequence[str]) -> None:
        """Show the warnings of the run that made the result, without those that stand above."""


class Run(Protocol):
    """The segmentation that runs."""

    @property
    def running(self) -> bool:
        """Whether one runs."""

    def start(self, model: str) -> None:
        """Segment the chosen volume with name@version."""


class Cases(Protocol):
    """The cases for fine-tuning."""

    def identifiers_for(self, card: ModelCard | None) -> Collection[str]:
        """The identifiers of the cases that a model can learn from."""

    @property
    def usable(self) -> list[CaseEntry]:
        """The cases that the chosen model can learn from."""

    def reload(self) -> None:
        """Read the store again."""


class Steps(Protocol):
    """The three steps of fine-tuning."""

    def open(self, step: int) -> None:
        """Open a step and scroll to it."""

    def bring_into_view(self, widget: Any) -> None:
        """Scroll to a widget."""


class Versions(Protocol):
    """The versions of the chosen model."""

    def reload(self) -> None:
        """Read the store again when the versions are shown next."""


class Verdict(Protocol):
    """The verdict of the last fine-tuning."""

    def take(self, model: str, result: dict[str, Any]) -> None:
        """Show the verdict of a job that has ended."""

    def dismiss(self) -> None:
        """Delete the verdict that is shown."""

    def forget_version(self, card: ModelCard) -> None:
        """Delete the verdict about a version that was deleted."""


class Autosave(Protocol):
    """The corrections in progress."""

    def changed(self, voxels: SegmentVoxels) -> None:
        """A segment was corrected."""


class EffortOf(Protocol):
    """What corrections take."""

    def effort(self, node: Any) -> Effort | None:
        """What the correction of a segmentation node has taken; None where it is not counted."""

    def restart(self, node: Any) -> None:
        """A new result was written into a segmentation node."""


class Finetuning(Protocol):
    """The fine-tuning that runs."""

    @property
    def running(self) -> bool:
        """Whether one runs."""


# One protocol for each section that others ask, for a panel that has it.


class WithModels(Protocol):
    @property
    def models(self) -> Models: ...


class WithResult(Protocol):
    @property
    def result(self) -> Result: ...


class WithRun(Protocol):
    @property
    def run(self) -> Run: ...


class WithCases(Protocol):
    @property
    def cases(self) -> Cases: ...


class WithSteps(Protocol):
    @property
    def steps(self) -> Steps: ...


class WithVersions(Protocol):
    @property
    def versions(self) -> Versions: ...


class WithVerdict(Protocol):
    @property
    def verdict(self) -> Verdict: ...


class WithAutosave(Protocol):
    @property
    def autosave(self) -> Autosave: ...


class WithEffort(Protocol):
    @property
    def effort(self) -> EffortOf: ...


class WithFinetuning(Protocol):
    @property
    def finetune(self) -> Finetuning: ...
