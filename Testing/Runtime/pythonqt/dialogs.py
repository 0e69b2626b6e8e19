"""Dialogs never block: what would have been shown is recorded, and the test gives the user's answer beforehand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import swallowed


class UnansweredDialogError(AssertionError):
    """A dialog asked the user something for which the test has prepared no answer."""


@dataclass(frozen=True)
class Shown:
    """One dialog that the user would have seen."""

    kind: str
    title: str
    text: str
    details: dict[str, Any] = field(default_factory=dict)


class Dialogs:
    """The dialogs shown since `clear()`, and the answers to come."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self._answers: deque[Any] = deque()

    def answer(self, *values: Any) -> None:
        """Prepare answers: a button (qt.QMessageBox.Yes), a path or text, or a function of the dialog."""
        self._answers.extend(values)

    def texts(self, kind: str | None = None) -> list[str]:
        return [shown.text for shown in self.shown if kind in (None, shown.kind)]

    def clear(self) -> None:
        self.shown.clear()
        self._answers.clear()

    def unused_answers(self) -> list[Any]:
        return list(self._answers)

    def ask(self, shown: Shown, dialog: Any, default: Any = UnansweredDialogError) -> Any:
        """Record the dialog and return its answer; raises UnansweredDialogError where a default is not safe."""
        self.shown.append(shown)
        if self._answers:
            value = self._answers.popleft()
            return value(dialog) if callable(value) else value
        if default is UnansweredDialogError:
            error = UnansweredDialogError(
                f"The {shown.kind} dialog '{shown.title}: {shown.text}' has no prepared answer."
            )
            # Recorded here too: the caller may be inside a handler that hides it.
            swallowed.collect("a dialog", error)
            raise error
        return default

    def only_button(self, buttons: int) -> Any:
        """The one button of a message that leaves no choice; UnansweredDialogError where there is a choice."""
        return buttons if buttons and buttons & (buttons - 1) == 0 else UnansweredDialogError


dialogs = Dialogs()
DialogFunction = Callable[..., Any]
