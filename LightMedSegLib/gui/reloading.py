"""Reloads the library together with the module, for developers."""

from __future__ import annotations

import sys


def forget_library() -> None:
    """Remove the library from sys.modules, so that the next import reads its files again."""
    for name in [name for name in sys.modules if name.split(".")[0] == "LightMedSegLib"]:
        del sys.modules[name]
