"""slicer.app.coreIOManager(): volumes, segmentations, tables and scenes, read and written by the real logics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6 import QtCore

from ..widgets.emulated import Emulated, invokable

_SUFFIXES = {
    ".seg.nrrd": "SegmentationFile", ".seg.nhdr": "SegmentationFile", ".seg.vtm": "SegmentationFile",
    ".nrrd": "VolumeFile", ".nhdr": "VolumeFile", ".nii": "VolumeFile", ".nii.gz": "VolumeFile", ".mha": "VolumeFile",
    ".mhd": "VolumeFile", ".mrml": "SceneFile", ".mrb": "SceneFile", ".csv": "TableFile", ".tsv": "TableFile",
    ".h5": "TransformFile", ".tfm": "TransformFile",
}  # fmt: skip


class CoreIOManager(Emulated, QtCore.QObject):
    """What slicer.util.loadX and saveX call; a file type that is not read here raises NotImplementedError."""

    pythonqt_name = "qSlicerIOManager"
    emulated_signals = ("newFileLoaded(qSlicerIO::IOProperties)",)

    def __init__(self, scene: Any, logics: dict[str, Any]) -> None:
        super().__init__()
        self._scene, self._logics = scene, logics

    @invokable()
    def fileType(self, filename: str) -> str:
        name = filename.lower()
        matching = [suffix for suffix in _SUFFIXES if name.endswith(suffix)]
        return _SUFFIXES[max(matching, key=len)] if matching else "NoFile"

    @invokable()
    def loadNodes(self, file_type: str, properties: dict[str, Any], loaded: Any, messages: Any = None) -> bool:
        reader = getattr(self, f"_load_{file_type}", None)
        if reader is None:
            raise NotImplementedError(f"The runtime does not read files of type {file_type}.")
        path = properties["fileName"]
        if not Path(path).exists():
            return False
        nodes = reader(path, properties)
        for node in nodes:
            if properties.get("name") and file_type != "SceneFile":
                node.SetName(properties["name"])
            if loaded is not None:
                loaded.AddItem(node)
        return file_type == "SceneFile" or bool(nodes)

    def _load_VolumeFile(self, path: str, properties: dict[str, Any]) -> list[Any]:
        options = (1 if properties.get("labelmap") else 0) | (8 if properties.get("singleFile") else 0)
        name = properties.get("name") or Path(path).name.split(".")[0]
        node = self._logics["Volumes"].AddArchetypeVolume(path, name, options)
        return [node] if node is not None else []

    def _load_SegmentationFile(self, path: str, properties: dict[str, Any]) -> list[Any]:
        name = properties.get("name") or Path(path).name.split(".")[0]
        node = self._logics["Segmentations"].LoadSegmentationFromFile(path, False, name)
        return [node] if node is not None else []

    def _load_TableFile(self, path: str, properties: dict[str, Any]) -> list[Any]:
        node = self._logics["Tables"].AddTable(path, properties.get("name") or Path(path).stem)
        return [node] if node is not None else []

    def _load_TransformFile(self, path: str, properties: dict[str, Any]) -> list[Any]:
        node = self._logics["Transforms"].AddTransform(path, self._scene)
        return [node] if node is not None else []

    def _load_SceneFile(self, path: str, properties: dict[str, Any]) -> list[Any]:
        clear = bool(properties.get("clear", False))
        if path.lower().endswith(".mrb"):
            success = self._scene.ReadFromMRB(path, clear)
        else:
            self._scene.SetURL(path)
            success = self._scene.Connect() if clear else self._scene.Import()
        if not success:
            raise RuntimeError(f"The scene {path} could not be read.")
        return []

    @invokable()
    def fileWriterFileType(self, node: Any) -> str:
        return str(node.GetClassName())

    @invokable()
    def saveNodes(self, file_type: str, properties: dict[str, Any], messages: Any = None) -> bool:
        path = str(properties["fileName"])
        if file_type == "SceneFile":
            if path.lower().endswith(".mrb"):
                return bool(self._scene.WriteToMRB(path))
            if not path.lower().endswith(".mrml"):
                raise NotImplementedError("The runtime saves scenes as .mrml or .mrb.")
            self._scene.SetURL(path)
            self._scene.SetRootDirectory(str(Path(path).parent))
            return bool(self._scene.Commit(path))
        node = self._scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode(path)
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        storage.SetUseCompression(int(properties.get("useCompression", 1)))
        return bool(storage.WriteData(node))
