"""What a test does with the runtime: load the module, open its panel, wait, answer dialogs, look for errors."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
from patience import Patience
from PySide6 import QtCore, QtWidgets

from .application.main_window import MainWindow
from .application.modules import LoadableModule, add_scripted_module, remove_scripted_module
from .application.segment_editor import SegmentEditorModule
from .fakes.packaging_module import PackagingFake
from .fakes.pytorch_utils import PyTorchExtension
from .fakes.torch_absence import HiddenTorch
from .pythonqt.classes import wrap
from .pythonqt.dialogs import Shown, dialogs
from .pythonqt.errors import install_hooks, remove_hooks, swallowed


def record_delay_display(message: str, autoCloseMsec: int = 1000, parent: Any = None, **kwargs: Any) -> None:
    """slicer.util.delayDisplay without the wait."""
    logging.info(message)
    dialogs.shown.append(Shown("delay", "", message))
    QtWidgets.QApplication.processEvents()


class Session:
    """The one Slicer of this process; `reset` before and `finish` after each test."""

    def __init__(self, home: Path, application: Any, logics: dict[str, Any], packaging: PackagingFake) -> None:
        self.home, self.application, self.logics, self.packaging = home, application, logics, packaging
        self.dialogs, self.errors = dialogs, swallowed
        self.torch = HiddenTorch()
        self.pytorch = PyTorchExtension(self.torch)
        self.extensions = application.extensionsManagerModel()
        self._loaded: list[str] = []
        self._main_window: MainWindow | None = None
        slicer.modules.add(wrap(LoadableModule("Data", None)))
        slicer.modules.add(wrap(SegmentEditorModule()))

    @property
    def scene(self) -> Any:
        return slicer.mrmlScene

    def reset(self, main_window: bool = True) -> None:
        """An empty scene, default settings, no module, no errors; with a main window or without one."""
        install_hooks()
        self._leave_module()
        for name in self._loaded:
            remove_scripted_module(name)
        self._loaded.clear()
        self._set_main_window(main_window)
        slicer.mrmlScene.Clear(0)
        QtCore.QSettings().clear()
        self.torch.reveal()
        self.pytorch.remove()
        self.packaging.reset()
        self.extensions.reset()
        slicer.modules.sampleDataSources.clear()
        slicer.selfTests = {}
        self.application.requested.clear()
        self.application.translations.clear()
        self.application.commandOptions().testing = False
        self.application._startup_done = False
        if self._main_window is not None:
            # Of two windows, closing the active one leaves none active here; in Slicer the main window is again.
            self._main_window.activateWindow()
        self.process_events()
        self.dialogs.clear()
        self.errors.take()

    def finish(self) -> None:
        """Raises AssertionError for swallowed exceptions, unused answers, a wait cursor or paused views left."""
        remove_hooks()
        # The next test may be one that needs no Slicer.
        self.torch.reveal()
        problems = [f"{error.where}:\n{error.text}" for error in self.errors.take()]
        problems += [f"Prepared answer was not asked for: {answer!r}" for answer in self.dialogs.unused_answers()]
        self.dialogs.clear()
        if self.application.overrideCursor() is not None:
            problems.append("The wait cursor was not restored.")
            while self.application.overrideCursor() is not None:
                self.application.restoreOverrideCursor()
        if self.application._render_pauses:
            problems.append("The views were left paused.")
            self.application._render_pauses = 0
        if problems:
            raise AssertionError("\n".join(problems))

    def load_module(self, path: Path | str) -> Any:
        """Register the scripted module in this file, as at Slicer's start; no panel is made yet."""
        module = add_scripted_module(Path(path))
        self._loaded.append(Path(path).stem)
        self.application.complete_startup()
        return module

    def open_module(self, name: str) -> Any:
        """Select the module as the user does; returns the instance of its Python widget class."""
        if self._main_window is None:
            panel = slicer.modules.by_name(name).widgetRepresentation()
            panel._checked().enter()
        else:
            self._main_window.moduleSelector().selectModule(name)
        self.process_events()
        return getattr(slicer.modules, f"{name}Widget")

    def leave_module(self) -> None:
        """Another module is selected."""
        self._leave_module()
        self.process_events()

    def _leave_module(self) -> None:
        if self._main_window is not None:
            self._main_window.moduleSelector().leave()
            self._main_window.release_panel()

    def _set_main_window(self, wanted: bool) -> None:
        if wanted and self._main_window is None:
            self._main_window = MainWindow()
            self._main_window.resize(520, 900)
            self._main_window.show()
        elif not wanted and self._main_window is not None:
            self._main_window.hide()
            self._main_window.setObjectName("")
            self._main_window.deleteLater()
            self._main_window = None

    @property
    def selected_module(self) -> str:
        return str(self._main_window.moduleSelector().selectedModule) if self._main_window else ""

    @contextmanager
    def testing_mode(self) -> Iterator[None]:
        """As if Slicer was started with --testing."""
        options = self.application.commandOptions()
        options.testing = True
        try:
            yield
        finally:
            options.testing = False

    def process_events(self, seconds: float = 0.0) -> None:
        """Run Qt's event loop: what is due now, or everything for some time."""
        end = time.monotonic() + seconds
        while True:
            self.application.processEvents()
            self.application.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
            if time.monotonic() >= end:
                return
            time.sleep(0.002)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 30.0, what: str = "the condition") -> None:
        """Run the event loop until the condition holds. Raises AssertionError if it does not in time (patience.py)."""
        patience = Patience(seconds, what)
        while not condition():
            patience.check()
            self.process_events(0.005)

    @contextmanager
    def longest_block(self) -> Iterator[list[float]]:
        """Measures the longest time in seconds for which the event loop did not run, as [value] after the block."""
        timer, result = QtCore.QTimer(), [0.0]
        last = [time.perf_counter()]

        def tick() -> None:
            now = time.perf_counter()
            result[0] = max(result[0], now - last[0])
            last[0] = now

        timer.timeout.connect(tick)
        timer.start(1)
        try:
            yield result
        finally:
            tick()
            timer.stop()

    def close_scene(self) -> None:
        """File / Close Scene."""
        slicer.mrmlScene.Clear(0)
        self.process_events()

    @staticmethod
    def forget_imports(prefix: str) -> None:
        """Drop a package from sys.modules, so that the next import is a first one."""
        for name in [name for name in sys.modules if name == prefix or name.startswith(f"{prefix}.")]:
            del sys.modules[name]
