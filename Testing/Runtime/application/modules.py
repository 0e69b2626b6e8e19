"""`slicer.modules`: stand-ins of the modules, and the life of a scripted module under test."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from ..pythonqt.classes import wrap, wrapper_class
from ..pythonqt.errors import swallowed
from ..widgets.emulated import Emulated, invokable, stored
from ..widgets.mrml_base import MRMLWidget


class Modules:
    """The object behind `slicer.modules`; asking for a module that is not there raises AttributeError."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"slicer.modules has no '{name}': the runtime has no such module.")

    def add(self, module: Any) -> None:
        setattr(self, module.name.lower(), module)

    def remove(self, name: str) -> None:
        """Forget a module and its widget class instance."""
        for attribute in (name.lower(), f"{name}Widget", f"{name}Instance"):
            self.__dict__.pop(attribute, None)

    def by_name(self, name: str) -> Any:
        return self.__dict__.get(name.lower())

    def names(self) -> list[str]:
        return [module.name for key, module in self.__dict__.items() if key == key.lower() and hasattr(module, "logic")]


class LoadableModule(Emulated, QtCore.QObject):
    """A C++ module: a name and its logic."""

    pythonqt_name = "qSlicerLoadableModule"

    def __init__(self, name: str, logic: Any) -> None:
        super().__init__()
        self._values: dict[str, Any] = {"name": name, "title": name, "path": ""}
        self._logic = logic

    name = stored(str, "name")
    title = stored(str, "title")
    path = stored(str, "path")

    @invokable()
    def logic(self) -> Any:
        return self._logic


class ScriptedModule(Emulated, QtCore.QObject):
    """A scripted module; the module class fills title, categories and the rest."""

    pythonqt_name = "qSlicerScriptedLoadableModule"

    def __init__(self, name: str, path: str) -> None:
        super().__init__()
        self._values: dict[str, Any] = {
            "name": name, "title": name, "path": path, "categories": [], "dependencies": [], "contributors": [],
            "helpText": "", "acknowledgementText": "", "hidden": False, "icon": None, "associatedNodeTypes": [],
            "widgetRepresentationCreationEnabled": True,
        }  # fmt: skip
        self._logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
        self._representation: Any = None

    name = stored(str, "name")
    title = stored(str, "title")
    path = stored(str, "path")
    categories = stored("QStringList", "categories")
    dependencies = stored("QStringList", "dependencies")
    contributors = stored("QStringList", "contributors")
    helpText = stored(str, "helpText")
    acknowledgementText = stored(str, "acknowledgementText")
    hidden = stored(bool, "hidden")
    icon = stored("QIcon", "icon")
    associatedNodeTypes = stored("QStringList", "associatedNodeTypes")
    widgetRepresentationCreationEnabled = stored(bool, "widgetRepresentationCreationEnabled")

    @invokable()
    def logic(self) -> Any:
        return self._logic

    @invokable()
    def widgetRepresentation(self) -> Any:
        """The panel, made when first asked for."""
        if self._representation is None:
            self._representation = ScriptedModuleWidget(self._values["name"])
            self._representation.start()
        return self._representation

    def has_representation(self) -> bool:
        return self._representation is not None


class ScriptedModuleWidget(MRMLWidget):
    """The panel of a scripted module; `self()` is the instance of its Python widget class."""

    pythonqt_name = "qSlicerScriptedLoadableModuleWidget"

    def __init__(self, module_name: str) -> None:
        super().__init__()
        self._module_name = module_name
        self._instance: Any = None
        self._entered = False
        self.setObjectName(f"{module_name}ModuleWidget")
        QtWidgets.QVBoxLayout(self)

    def start(self) -> None:
        """Make the Python instance and set it up. Its exceptions propagate, so that a test shows them."""
        self.setMRMLScene(slicer.mrmlScene)
        kind = getattr(sys.modules[self._module_name], f"{self._module_name}Widget")
        self._instance = kind(wrap(self))
        setattr(slicer.modules, f"{self._module_name}Widget", self._instance)
        self._instance.setup()

    def instance(self) -> Any:
        return self._instance

    isEntered = QtCore.Property(bool, lambda self: self._entered)

    @invokable()
    def reload(self) -> None:
        self.start()
        if self._entered:
            self._entered = False
            self.enter()

    def enter(self) -> None:
        self._entered = True
        self._run("enter")

    def exit(self) -> None:
        self._entered = False
        self._run("exit")

    def _run(self, method: str) -> None:
        # Slicer's C++ calls these, prints their exceptions and goes on.
        try:
            getattr(self._instance, method, lambda: None)()
        except Exception as error:
            swallowed.collect(f"{self._module_name}Widget.{method}()", error)


def _self(self: Any) -> Any:
    return self._checked().instance()


def install_scripted_classes() -> None:
    """`slicer.qSlicerScriptedLoadableModule` and its widget, which slicer.util asks for."""
    slicer.qSlicerScriptedLoadableModule = wrapper_class(ScriptedModule)
    slicer.qSlicerScriptedLoadableModuleWidget = wrapper_class(ScriptedModuleWidget)
    # The instance is a Python object of the module, which must come back as it is.
    type.__setattr__(slicer.qSlicerScriptedLoadableModuleWidget, "self", _self)


def import_module(path: Path) -> Any:
    """Import the module's file as Slicer does: its folder on sys.path, its name as the module name."""
    name = path.stem
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def add_scripted_module(path: Path) -> Any:
    """Register the scripted module of this file; returns its (wrapped) module object, without making its panel."""
    python_module = import_module(path)
    stand_in = wrap(ScriptedModule(path.stem, str(path)))
    slicer.modules.add(stand_in)
    instance = getattr(python_module, path.stem)(stand_in)
    setattr(slicer.modules, f"{path.stem}Instance", instance)
    return stand_in


def remove_scripted_module(name: str) -> None:
    """Unload: leave the panel, clean it up, delete it."""
    module = slicer.modules.by_name(name)
    if module is None:
        return
    qt_module = module._checked()
    if qt_module.has_representation():
        widget = qt_module.widgetRepresentation()
        if widget._entered:
            widget.exit()
        slicer.app.moduleManager()._checked().emit_signal("moduleAboutToBeUnloaded(QString)", name)
        widget.hide()
        widget.deleteLater()
    slicer.modules.remove(name)
    sys.modules.pop(name, None)
