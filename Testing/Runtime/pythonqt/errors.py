"""Collects the exceptions that PythonQt and VTK print and swallow, so that a test can fail for them."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PySide6 import QtCore


@dataclass(frozen=True)
class CollectedError:
    """One exception that was raised where Slicer would only have printed it."""

    where: str
    exception: BaseException
    text: str


class SwallowedErrors:
    """Exceptions of slots, observers and event handlers since the last `take()`."""

    def __init__(self) -> None:
        self._errors: list[CollectedError] = []

    def collect(self, where: str, exception: BaseException) -> None:
        text = "".join(traceback.format_exception(type(exception), exception, exception.__traceback__))
        self._errors.append(CollectedError(where, exception, text))
        print(f"Exception in {where}:\n{text}", file=sys.stderr)

    def take(self) -> list[CollectedError]:
        """The errors so far; the list is empty afterwards."""
        errors, self._errors = self._errors, []
        return errors

    @contextmanager
    def expected(self, kind: type[BaseException]) -> Iterator[list[CollectedError]]:
        """Everything swallowed in the block must be of this kind, and there must be something.

        Raises AssertionError otherwise. Gives the list that holds the errors after the block.
        """
        before = self.take()
        found: list[CollectedError] = []
        try:
            yield found
        finally:
            found.extend(self.take())
            self._errors = before + [error for error in found if not isinstance(error.exception, kind)]
        if not any(isinstance(error.exception, kind) for error in found):
            raise AssertionError(f"No {kind.__name__} was raised in a slot or observer.")


swallowed = SwallowedErrors()


def install_hooks() -> None:
    """Collect what VTK observers and Qt event handlers print: both report through `sys.excepthook`."""
    sys.excepthook = lambda kind, value, trace: swallowed.collect("an observer or event handler", value)
    QtCore.qInstallMessageHandler(_on_qt_message)


def remove_hooks() -> None:
    sys.excepthook = sys.__excepthook__
    QtCore.qInstallMessageHandler(None)


def _on_qt_message(kind: QtCore.QtMsgType, context: object, message: str) -> None:
    """A warning of Qt is a mistake of the module, except what the display-less platform always says."""
    if "propagateSizeHints" in message or kind in (QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg):
        return
    swallowed.collect("Qt", RuntimeWarning(message))
