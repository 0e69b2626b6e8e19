"""A Slicer without PyTorch: the panel explains itself, and installs on the user's click only."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from panel_bench import MODULE_FILE
from paths import REPOSITORY

TROUBLESHOOTING = REPOSITORY / "Documentation" / "troubleshooting.md"


@pytest.fixture
def without_torch(slicer_runtime: Any) -> Any:
    """The runtime with torch hidden and the module opened."""
    slicer_runtime.torch.hide()
    slicer_runtime.load_module(MODULE_FILE)
    return slicer_runtime.open_module("LightMedSeg")


def test_without_torch_and_extension_the_panel_says_how(without_torch: Any) -> None:
    ui = without_torch.ui
    assert ui.torchFrame.visible
    assert "Extensions Manager" in ui.torchLabel.text and "restart Slicer" in ui.torchLabel.text
    section = "A hospital without internet access"
    assert f"Troubleshooting, {section}" in ui.torchLabel.text
    assert f"\n## {section}\n" in TROUBLESHOOTING.read_text(encoding="utf-8")
    assert ui.installTorchButton.text == "Install the PyTorch extension"
    assert not ui.segmentButton.enabled
    assert ui.segmentButton.toolTip == "Install PyTorch first (see above)."
    assert ui.structuresLabel.text, "models are described all the same"


def test_the_button_installs_the_extension_and_asks_for_a_restart(slicer_runtime: Any, without_torch: Any) -> None:
    slicer_runtime.extensions.offer("PyTorch", slicer_runtime.pytorch.install)
    without_torch.ui.installTorchButton.click()
    assert slicer_runtime.extensions.requests == [("PyTorch", False)], "no restart without the user"
    assert slicer_runtime.extensions.interactive
    assert "Restart Slicer" in slicer_runtime.dialogs.texts("info")[0]
    assert without_torch.ui.installTorchButton.text == "Install PyTorch"
    assert slicer_runtime.pytorch.requests == []


def test_an_extension_that_cannot_be_had_is_said(slicer_runtime: Any, without_torch: Any) -> None:
    without_torch.ui.installTorchButton.click()
    assert "could not be installed; open View / Extensions Manager" in slicer_runtime.dialogs.texts("error")[0]
    assert without_torch.ui.torchFrame.visible


def test_with_the_extension_the_button_installs_torch(slicer_runtime: Any, without_torch: Any) -> None:
    import qt

    slicer_runtime.pytorch.install()
    without_torch.update()
    assert without_torch.ui.installTorchButton.text == "Install PyTorch"
    slicer_runtime.dialogs.answer(qt.QMessageBox.Ok)
    without_torch.ui.installTorchButton.click()
    assert len(slicer_runtime.pytorch.requests) == 1
    assert "!=2.9.*" in slicer_runtime.pytorch.requests[0]["version"]
    assert not without_torch.ui.torchFrame.visible
    assert without_torch.ui.segmentButton.toolTip != "Install PyTorch first (see above)."


def test_refusing_the_download_changes_nothing(slicer_runtime: Any, without_torch: Any) -> None:
    import qt

    slicer_runtime.pytorch.install()
    slicer_runtime.dialogs.answer(qt.QMessageBox.Cancel)
    without_torch.ui.installTorchButton.click()
    assert without_torch.ui.torchFrame.visible
    assert slicer_runtime.dialogs.texts("error") == []


def test_a_failed_installation_is_said_with_what_to_do(slicer_runtime: Any, without_torch: Any) -> None:
    import qt

    slicer_runtime.pytorch.install()
    slicer_runtime.pytorch.installation_fails = True
    slicer_runtime.dialogs.answer(qt.QMessageBox.Ok)
    without_torch.ui.installTorchButton.click()
    assert "check the internet connection" in slicer_runtime.dialogs.texts("error")[0]
    assert without_torch.ui.torchFrame.visible


def test_a_torch_that_was_installed_but_does_not_start_is_said(
    slicer_runtime: Any,
    without_torch: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slicer_runtime.pytorch.install()
    import PyTorchUtils

    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError("a system library is missing")

    monkeypatch.setattr(PyTorchUtils.PyTorchUtilsLogic, "installTorch", fail)
    without_torch.ui.installTorchButton.click()
    assert "PyTorch could not be installed (a system library is missing)" in slicer_runtime.dialogs.texts("error")[0]


def fails(error: BaseException) -> Any:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("error", [AttributeError("no such part"), KeyError(), RuntimeError(), AssertionError("what")])
def test_whatever_goes_wrong_is_said_and_the_button_can_be_used_again(
    slicer_runtime: Any,
    without_torch: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    slicer_runtime.pytorch.install()
    import PyTorchUtils

    monkeypatch.setattr(PyTorchUtils.PyTorchUtilsLogic, "installTorch", fails(error))
    without_torch.ui.installTorchButton.click()
    said = slicer_runtime.dialogs.texts("error")[0]
    assert said.startswith(f"PyTorch could not be installed ({str(error) or type(error).__name__})")
    ui = without_torch.ui
    assert ui.torchFrame.visible and ui.installTorchButton.enabled
    assert "Installing" not in ui.torchLabel.text and "not installed yet" in ui.torchLabel.text


def test_a_server_that_cannot_be_asked_is_said(
    slicer_runtime: Any,
    without_torch: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = type(slicer_runtime.extensions)
    monkeypatch.setattr(manager, "installExtensionFromServer", fails(RuntimeError("no server")))
    without_torch.ui.installTorchButton.click()
    assert "could not be installed (no server)" in slicer_runtime.dialogs.texts("error")[0]
    assert "Installing" not in without_torch.ui.torchLabel.text


@pytest.mark.parametrize("there", [False, True], ids=["no method", "no model"])
def test_a_slicer_without_extension_manager_says_what_to_type(
    slicer_runtime: Any,
    without_torch: Any,
    monkeypatch: pytest.MonkeyPatch,
    there: bool,
) -> None:
    import slicer

    from LightMedSegLib.gui import torch_setup

    application = SimpleNamespace(extensionsManagerModel=lambda: None) if there else SimpleNamespace()
    monkeypatch.setattr(
        torch_setup, "slicer", SimpleNamespace(app=application, modules=slicer.modules, util=slicer.util)
    )
    without_torch.ui.installTorchButton.click()
    said = slicer_runtime.dialogs.texts("error")[0]
    assert "slicer.util.pip_install('torch>=2.6" in said and "has no Extensions Manager" in said
    ui = without_torch.ui
    assert ui.installTorchButton.enabled and "not installed yet" in ui.torchLabel.text


def test_a_failure_is_said_although_the_panel_was_left_meanwhile(slicer_runtime: Any, without_torch: Any) -> None:
    slicer_runtime.leave_module()
    without_torch.torch.install()
    assert "could not be installed" in slicer_runtime.dialogs.texts("error")[0]
    assert "Installing" not in without_torch.ui.torchLabel.text


@pytest.mark.parametrize(
    ("platform", "machine", "wanted"),
    [
        ("linux", "x86_64", ">=2.6,!=2.9.*"),
        ("win32", "AMD64", ">=2.6,!=2.9.*,<2.13"),
        ("darwin", "arm64", ">=2.6,!=2.9.*"),
        ("darwin", "x86_64", ">=2.1.2"),
    ],
)
def test_each_platform_gets_a_version_that_exists_there(
    slicer_runtime: Any,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    machine: str,
    wanted: str,
) -> None:
    from LightMedSegLib.gui import torch_setup

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(torch_setup.platform, "machine", lambda: machine)
    assert torch_setup.version_requirement() == wanted


def test_scripts_get_the_librarys_own_words_without_torch(slicer_runtime: Any, without_torch: Any) -> None:
    from LightMedSegLib.core.errors import DependencyError
    from LightMedSegLib.gui.self_test.scenarios import make_volume

    with pytest.raises(DependencyError, match="PyTorch is not installed"):
        without_torch.logic.process(make_volume())
