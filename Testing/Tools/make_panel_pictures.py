"""Draw the panel in every state, to look at it: on a small and a large screen, light and dark, at 100 % and at 150 %.

    python Testing/Tools/make_panel_pictures.py panel-pictures [--only WORD ...]

A red line marks where Slicer's window ends: what lies below it has to be scrolled to. The segments, the figures and the
curves are invented; everything else is the panel's own. Needs what Testing/Runtime/README.md names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "Testing")]


@dataclass(frozen=True)
class Screen:
    """width, height: of what Slicer shows of a module, in Qt's pixels. scale: of Qt's pixels on the screen."""

    width: int
    height: int
    scale: float


SCREENS = {
    "1366x768-100": Screen(500, 459, 1.0),
    "1366x768-150": Screen(380, 203, 1.5),
    "1920x1080-100": Screen(600, 771, 1.0),
    "1920x1080-150": Screen(500, 411, 1.5),
}
THEMES = ("light", "dark")


def main() -> None:
    """Write all pictures; each screen needs a process, as Qt reads its scale once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="parts of names such as 1366x768-100 or dark")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        screen, theme = arguments.inside
        draw(arguments.folder / f"{screen}-{theme}", SCREENS[screen], theme)
        return
    for screen in SCREENS:
        for theme in THEMES:
            if all(word in f"{screen}-{theme}" for word in arguments.only):
                command = [sys.executable, __file__, str(arguments.folder), "--inside", screen, theme]
                subprocess.run(command, check=True)


def draw(folder: Path, screen: Screen, theme: str) -> None:
    """All states on one screen."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["QT_SCALE_FACTOR"] = str(screen.scale)
    with tempfile.TemporaryDirectory() as scratch:
        # Whoever draws the pictures may have models and cases of their own; they must not appear.
        os.environ["LIGHTMEDSEG_HOME"] = str(Path(scratch) / "home")
        from Runtime.bootstrap import start

        session = start(Path(scratch) / "slicer")
        session.reset()
        use_theme(theme)
        session.load_module(REPOSITORY / "LightMedSeg" / "LightMedSeg.py")
        from panel_states import PanelStates

        for name in PanelStates(session).walk():
            keep_picture(session, folder / f"{name}.png", screen)
        session.finish()


def use_theme(theme: str) -> None:
    """The palette of Slicer's light or dark style."""
    from PySide6 import QtGui, QtWidgets

    application = QtWidgets.QApplication.instance()
    application.setStyle("Fusion")
    palette = QtGui.QPalette()
    if theme == "dark":
        window, base, text = QtGui.QColor("#323232"), QtGui.QColor("#222222"), QtGui.QColor("#e6e6e6")
        roles = {
            "Window": window, "WindowText": text, "Base": base, "AlternateBase": window, "ToolTipBase": base,
            "ToolTipText": text, "Text": text, "Button": QtGui.QColor("#3c3c3c"), "ButtonText": text,
            "PlaceholderText": QtGui.QColor("#909090"), "Highlight": QtGui.QColor("#2a82da"),
            "Light": QtGui.QColor("#5a5a5a"), "Mid": QtGui.QColor("#2a2a2a"), "Dark": QtGui.QColor("#1e1e1e"),
        }  # fmt: skip
        for role, color in roles.items():
            palette.setColor(getattr(QtGui.QPalette, role), color)
        for role in ("WindowText", "Text", "ButtonText"):
            palette.setColor(QtGui.QPalette.Disabled, getattr(QtGui.QPalette, role), QtGui.QColor("#808080"))
    application.setPalette(palette)


def keep_picture(session: Any, path: Path, screen: Screen) -> None:
    """The whole panel as wide as on the screen, with a line where its visible part ends."""
    import slicer
    from PIL import Image, ImageDraw
    from Runtime.rendering import grab

    panel = slicer.modules.LightMedSegWidget.parent
    area = panel._checked().parentWidget().parentWidget()
    window = panel._checked().window()
    for height in (3000, 0):
        extra = window.width() - area.viewport().width()
        wanted = height or panel.layout().heightForWidth(screen.width) or panel.sizeHint.height()
        window.resize(screen.width + extra, max(wanted, screen.height) + window.height() - area.viewport().height())
        session.process_events(0.05)
    picture = Image.open(grab(panel, path)).convert("RGB")
    fold = round(screen.height * screen.scale)
    if fold < picture.height:
        ImageDraw.Draw(picture).line(((0, fold), (picture.width, fold)), "red")
    picture.save(path)


if __name__ == "__main__":
    main()
