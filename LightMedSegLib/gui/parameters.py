"""The parameter node: what the module saves with the scene."""

# No "from __future__ import annotations": Slicer's wrapper reads the annotations as types.

import enum
from typing import TYPE_CHECKING, Annotated, Any

import slicer
from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLTableNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

PARAMETER_NAME = "SlicerParameterName"
"""The dynamic property of a widget in the .ui file that names its parameter."""


class Mirroring(enum.Enum):
    """Test-time mirroring. Scenes store the names of the members, so the names must not change."""

    MODEL = 1
    OFF = 2
    ALL = 3

    def label(self) -> str:
        """The text in the selector."""
        texts = {
            Mirroring.MODEL: _("As recommended"),
            Mirroring.OFF: _("Off (fastest)"),
            Mirroring.ALL: _("All three axes (8 times slower)"),
        }
        return texts[self]

    def axes(self) -> tuple[str, ...] | None:
        """The axes to mirror; None for those of the model's card."""
        return {Mirroring.MODEL: None, Mirroring.OFF: (), Mirroring.ALL: ("x", "y", "z")}[self]


@parameterNodeWrapper
class LightMedSegParameterNode:
    """Input, model, result and settings of the scene.

    model: ``name@version``, "" for none. reviewedRoi: the region in which the segmentation was reviewed. overlap is
    used only if ownOverlap is set. doubt: whether a run also keeps how doubtful each voxel is.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    secondVolume: vtkMRMLScalarVolumeNode
    thirdVolume: vtkMRMLScalarVolumeNode
    fourthVolume: vtkMRMLScalarVolumeNode
    roi: vtkMRMLMarkupsROINode
    reviewedRoi: vtkMRMLMarkupsROINode
    model: str = ""
    outputSegmentation: vtkMRMLSegmentationNode
    statisticsTable: vtkMRMLTableNode
    mirroring: Mirroring = Mirroring.MODEL
    ownOverlap: bool = False
    overlap: Annotated[float, WithinRange(0.0, 0.9)] = 0.5
    preview: bool = True
    doubt: bool = False
    if TYPE_CHECKING:
        # Added by the decorator.
        parameterNode: Any

        def connectParametersToGui(self, widgets: dict[str, Any]) -> int:
            """Connect widgets to parameters by name; returns the tag for disconnectGui."""

        def disconnectGui(self, tag: int) -> None:
            """Disconnect the widgets of connectParametersToGui."""


EXTRA_VOLUMES = ("secondVolume", "thirdVolume", "fourthVolume")
"""Parameters of the volumes beside the first, for models with several input channels."""


def chosen_volumes(parameters: LightMedSegParameterNode, channels: int) -> list[Any]:
    """The volume node, or None, of each input channel of the model, as far as the panel has selectors."""
    volumes = [parameters.inputVolume, *(getattr(parameters, name) for name in EXTRA_VOLUMES)]
    return volumes[:channels]


def choose_shown_volume(parameters: LightMedSegParameterNode) -> None:
    """Choose the volume that the slice views show, if none is chosen."""
    shown = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
    node = slicer.mrmlScene.GetNodeByID(shown) if shown else None
    if parameters.inputVolume is None and node is not None and node.GetClassName() == "vtkMRMLScalarVolumeNode":
        parameters.inputVolume = node


def connect_widgets(parameters: LightMedSegParameterNode, ui: Any) -> int:
    """Connect each widget that names a parameter to it; returns the tag for disconnectGui.

    Slicer's connectGui does the same, but up to 5.12 it does not return the tag.
    """
    named = {widget.property(PARAMETER_NAME): widget for widget in vars(ui).values() if hasattr(widget, "property")}
    return parameters.connectParametersToGui({name: widget for name, widget in named.items() if name})
