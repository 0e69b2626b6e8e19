"""Finds PyTorch in Slicer, and installs it through the PyTorch extension when the user clicks."""

from __future__ import annotations

import importlib.util
import logging
import platform
import subprocess
import sys

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import DependencyError

EXTENSION = "PyTorch"


def torch_installed() -> bool:
    """Whether torch can be imported, without importing it."""
    return importlib.util.find_spec("torch") is not None


def extension_installed() -> bool:
    """Whether Slicer's PyTorch extension is installed."""
    return hasattr(slicer.modules, "pytorchutils")


def version_requirement() -> str:
    """The version specifier of torch for this computer."""
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        # 2.2 is the last release for macOS on Intel processors, for which Slicer's own Python is built.
        return ">=2.1.2"
    if sys.platform == "win32":
        # From 2.13 on, the paths of torch's licence files are too long for Windows.
        return ">=2.6,!=2.9.*,<2.13"
    return ">=2.6,!=2.9.*"


def missing_text() -> str:
    """The text above the button while PyTorch is missing."""
    if extension_installed():
        return _(
            "PyTorch is not installed yet. It runs the models and is installed once; the download is 200 MB or more. "
            "Without internet access, follow the documentation, Troubleshooting, A hospital without internet access."
        )
    return _(
        "PyTorch is not installed yet. It runs the models. Slicer's extension PyTorch installs it: click the button, "
        "or choose View / Extensions Manager, install PyTorch, and restart Slicer. Without internet access, "
        "follow the documentation, Troubleshooting, A hospital without internet access."
    )


def button_text() -> str:
    """The text of the button."""
    return _("Install PyTorch") if extension_installed() else _("Install the PyTorch extension")


def install() -> bool:
    """Install PyTorch, or first the extension that installs it; returns whether torch is installed then.

    Raises DependencyError with a sentence for the user, whatever fails.
    """
    if torch_installed():
        return True
    try:
        if not extension_installed():
            _install_extension()
            return False
        return _install_torch()
    except DependencyError:
        raise
    except subprocess.CalledProcessError as error:
        raise DependencyError(
            _(
                "PyTorch could not be installed (the installer ended with code {code}); check the internet connection "
                "and the free disk space, and look at the Python console for details."
            ).format(code=error.returncode)
        ) from error
    except Exception as error:
        # From Slicer, from the extension, or from a torch that does not run on this computer.
        logging.exception("LightMedSeg: installing PyTorch failed.")
        raise DependencyError(
            _("PyTorch could not be installed ({reason}); look at the Python console for details.").format(
                reason=str(error) or type(error).__name__
            )
        ) from error


def _install_extension() -> None:
    # Slicer can be built without the Extensions Manager; then it does not have this method.
    model = getattr(slicer.app, "extensionsManagerModel", None)
    manager = model() if model is not None else None
    if manager is None:
        raise DependencyError(
            _(
                "This Slicer has no Extensions Manager. Type slicer.util.pip_install('torch{versions}') in the Python "
                "console (View / Python Console) to install PyTorch, then restart Slicer."
            ).format(versions=version_requirement())
        )
    # The click has answered Slicer's questions already; the user decides when to restart.
    asks, manager.interactive = manager.interactive, False
    try:
        installed = manager.installExtensionFromServer(EXTENSION, False)
    finally:
        manager.interactive = asks
    if not installed:
        raise DependencyError(
            _(
                "The extension PyTorch could not be installed; open View / Extensions Manager and install it there. "
                "Without internet access, follow the documentation, Troubleshooting, A hospital without internet "
                "access."
            )
        )
    slicer.util.infoDisplay(_("The extension PyTorch is installed. Restart Slicer, then install PyTorch here."))


def _install_torch() -> bool:
    import PyTorchUtils  # type: ignore[import-not-found]

    installed = PyTorchUtils.PyTorchUtilsLogic().installTorch(
        askConfirmation=True, torchVersionRequirement=version_requirement()
    )
    return installed is not None and torch_installed()
