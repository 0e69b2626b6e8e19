"""PyTorchUtils, the module of Slicer's PyTorch extension: absent, or able to install torch, or failing at it."""

from __future__ import annotations

import subprocess
import sys
import types
from typing import Any

import slicer

from .torch_absence import HiddenTorch


class PyTorchExtension:
    """Whether the extension is there, and what its installTorch did."""

    def __init__(self, torch: HiddenTorch) -> None:
        self._torch = torch
        self.installation_fails = False
        self.requests: list[dict[str, Any]] = []

    def install(self) -> None:
        """The extension is installed: `import PyTorchUtils` and `slicer.modules.pytorchutils` work."""
        from ..application.modules import LoadableModule
        from ..pythonqt.classes import wrap

        module = types.ModuleType("PyTorchUtils", "Fake of the PyTorch extension's module.")
        module.PyTorchUtilsLogic = _logic_class(self, self._torch)  # type: ignore[attr-defined]
        sys.modules["PyTorchUtils"] = module
        slicer.modules.add(wrap(LoadableModule("PyTorchUtils", None)))

    def remove(self) -> None:
        sys.modules.pop("PyTorchUtils", None)
        slicer.modules.remove("PyTorchUtils")
        self.installation_fails = False
        self.requests.clear()


def _logic_class(extension: PyTorchExtension, hidden: HiddenTorch) -> type:
    class PyTorchUtilsLogic:
        """Installs by revealing the torch that the runtime has hidden."""

        @staticmethod
        def torchInstalled() -> bool:
            return not hidden.hidden

        @property
        def torch(self) -> Any:
            import torch

            return torch

        def installTorch(
            self, askConfirmation: bool = False, forceComputationBackend: str | None = None,
            torchVersionRequirement: str | None = None, torchvisionVersionRequirement: str | None = None,
        ) -> Any:  # fmt: skip
            """None if the user refuses; raises CalledProcessError if the installation fails."""
            extension.requests.append({"backend": forceComputationBackend, "version": torchVersionRequirement})
            question = "PyTorch will be downloaded and installed. The process might take some minutes."
            if askConfirmation and not slicer.util.confirmOkCancelDisplay(question):
                return None
            if extension.installation_fails:
                raise subprocess.CalledProcessError(1, ["PythonSlicer", "-m", "light_the_torch"])
            hidden.reveal()
            import torch

            return torch

        def getDevice(self) -> Any:
            return "cpu"

    return PyTorchUtilsLogic
