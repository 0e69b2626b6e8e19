"""Folders of model packages and user data on this computer."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "LIGHTMEDSEG_HOME"

NO_HOME = Path(os.devnull)
"""Placeholder for the home folder of an account without one: it is empty, and nothing can be created in it."""


def shipped_models_folder() -> Path | None:
    """Return the folder of the shipped models, or None if there is none.

    It is searched inside the library (wheel), beside it (source tree, installed extension), and in the share folder
    of the Python installation.
    """
    library = Path(__file__).resolve().parents[1]
    candidates = (
        library / "_resources" / "Models",
        library.parent / "Resources" / "Models",
        Path(sys.prefix) / "share" / "lightmedseg" / "Models",
    )
    return next((folder for folder in candidates if folder.is_dir()), None)


def user_models_folder() -> Path:
    """Return the folder of the user's own models, which may not exist yet; LIGHTMEDSEG_HOME moves it."""
    return user_data_folder() / "models"


def user_data_folder() -> Path:
    """The program's folder in the user's data: as the platform has it, or LIGHTMEDSEG_HOME if that is set.

    An account without a home folder gets one below NO_HOME: it is empty, and what has to write there says why not.
    """
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return expanded(Path(chosen)).absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Application Support"
    else:
        # The specification of XDG folders says that a relative path must be ignored.
        configured = Path(os.environ.get("XDG_DATA_HOME") or "")
        base = configured if configured.is_absolute() else _home() / ".local" / "share"
    return base / "LightMedSeg"


def expanded(path: Path) -> Path:
    """path with ~ expanded; like a shell, path itself where nobody has such a home folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # Containers run as users who have no name, and no variable HOME.
        return NO_HOME
