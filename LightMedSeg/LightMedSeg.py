"""LightMedSeg in 3D Slicer: the module, its panel, its logic for scripts, and its self test.

The parts of the panel are in LightMedSegLib/gui, because Slicer takes every Python file here for a module.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from LightMedSegLib.model.package import Model


def _addLibraryToPath() -> None:
    """Installed, the library lies beside this file; in the source tree one folder up; else pip has installed it."""
    here = Path(__file__).resolve().parent
    for folder in (here, here.parent):
        if (folder / "LightMedSegLib" / "__init__.py").is_file():
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
            return


_addLibraryToPath()

_END_SECONDS = 1.0
"""How long Slicer's end waits for worker threads."""

HOMEPAGE = "https://github.com/LightMedSeg/SlicerLightMedSeg"
"""As in CMakeLists.txt. Slicer's own link (getDefaultModuleDocumentationLink) leads to a page of Slicer's manual, which
has none about the modules of extensions."""


class LightMedSeg(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("LightMedSeg")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["LightMedSeg contributors"]
        self.parent.helpText = _(
            "Segments CT and MR volumes with small neural networks, on an ordinary processor or a graphics card: "
            "choose a volume and a model, click Segment, correct the result in the Segment Editor. "
            "Everything runs on this computer."
        )
        link = _("For more information see the {start}online documentation{end}.").format(
            start=f'<a href="{HOMEPAGE}#readme">', end="</a>"
        )
        self.parent.helpText += f"<p>{link}</p>"
        self.parent.acknowledgementText = _(
            "Research software, not a medical device. The licence of each model and of the data it was trained on "
            "is shown in the panel."
        )
        slicer.app.connect("startupCompleted()", self._onStartupCompleted)

    def _onStartupCompleted(self) -> None:
        from LightMedSegLib.gui.segment.samples import register_samples

        thumbnail = Path(self.resourcePath("Icons/LightMedSegSample.png"))
        register_samples(str(thumbnail) if thumbnail.is_file() else None)


class LightMedSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel. Its sections share `state`: the scene's parameters, which are None while the panel is not in use."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        from LightMedSegLib.gui.panel import PanelState

        self.state = PanelState()
        self._guiTag: int | None = None

    @property
    def parameters(self) -> Any:
        """The parameters of the scene; None while the panel is not in use."""
        return self.state.parameters

    def setup(self) -> None:
        """Called when the module is opened for the first time."""
        from LightMedSegLib.gui.panel_parts import add_sections, add_shortcuts, load_panel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = load_panel(self.resourcePath)
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.logic = LightMedSegLogic()
        add_sections(self)
        self.shortcuts = add_shortcuts(self)
        self.ui.tryItButton.connect("clicked()", self.onTryIt)
        scene = slicer.mrmlScene
        for event, function in (
            (scene.StartCloseEvent, self._onSceneStartClose),
            (scene.EndCloseEvent, self._onSceneReady),
            (scene.StartImportEvent, self._onSceneStartImport),
            (scene.EndImportEvent, self._onSceneEndImport),
        ):
            self.addObserver(scene, event, function)
        # The node selectors learn of loaded nodes only after the event that ends the import.
        self._importTimer = qt.QTimer()
        self._importTimer.setSingleShot(True)
        self._importTimer.interval = 0
        self._importTimer.connect("timeout()", self._onSceneReady)
        self.finetune.clear_up()
        self._setParameters(self.logic.getParameterNode())

    def enter(self) -> None:
        """Called whenever the module is selected."""
        self._setParameters(self.logic.getParameterNode())
        self.shortcuts.enable()

    def exit(self) -> None:
        """Called whenever another module is selected. A run goes on; its result still comes into the scene."""
        self.shortcuts.disable()
        self.correct.rest()
        self._setParameters(None)

    def cleanup(self) -> None:
        """Called before Slicer ends and before the module is reloaded."""
        from LightMedSegLib.gui.panel_parts import close_sections

        self._importTimer.stop()
        self._setParameters(None)
        self.removeObservers()
        self.shortcuts.remove()
        # Everything is asked to end before anything is waited for.
        self.logic.stop()
        self.result.forget()
        close_sections(self)
        self.logic.close()

    def onReload(self) -> None:
        """Developer mode: the library is read again together with the module."""
        from LightMedSegLib.gui.reloading import forget_library

        forget_library()
        ScriptedLoadableModuleWidget.onReload(self)

    def onTryIt(self) -> None:
        """Load the sample and choose a model for it."""
        from LightMedSegLib.gui.segment.samples import fill_panel

        fill_panel(self)

    def update(self, caller: Any = None, event: Any = None) -> None:
        """Bring everything in line with the scene; also called when the parameters change."""
        from LightMedSegLib.gui.panel_parts import show_fine_tuning, show_segmentation
        from LightMedSegLib.gui.segment.regions_of_interest import place_new_roi

        if self.parameters is None:
            return
        place_new_roi(self.parameters.roi, self.parameters.inputVolume)
        place_new_roi(self.parameters.reviewedRoi, self.result.volume())
        show_segmentation(self)
        show_fine_tuning(self)

    def _setParameters(self, parameters: Any) -> None:
        from LightMedSegLib.gui.parameters import choose_shown_volume, connect_widgets

        if self.parameters is not None:
            self.run.rest()
            self.parameters.disconnectGui(self._guiTag)
            self.removeObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self.update)
        self.state.parameters = parameters
        if parameters is not None:
            self.models.choose_default()
            choose_shown_volume(parameters)
            self._guiTag = connect_widgets(parameters, self.ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self.update)
            self.update()

    def _onSceneStartClose(self, caller: Any, event: Any) -> None:
        from LightMedSegLib.gui.panel_parts import forget_scene

        self.logic.runner.drop()
        forget_scene(self)
        self._setParameters(None)

    def _onSceneStartImport(self, caller: Any, event: Any) -> None:
        # Selectors that do not know the nodes yet would write "none" into the parameters.
        self._setParameters(None)

    def _onSceneEndImport(self, caller: Any, event: Any) -> None:
        self._importTimer.start()

    def _onSceneReady(self, caller: Any = None, event: Any = None) -> None:
        if self.parent.isEntered:
            self._setParameters(self.logic.getParameterNode())


class LightMedSegLogic(ScriptedLoadableModuleLogic):
    """For panel and scripts.

    store: the models. segment: the function that runs them; None for the library's. torch_ready: returns whether
    PyTorch is installed. cases: the corrected cases. jobs_folder, launch, finetune_settings: where and how a
    fine-tuning runs.
    """

    def __init__(self) -> None:
        from LightMedSegLib.finetuning.cases.store import CaseStore
        from LightMedSegLib.finetuning.job.folders import jobs_folder
        from LightMedSegLib.finetuning.job.settings import FinetuneSettings
        from LightMedSegLib.gui.finetune.process import LocalProcess
        from LightMedSegLib.gui.segment.runner import Runner
        from LightMedSegLib.gui.torch_setup import torch_installed
        from LightMedSegLib.model.store import ModelStore

        ScriptedLoadableModuleLogic.__init__(self)
        self.store = ModelStore()
        self.segment: Callable[..., Any] | None = None
        self.torch_ready: Callable[[], bool] = torch_installed
        self.runner = Runner()
        self.cases = CaseStore()
        self.case_runner = Runner()
        self.jobs_folder = jobs_folder()
        self.launch: Callable[[Path], Any] = LocalProcess
        self.finetune_settings = FinetuneSettings()

    @property
    def job(self) -> Any:
        """The run that has not ended yet, or None."""
        return self.runner.job

    def getParameterNode(self) -> Any:
        """The module's parameters in the scene; made if there are none."""
        from LightMedSegLib.gui.parameters import LightMedSegParameterNode

        return LightMedSegParameterNode(super().getParameterNode())

    def process(
        self,
        volumeNode: Any | Sequence[Any],
        segmentationNode: Any = None,
        model: str | Path | Model | None = None,
        roi: Any = None,
        device: str = "auto",
        wait: bool = True,
        *,
        overlap: float | None = None,
        mirror: Sequence[str] | None = None,
        threads: int | None = None,
        preview: bool = False,
        overwrite: bool = False,
        doubt: bool = False,
        onOutcome: Callable[[Any], None] | None = None,
        onEnd: Callable[[Any], None] | None = None,
    ) -> Any:
        """Segment a volume node.

        A runnable example, for Slicer's Python console:

            import LightMedSeg, SampleData
            volume = SampleData.downloadSample("MNI152LeftHippocampus")
            segmentation = LightMedSeg.LightMedSegLogic().process(volume, model="hippocampus-t1-mr")
            print(segmentation.GetSegmentation().GetSegmentIDs())

        Args:
            volumeNode: a vtkMRMLScalarVolumeNode, or a list of one per input of the model, in the card's order.
            segmentationNode: where the result goes; a new node is made instead if it holds edits and overwrite is
                not True. None: an unedited earlier result of the same model is replaced.
            model: name, "name@version", folder or zip file (as a Path), or a loaded Model; None: the first there is.
            roi: a vtkMRMLMarkupsROINode; outside it nothing is segmented.
            device: "auto", "cpu", "cuda", "cuda:1" or "mps".
            wait: True returns the vtkMRMLSegmentationNode when it is ready. False returns a job at once, and calls
                onEnd(job) from Slicer's event loop at the end: job.state, job.message, job.outcome.node.
            overlap, mirror, threads: as in LightMedSegLib.segment; None is the model's own choice.
            preview: deliver a coarse result first, if the model's card allows it and the volume is large.
            overwrite: replace segmentationNode even if it holds edits.
            doubt: also add a volume that tells how doubtful each voxel is, with the places to look at.
            onOutcome: called with every outcome (node, preview, notes, timings, device, statistics, expected_dice).

        Raises LightMedSegLib.core.errors.LightMedSegError with a sentence for the user.
        """
        from LightMedSegLib.gui.segment.processing import make_job
        from LightMedSegLib.inference.options import SegmentOptions

        volumes = list(volumeNode) if isinstance(volumeNode, (list, tuple)) else [volumeNode]
        job = make_job(
            volumes,
            model,
            self.store,
            roi=roi,
            output=segmentationNode,
            overwrite=overwrite,
            preview=preview,
            options=SegmentOptions(device, overlap=overlap, mirror=mirror, threads=threads, doubt=doubt),
            segment=self.segment,
            on_outcome=onOutcome or (lambda outcome: None),
            on_end=onEnd or (lambda job: None),
        )
        if wait:
            return self.runner.run(job).node
        self.runner.start(job)
        return job

    def cancel(self) -> None:
        """Stop the present run; nothing happens without one."""
        self.runner.cancel()

    def stop(self) -> None:
        """Ask everything that runs to end, without waiting; this logic cannot process any more."""
        self.runner.stop()
        self.case_runner.stop()

    def close(self) -> None:
        """As stop(), and wait a moment for the end of the worker threads."""
        self.stop()
        deadline = time.monotonic() + _END_SECONDS
        for runner in (self.runner, self.case_runner):
            runner.close(max(0.0, deadline - time.monotonic()))


class LightMedSegTest(ScriptedLoadableModuleTest):
    """Drives the panel as a user does; a real inference runs too where torch and a model are."""

    def runTest(self) -> None:
        from LightMedSegLib.gui.self_test.scenarios import run_all

        run_all(self)
