"""Pictures without a display: slice and 3D view of the real scene, and widgets.

They show what Slicer's own C++ draws, but are made outside the Slicer application, and must be labelled so. Needs an
EGL driver (Debian: libegl1, libgl1-mesa-dri), or a GPU's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk
from vtk.util import numpy_support

SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)


def _window(width: int, height: int) -> tuple[Any, Any]:
    """An off-screen render window with an empty renderer, and the interactor that displayable managers need."""
    renderer = vtk.vtkRenderer()
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(0)
    window.SetSize(width, height)
    window.AddRenderer(renderer)
    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    return window, renderer


def _managers(renderer: Any, factory_class: Any, names: tuple[str, ...], node: Any, application_logic: Any) -> Any:
    factory = factory_class.GetInstance()
    factory.SetMRMLApplicationLogic(application_logic)
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = factory.InstantiateDisplayableManagers(renderer)
    group.SetMRMLDisplayableNode(node)
    return group


def _save(window: Any, path: Path) -> None:
    window.Render()
    capture = vtk.vtkWindowToImageFilter()
    capture.SetInput(window)
    capture.SetInputBufferTypeToRGB()
    capture.ReadFrontBufferOff()
    capture.Update()
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputConnection(capture.GetOutputPort())
    writer.Write()


def render_slice(
    volume: Any, path: Path | str, view: str = "Red", size: tuple[int, int] = (512, 512), ras: Any = None
) -> Path:
    """PNG of a slice view: the volume, with all visible segmentations and models of the scene over it.

    `view` is "Red" (axial), "Yellow" (sagittal) or "Green" (coronal); `ras` a point in mm through which the slice
    goes (default: the volume's centre). The view's own nodes are used, so that display settings are honoured.
    """
    widget = slicer.app.layoutManager().sliceWidget(view)
    logic, node = widget.sliceLogic(), widget.mrmlSliceNode()
    composite = logic.GetSliceCompositeNode()
    composite.SetBackgroundVolumeID(volume.GetID())
    if volume.GetDisplayNode() is None:
        volume.CreateDefaultDisplayNodes()
    node.SetDimensions(size[0], size[1], 1)
    logic.FitSliceToBackground()
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    centre = ras if ras is not None else [(bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3)]
    node.JumpSliceByOffsetting(*centre)
    logic.UpdatePipeline()

    window, renderer = _window(*size)
    renderer.GetActiveCamera().ParallelProjectionOn()
    # Slice views are drawn in pixels: one world unit is one pixel.
    renderer.GetActiveCamera().SetParallelScale(size[1] / 2)
    renderer.GetActiveCamera().SetFocalPoint(size[0] / 2, size[1] / 2, 0)
    renderer.GetActiveCamera().SetPosition(size[0] / 2, size[1] / 2, 100)
    image = logic.GetImageDataConnection()
    if image is not None:
        background = vtk.vtkImageMapper()
        background.SetColorWindow(255)
        background.SetColorLevel(127.5)
        background.SetInputConnection(image)
        actor = vtk.vtkActor2D()
        actor.SetMapper(background)
        renderer.AddViewProp(actor)
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory
    group = _managers(renderer, factory, SLICE_MANAGERS, node, slicer.app.applicationLogic())
    _save(window, Path(path))
    group.SetMRMLDisplayableNode(None)
    return Path(path)


def render_3d(
    path: Path | str, size: tuple[int, int] = (512, 512), background: tuple[float, float, float] = (0.75, 0.78, 0.9)
) -> Path:
    """PNG of the 3D view: all visible models and segmentations, seen from the front, fitted to the view."""
    view_node = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
    window, renderer = _window(*size)
    for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if segmentation.GetDisplayNode() is not None and segmentation.GetDisplayNode().GetVisibility3D():
            segmentation.CreateClosedSurfaceRepresentation()
    view_node.SetBackgroundColor(*background)
    view_node.SetBackgroundColor2(*background)
    view_node.SetBoxVisible(False)
    view_node.SetAxisLabelsVisible(False)
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory
    group = _managers(renderer, factory, THREE_D_MANAGERS, view_node, slicer.app.applicationLogic())
    renderer.SetBackground(*background)
    camera = renderer.GetActiveCamera()
    camera.SetFocalPoint(0, 0, 0)
    camera.SetPosition(0.3, 1, 0.25)
    camera.SetViewUp(0, 0, 1)
    renderer.ResetCamera()
    _save(window, Path(path))
    group.SetMRMLDisplayableNode(None)
    return Path(path)


def render_result(volume: Any, segmentation: Any, path: Path | str, size: tuple[int, int] = (512, 512)) -> Path:
    """One PNG: the slice view through the segmentation's middle at the left, the 3D view at the right."""
    path = Path(path)
    left, right = path.with_suffix(".slice.png"), path.with_suffix(".3d.png")
    bounds = [0.0] * 6
    segmentation.GetRASBounds(bounds)
    middle = [(bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3)]
    render_slice(volume, left, "Red", size, middle)
    render_3d(right, size)
    append = vtk.vtkImageAppend()
    for part in (left, right):
        reader = vtk.vtkPNGReader()
        reader.SetFileName(str(part))
        reader.Update()
        append.AddInputData(reader.GetOutput())
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputConnection(append.GetOutputPort())
    writer.Write()
    left.unlink()
    right.unlink()
    return path


def read_png(path: Path | str) -> Any:
    """The picture as a (rows, columns, 3) array, first row at the top; for tests."""
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    columns, rows, _ = image.GetDimensions()
    values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return values.reshape(rows, columns, -1)[::-1, :, :3]


def grab(widget: Any, path: Path | str) -> Path:
    """PNG of a widget (a wrapped one) as Qt draws it."""
    qt_widget = widget._checked()
    qt_widget.ensurePolished()
    if not qt_widget.grab().save(str(path), "PNG"):
        raise RuntimeError(f"The picture {path} could not be written.")
    return Path(path)
