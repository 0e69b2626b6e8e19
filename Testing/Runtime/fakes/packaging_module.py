"""slicer.packaging: checks what is really installed, asks, and records what would be installed."""

from __future__ import annotations

import importlib.metadata
import subprocess
import threading
import types
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement


class PackagingFake:
    """State of the fake: what the test declares missing, whether installing works, what was installed."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.installation_fails = False
        self.installed: list[str] = []

    def reset(self) -> None:
        self.missing.clear()
        self.installed.clear()
        self.installation_fails = False

    def module(self) -> types.ModuleType:
        module = types.ModuleType("slicer.packaging", "Fake of Slicer's package installation.")
        for name in ("load_requirements", "pip_check", "pip_ensure", "pip_install", "pip_uninstall"):
            setattr(module, name, getattr(self, name))
        module.isPipInstallInProgress = lambda: False  # type: ignore[attr-defined]
        return module

    @staticmethod
    def load_requirements(path: str | Path) -> list[Requirement]:
        lines = [line.strip() for line in Path(path).read_text().splitlines()]
        return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]

    def pip_check(self, requirements: Any) -> bool:
        """Raises TypeError for a text: Slicer's takes Requirement objects only."""
        for requirement in requirements if isinstance(requirements, list) else [requirements]:
            if not isinstance(requirement, Requirement):
                raise TypeError(f"pip_check takes packaging.requirements.Requirement objects, not {requirement!r}.")
            if requirement.name in self.missing:
                return False
            try:
                version = importlib.metadata.version(requirement.name)
            except importlib.metadata.PackageNotFoundError:
                return False
            if not requirement.specifier.contains(version, prereleases=True):
                return False
        return True

    def pip_ensure(
        self, requirements: list[Requirement], constraints: Any = None, skip_packages: Any = None,
        prompt_install: bool = True, prompt_restart: bool = True, requester: str | None = None,
        skip_in_testing: bool = True, show_progress: bool = True,
    ) -> None:  # fmt: skip
        """Raises RuntimeError if the user declines, CalledProcessError if the installation fails."""
        import slicer

        missing = [requirement for requirement in requirements if not self.pip_check(requirement)]
        if not missing or (skip_in_testing and slicer.app.testingEnabled()):
            return
        names = ", ".join(str(requirement) for requirement in missing)
        if prompt_install and not slicer.util.confirmOkCancelDisplay(f"{requester} needs {names}. Install now?"):
            raise RuntimeError("Package installation was declined.")
        self.pip_install([str(requirement) for requirement in missing])

    def pip_install(self, requirements: Any, **options: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("pip_install was called outside the main thread.")
        if self.installation_fails:
            raise subprocess.CalledProcessError(1, ["PythonSlicer", "-m", "pip", "install"])
        for requirement in [requirements] if isinstance(requirements, str) else requirements:
            self.installed.append(str(requirement))
            self.missing.discard(Requirement(str(requirement)).name)

    def pip_uninstall(self, requirements: Any, **options: Any) -> None:
        names = requirements.split() if isinstance(requirements, str) else requirements
        self.missing.update(Requirement(str(name)).name for name in names)
