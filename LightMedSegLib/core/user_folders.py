"""Where model packages live on this computer."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "LIGHTMEDSEG_HOME"


def shipped_models_folder() -> Path | None:
    """The models that came with the program, or None if there are none.

    Looked for inside the library (wheel), beside it (source tree, installed extension), and in the share folder
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
    """The folder of the user's own models, which may not exist yet; LIGHTMEDSEG_HOME moves it."""
    return user_data_folder() / "models"


def user_data_folder() -> Path:
    """The program's folder in the user's data: as the platform has it, or LIGHTMEDSEG_HOME if that is set."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        # The specification of XDG folders says that a relative path must be ignored.
        configured = Path(os.environ.get("XDG_DATA_HOME") or "")
        base = configured if configured.is_absolute() else Path.home() / ".local" / "share"
    return base / "LightMedSeg"
