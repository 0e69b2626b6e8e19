"""slicer.parameterNodeWrapper: typed parameters in a real vtkMRMLScriptedModuleNode, connected to widgets.

The names and texts in the node are those that Slicer's own wrapper writes, so that scenes can be exchanged.
"""

from . import container_serializers
from .connectors import Decimals, GuiConnector, SingleStep, parameterNodeGuiConnector
from .pack import isParameterPack, nestedParameterNames, parameterPack
from .serializers import Default, Serializer, parameterNodeSerializer
from .validators import Choice, Exclude, Maximum, Minimum, NotNone, Validator, WithinRange
from .wrapper import SlicerParameterNamePropertyName, isParameterNodeWrapper, parameterNodeWrapper

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "GuiConnector",
    "Maximum",
    "Minimum",
    "NotNone",
    "Serializer",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "container_serializers",
    "isParameterNodeWrapper",
    "isParameterPack",
    "nestedParameterNames",
    "parameterNodeGuiConnector",
    "parameterNodeSerializer",
    "parameterNodeWrapper",
    "parameterPack",
]  # fmt: skip
