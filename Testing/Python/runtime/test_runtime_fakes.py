"""The fakes of what slicer-core lacks: packages, the PyTorch extension, sample data, files, translation."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def _volume_file(folder: Path) -> Path:
    import slicer

    node = slicer.util.addVolumeFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5), name="Scan")
    path = folder / "scan.nrrd"
    assert slicer.util.saveNode(node, str(path))
    slicer.mrmlScene.RemoveNode(node)
    return path


def test_a_hidden_torch_cannot_be_found_and_comes_back_as_it_was(slicer_runtime: Any) -> None:
    import torch

    slicer_runtime.torch.hide()
    assert importlib.util.find_spec("torch") is None
    with pytest.raises(ModuleNotFoundError):
        import torch.nn
    slicer_runtime.torch.reveal()
    import torch as again

    assert again is torch


def test_the_end_of_a_test_gives_torch_back_to_those_that_need_no_slicer(slicer_runtime: Any) -> None:
    slicer_runtime.torch.hide()
    slicer_runtime.finish()
    assert importlib.util.find_spec("torch") is not None


def test_without_the_pytorch_extension_it_cannot_be_imported(slicer_runtime: Any) -> None:
    import slicer

    assert not hasattr(slicer.modules, "pytorchutils")
    with pytest.raises(ModuleNotFoundError):
        import PyTorchUtils  # noqa: F401


def test_the_pytorch_extension_installs_torch_if_the_user_agrees(slicer_runtime: Any) -> None:
    import qt

    slicer_runtime.torch.hide()
    slicer_runtime.pytorch.install()
    import PyTorchUtils

    logic = PyTorchUtils.PyTorchUtilsLogic()
    assert not logic.torchInstalled()
    slicer_runtime.dialogs.answer(qt.QMessageBox.Cancel, qt.QMessageBox.Ok)
    assert logic.installTorch(askConfirmation=True, torchVersionRequirement=">=2.6") is None
    assert logic.installTorch(askConfirmation=True).__name__ == "torch"
    assert slicer_runtime.pytorch.requests[0] == {"backend": None, "version": ">=2.6"}
    slicer_runtime.pytorch.installation_fails = True
    with pytest.raises(subprocess.CalledProcessError):
        logic.installTorch()


def test_the_extension_manager_installs_only_what_its_server_offers(slicer_runtime: Any) -> None:
    import slicer

    manager = slicer.app.extensionsManagerModel()
    assert not manager.installExtensionFromServer("PyTorch") and not manager.isExtensionInstalled("PyTorch")
    slicer_runtime.extensions.offer("PyTorch", slicer_runtime.pytorch.install)
    assert manager.installExtensionFromServer("PyTorch", False) and manager.installedExtensions == ("PyTorch",)
    assert hasattr(slicer.modules, "pytorchutils")
    assert slicer_runtime.extensions.requests == [("PyTorch", True), ("PyTorch", False)]


def test_packages_are_checked_really_and_installed_only_when_the_user_agrees(
    slicer_runtime: Any,
    tmp_path: Path,
) -> None:
    import qt
    import slicer
    from packaging.requirements import Requirement

    path = tmp_path / "requirements.txt"
    path.write_text("# needs\n--index-url x\nnumpy>=1.24\nscikit-nothing>=9\n")
    requirements = slicer.packaging.load_requirements(path)
    assert [item.name for item in requirements] == ["numpy", "scikit-nothing"]
    assert slicer.packaging.pip_check(requirements[0]) and not slicer.packaging.pip_check(requirements)
    with pytest.raises(TypeError):
        slicer.packaging.pip_check("numpy")
    slicer_runtime.packaging.missing.add("numpy")
    assert not slicer.packaging.pip_check(Requirement("numpy"))
    slicer_runtime.dialogs.answer(qt.QMessageBox.Cancel, qt.QMessageBox.Ok)
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure(requirements, requester="LightMedSeg")
    slicer.packaging.pip_ensure(requirements, requester="LightMedSeg")
    assert slicer_runtime.packaging.installed == ["numpy>=1.24", "scikit-nothing>=9"]


def test_packages_are_never_installed_from_another_thread(slicer_runtime: Any) -> None:
    import slicer

    failures: list[Exception] = []

    def install() -> None:
        try:
            slicer.util.pip_install("numpy")
        except RuntimeError as error:
            failures.append(error)

    thread = threading.Thread(target=install)
    thread.start()
    thread.join()
    assert "main thread" in str(failures[0])


def test_a_registered_sample_is_loaded_if_its_checksum_is_right(
    slicer_runtime: Any,
    tmp_path: Path,
) -> None:
    import SampleData

    path = _volume_file(tmp_path)
    checksum = f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    register = SampleData.SampleDataLogic.registerCustomSampleDataSource
    register(
        category="LightMedSeg",
        sampleName="Good",
        uris=path.as_uri(),
        fileNames=path.name,
        nodeNames="Head",
        checksums=checksum,
    )
    register(sampleName="Bad", uris=path.as_uri(), fileNames="a", nodeNames="a", checksums=f"SHA256:{64 * '0'}")
    register(sampleName="Far", uris="https://example.org/a.nrrd", fileNames="a.nrrd", nodeNames="a")
    node = SampleData.downloadSample("Good")
    assert node.GetName() == "Head" and node.GetImageData().GetDimensions() == (5, 4, 3)
    with pytest.raises(ValueError, match="checksum"):
        SampleData.downloadSample("Bad")
    with pytest.raises(ValueError, match="downloads nothing"):
        SampleData.downloadSample("Far")
    with pytest.raises(ValueError, match="no sample"):
        SampleData.downloadSample("None")
    with pytest.raises(ValueError, match="different lengths"):
        register(sampleName="Odd", uris=["a", "b"], fileNames=["a"], nodeNames=["a"])
    with pytest.raises(FileNotFoundError):
        register(sampleName="Odd", uris="a", fileNames="a", nodeNames="a", thumbnailFileName="/none.png")


def test_volumes_and_segmentations_are_saved_and_loaded_by_the_real_storage(
    slicer_runtime: Any,
    tmp_path: Path,
) -> None:
    import slicer

    volume = slicer.util.loadVolume(str(_volume_file(tmp_path)))
    assert slicer.util.arrayFromVolume(volume)[2, 3, 4] == 59
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment_id = node.GetSegmentation().AddEmptySegment("a", "Liver", [1, 0, 0])
    mask = (slicer.util.arrayFromVolume(volume) > 30).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment_id, volume)
    path = str(tmp_path / "result.seg.nrrd")
    assert slicer.util.saveNode(node, path)
    loaded = slicer.util.loadSegmentation(path)
    assert loaded.GetSegmentation().GetNthSegment(0).GetName() == "Liver"
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(loaded, "a", volume), mask)
    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(str(tmp_path / "missing.nrrd"))
    with pytest.raises(NotImplementedError, match="MarkupsFile"):
        slicer.util.loadMarkups(path)


def test_terminologies_are_there_for_segments(slicer_runtime: Any) -> None:
    import slicer

    logic = slicer.modules.terminologies.logic()
    entry = slicer.vtkSlicerTerminologyEntry()
    context = "Segmentation category and type - 3D Slicer General Anatomy list"
    text = (
        f"{context}~SCT^123037004^Anatomical Structure~SCT^64033007^Kidney~SCT^7771000^Left"
        "~Anatomic codes - DICOM master list~^^~^^"
    )
    assert logic.DeserializeTerminologyEntry(text, entry)
    assert entry.GetTypeObject().GetCodeMeaning() == "Kidney"
    assert entry.GetTypeModifierObject().GetCodeValue() == "7771000"


def test_texts_are_translated_in_the_context_of_their_file_unless_placeholders_differ(
    slicer_runtime: Any,
) -> None:
    from slicer.i18n import tr as _

    translations = slicer_runtime.application.translations
    translations[("test_runtime_fakes", "Segment")] = "Segmentieren"
    translations[("test_runtime_fakes", "{count} cases")] = "{zahl} Fälle"
    assert _("Segment") == "Segmentieren"
    assert _("{count} cases").format(count=3) == "3 cases"
    assert _("Other") == "Other"


def test_restart_and_exit_are_recorded_and_do_not_happen(slicer_runtime: Any) -> None:
    import slicer

    slicer.app.restart()
    assert slicer_runtime.application.requested == ["restart"]
    with pytest.raises(RuntimeError, match="python shell"):
        slicer.util.pythonShell()


def test_a_process_runs_beside_the_event_loop(slicer_runtime: Any) -> None:
    import sys

    import slicer

    lines: list[str] = []
    codes: list[int] = []
    command = [sys.executable, "-c", "print('one'); print('two')"]
    slicer.util.launchConsoleProcess(command, blocking=False, logCallback=lines.append, completedCallback=codes.append)
    slicer_runtime.wait_until(lambda: bool(codes), 20)
    assert lines == ["one", "two"] and codes == [0]
