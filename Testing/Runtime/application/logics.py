"""The real module logics, created once, and `slicer.modules.<name>.logic()`."""

from __future__ import annotations

import colorsys
import shutil
from pathlib import Path
from typing import Any

import slicer

# Colors before Volumes (volumes look up their colour tables), Terminologies before Segmentations.
_LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Models": "vtkSlicerModelsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
}
TERMINOLOGIES = Path(__file__).resolve().parent.parent / "Terminologies"


def create_logics(application_logic: Any, scene: Any, home: Path) -> dict[str, Any]:
    """The logics by module name, each bound to the scene. The caller keeps them: the scene does not."""
    _write_generic_colors(home / "share" / "ColorFiles" / "GenericColors.txt")
    application_logic.SetHomeDirectory(str(home))
    application_logic.SetShareDirectory("share")
    user_terminologies = home / "Terminologies"
    shutil.rmtree(user_terminologies, ignore_errors=True)
    user_terminologies.mkdir()
    logics = {}
    for name, class_name in _LOGICS.items():
        logic = getattr(slicer, class_name)()
        logics[name] = logic
        application_logic.SetModuleLogic(name, logic)
        if name == "Terminologies":
            logic.SetModuleShareDirectory(str(TERMINOLOGIES))
            logic.SetUserContextsPath(str(user_terminologies))
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(scene)
    application_logic.SetColorLogic(logics["Colors"])
    return logics


def _write_generic_colors(path: Path) -> None:
    """The colour table that new label volumes refer to; any distinct colours do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# Color table file GenericColors.txt", "0 Background 0 0 0 0"]
    for value in range(1, 64):
        color = colorsys.hsv_to_rgb((value * 0.618) % 1.0, 0.6, 0.9)
        lines.append(f"{value} Label_{value} {' '.join(str(round(255 * part)) for part in color)} 255")
    path.write_text("\n".join(lines) + "\n")
