"""Starts the runtime: makes `slicer`, `qt` and `ctk` look as they do inside Slicer."""

from __future__ import annotations

import os
import sys
import tempfile
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .session import Session

_session: Session | None = None


def start(home: Path | None = None) -> Session:
    """The session of this process, started at the first call. `home` is Slicer's folder for settings and files."""
    global _session
    if _session is None:
        _session = _start(home or Path(tempfile.mkdtemp(prefix="slicer-runtime-")))
    return _session


def _start(home: Path) -> Session:
    home.mkdir(parents=True, exist_ok=True)
    if "PySide6" in sys.modules and not os.environ.get("PYSIDE6_OPTION_PYTHON_ENUM"):
        raise RuntimeError("PySide6 was imported before the runtime; its enums cannot be made ints any more.")
    import slicer
    import slicer.util
    import vtk

    from .application.modules import Modules, install_scripted_classes
    from .pythonqt.qt_module import make_ctk, make_qt

    # Messages of VTK would open windows on some systems; on standard error they are seen in the test's output.
    vtk.vtkOutputWindow.SetInstance(vtk.vtkOutputWindow())
    sys.modules["qt"], sys.modules["ctk"] = make_qt(), make_ctk()
    slicer.modules = Modules()
    slicer.modules.sampleDataSources = {}
    application, logics = _create_application(home)
    _install_widgets()
    install_scripted_classes()
    packaging = _install_modules()

    from .session import Session

    return Session(home, application, logics, packaging)


def _create_application(home: Path) -> tuple[Any, dict[str, Any]]:
    import slicer

    from .application.app import Application
    from .application.logics import create_logics
    from .application.modules import LoadableModule
    from .pythonqt.classes import wrap

    application = Application(home)
    slicer.app = wrap(application)
    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    # Reading .mrb scenes unpacks into the cache folder.
    cache, data_io = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(application.temporaryPath)
    data_io.SetCacheManager(cache)
    scene.SetDataIOManager(data_io)
    application_logic = slicer.vtkSlicerApplicationLogic()
    application_logic.SetMRMLScene(scene)
    application_logic.SetTemporaryPath(application.temporaryPath)
    logics = create_logics(application_logic, scene, home)
    application.bind(application_logic, scene, logics)
    for name, logic in logics.items():
        slicer.modules.add(wrap(LoadableModule(name, logic)))
    return application, logics


def _install_widgets() -> None:
    """slicer.qMRML...: every class of the contract that can be made without arguments, when it is first asked for."""
    import slicer

    from .pythonqt.qt_module import contracted_class
    from .widgets import ctk_buttons, ctk_values, mrml_base, node_combo_box, segmentations, tables

    loaded = (ctk_buttons, ctk_values, mrml_base, node_combo_box, segmentations, tables)
    assert all(loaded)

    def find(name: str) -> Any:
        setattr(slicer, name, contracted_class("slicer", name))
        return getattr(slicer, name)

    slicer.__getattr__ = find


def _install_modules() -> Any:
    """The Python modules that slicer-core lacks, under their real names."""
    import slicer

    from . import parameter_node
    from .application import scripted
    from .fakes import i18n, sample_data
    from .fakes.packaging_module import PackagingFake
    from .session import record_delay_display

    packaging = PackagingFake()
    made: dict[str, types.ModuleType] = {
        "ScriptedLoadableModule": scripted,
        "parameterNodeWrapper": parameter_node,
        "i18n": i18n.make_module(),
        "packaging": packaging.module(),
    }
    for name, module in made.items():
        sys.modules[f"slicer.{name}"] = module
        setattr(slicer, name, module)
    sys.modules["SampleData"] = sample_data.make_module()
    slicer.util.delayDisplay = record_delay_display
    return packaging
