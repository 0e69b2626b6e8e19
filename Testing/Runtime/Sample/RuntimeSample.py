"""A small scripted module, written as Slicer's template has it; the runtime's own tests drive it."""

import enum
from typing import Annotated

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper, parameterPack
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class RuntimeSample(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Runtime sample")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["LightMedSeg contributors"]
        self.parent.helpText = _("Thresholds a volume.")
        self.started = 0
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        self.started += 1


class Quality(enum.Enum):
    FAST = 1
    BEST = 2


@parameterPack
class Region:
    enabled: bool = False
    margin: Annotated[float, WithinRange(0, 50)] = 10.0


@parameterNodeWrapper
class RuntimeSampleParameterNode:
    inputVolume: vtkMRMLScalarVolumeNode
    outputSegmentation: vtkMRMLSegmentationNode
    threshold: Annotated[float, WithinRange(-1000, 1000)] = 50.0
    repeats: Annotated[int, WithinRange(1, 9)] = 2
    device: Annotated[str, Choice(["auto", "cpu"])] = "auto"
    quality: Quality = Quality.FAST
    invert: bool = False
    note: str = ""
    region: Region


class RuntimeSampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._guiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/RuntimeSample.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = RuntimeSampleLogic()
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.shortcut = qt.QShortcut(qt.QKeySequence("Ctrl+Return"), self.parent)
        self.shortcut.context = qt.Qt.WidgetWithChildrenShortcut
        self.shortcut.connect("activated()", self.onApply)
        self.setParameterNode(self.logic.getParameterNode())

    def cleanup(self):
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.setParameterNode(self.logic.getParameterNode())

    def exit(self):
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode):
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
        self._parameterNode = parameterNode
        if parameterNode is not None:
            self._guiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
            self.checkCanApply()

    def checkCanApply(self, caller=None, event=None):
        ready = bool(self._parameterNode and self._parameterNode.inputVolume)
        self.ui.applyButton.enabled = ready
        self.ui.applyButton.toolTip = _("Threshold the volume") if ready else _("Select a volume first")

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("Failed to threshold."), waitCursor=True):
            node = self.logic.process(self._parameterNode.inputVolume, self._parameterNode.threshold)
            self._parameterNode.outputSegmentation = node
            self.ui.segmentsTable.setSegmentationNode(node)


class RuntimeSampleLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return RuntimeSampleParameterNode(super().getParameterNode())

    def process(self, volumeNode, threshold):
        array = slicer.util.arrayFromVolume(volumeNode)
        if not (array > threshold).any():
            raise ValueError(f"No voxel is above {threshold}.")
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        segmentId = node.GetSegmentation().AddEmptySegment("above", "Above", [0.9, 0.3, 0.2])
        mask = (array > threshold).astype("uint8")
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segmentId, volumeNode)
        return node


class RuntimeSampleTest(ScriptedLoadableModuleTest):
    def runTest(self):
        self.delayDisplay("The sample's self test runs")
        self.assertEqual(RuntimeSampleLogic().moduleName, "RuntimeSample")
