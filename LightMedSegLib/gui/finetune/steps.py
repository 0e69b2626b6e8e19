"""The three steps of fine-tuning. One is open at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from LightMedSegLib.gui.panel import Panel

ADD, TRAIN, DECIDE = range(3)

_LAYOUT_MILLISECONDS = 100
"""Nested sections need several passes of the event loop until their sizes are final."""


class FinetuneSteps:
    """Keeps one of the three steps open."""

    def __init__(self, panel: Panel) -> None:
        self._ui = panel.ui
        self._wanted: Any = None
        self._buttons = (self._ui.addCaseGroup, self._ui.trainGroup, self._ui.decideGroup)
        for step, button in enumerate(self._buttons):
            button.connect("contentsCollapsed(bool)", self._closing_the_others(step))
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.interval = _LAYOUT_MILLISECONDS
        self._timer.connect("timeout()", self._scroll)

    def open(self, step: int) -> None:
        """Open a step and scroll to it."""
        self._buttons[step].collapsed = False
        self.bring_into_view(self._buttons[step])

    def bring_into_view(self, widget: Any) -> None:
        """Scroll to a widget once pending changes are laid out; one that is not fully visible goes to the top."""
        self._wanted = widget
        self._timer.start()

    def close(self) -> None:
        """Stop the timer; called before the panel is destroyed."""
        self._timer.stop()

    def _closing_the_others(self, step: int) -> Callable[[bool], None]:
        def on_collapsed(collapsed: bool) -> None:
            for other, button in enumerate(self._buttons):
                if not collapsed and other != step:
                    button.collapsed = True

        return on_collapsed

    def _scroll(self) -> None:
        widget = self._wanted
        area = widget.parentWidget()
        while area is not None and not area.inherits("QScrollArea"):
            area = area.parentWidget()
        if area is None or not widget.visible:
            return
        bar, top = area.verticalScrollBar(), widget.mapTo(area.widget(), qt.QPoint(0, 0)).y()
        if top < bar.value or top + widget.height > bar.value + area.viewport().height:
            bar.setValue(top)
