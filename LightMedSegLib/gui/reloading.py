"""Loading the library again when a developer reloads the module."""

from __future__ import annotations

import sys


def forget_library() -> None:
    """Drop the library from Python's list of modules, so that the next import reads its files again."""
    for name in [name for name in sys.modules if name.split(".")[0] == "LightMedSegLib"]:
        del sys.modules[name]
