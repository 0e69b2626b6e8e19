"""The appearance of warnings: the icon of the application's style, and one sentence per line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

_SIDE = 16


def warning_icon(widget: Any) -> Any:
    """The warning icon of the widget's style."""
    return widget.style().standardIcon(qt.QStyle.SP_MessageBoxWarning)


def show_warning_icon(label: Any) -> None:
    """Show the warning icon in a QLabel."""
    label.setPixmap(warning_icon(label).pixmap(qt.QSize(_SIDE, _SIDE)))


def as_list(sentences: Sequence[str]) -> str:
    """The sentences, one per line; with bullets if there are several, as each may wrap."""
    return "\n".join(sentences) if len(sentences) < 2 else "\n".join(f"• {sentence}" for sentence in sentences)
