"""How warnings look: with the sign of the application's style, which suits its theme, and one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

_SIDE = 16


def warning_icon(widget: Any) -> Any:
    """The style's sign for a warning."""
    return widget.style().standardIcon(qt.QStyle.SP_MessageBoxWarning)


def show_warning_icon(label: Any) -> None:
    """Let a QLabel show that sign."""
    label.setPixmap(warning_icon(label).pixmap(qt.QSize(_SIDE, _SIDE)))


def as_list(sentences: Sequence[str]) -> str:
    """Sentences one below the other; with bullets if there are several, as each may need more than a line."""
    return "\n".join(sentences) if len(sentences) < 2 else "\n".join(f"• {sentence}" for sentence in sentences)
