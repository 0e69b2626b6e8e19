"""PyTorch inside Slicer: whether it is there, and installing it on the user's click through the PyTorch extension."""

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
    """Whether torch can be imported; it is not imported for that."""
    return importlib.util.find_spec("torch") is not None


def extension_installed() -> bool:
    """Whether Slicer's PyTorch extension is there."""
    return hasattr(slicer.modules, "pytorchutils")


def version_requirement() -> str:
    """The versions of torch to ask for on this computer."""
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        # Nothing newer than 2.2 was ever made for Intel's macOS, which Slicer's own Python is built for.
        return ">=2.1.2"
    if sys.platform == "win32":
        # From 2.13 on, the paths of its licence files are too long for Windows.
        return ">=2.6,!=2.9.*,<2.13"
    return ">=2.6,!=2.9.*"


def missing_text() -> str:
    """What the panel says while torch is missing."""
    if extension_installed():
        return _(
            "PyTorch is not installed yet. It runs the models, is needed once, and is a download of 200 MB or more."
        )
    return _(
        "PyTorch is not installed yet. It runs the models. Slicer's extension PyTorch installs it: click the button, "
        "or choose View / Extension Manager, install PyTorch, and restart Slicer. Without internet access, "
        "install the extension from a file there."
    )


def button_text() -> str:
    """What the panel's button offers."""
    return _("Install PyTorch") if extension_installed() else _("Install the PyTorch extension")


def install() -> bool:
    """What the button does: install torch, or first the extension for it; True when torch is there.

    Raises DependencyError in words when it fails, whatever the reason.
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
        # Of Slicer's or the extension's own parts, or of a torch that does not run on this computer.
        logging.exception("LightMedSeg: installing PyTorch failed.")
        raise DependencyError(
            _("PyTorch could not be installed ({reason}); look at the Python console for details.").format(
                reason=str(error) or type(error).__name__
            )
        ) from error


def _install_extension() -> None:
    # Slicer can be built without the Extension Manager; then it does not have this method.
    model = getattr(slicer.app, "extensionsManagerModel", None)
    manager = model() if model is not None else None
    if manager is None:
        raise DependencyError(
            _(
                "This Slicer has no Extension Manager. Type slicer.util.pip_install('torch{versions}') in the Python "
                "console (View / Python Console) to install PyTorch, then restart Slicer."
            ).format(versions=version_requirement())
        )
    # The click on the button was the answer to Slicer's questions; a restart is left to the user.
    asks, manager.interactive = manager.interactive, False
    try:
        installed = manager.installExtensionFromServer(EXTENSION, False)
    finally:
        manager.interactive = asks
    if not installed:
        raise DependencyError(
            _(
                "The extension PyTorch could not be installed; open View / Extension Manager and install it there, "
                "or from a file if this computer has no internet access."
            )
        )
    slicer.util.infoDisplay(_("The extension PyTorch is installed. Restart Slicer, then install PyTorch here."))


def _install_torch() -> bool:
    import PyTorchUtils  # type: ignore[import-not-found]

    installed = PyTorchUtils.PyTorchUtilsLogic().installTorch(
        askConfirmation=True, torchVersionRequirement=version_requirement()
    )
    return installed is not None and torch_installed()
