"""Hides an installed torch, so that the panel of a Slicer without it can be tested."""

from __future__ import annotations

import sys
from types import ModuleType


class HiddenTorch:
    """While hidden, `import torch` fails and `importlib.util.find_spec("torch")` is None."""

    def __init__(self) -> None:
        self._stash: dict[str, ModuleType | None] | None = None

    @property
    def hidden(self) -> bool:
        return self._stash is not None

    def hide(self) -> None:
        if self._stash is None:
            names = [name for name in sys.modules if name == "torch" or name.startswith("torch.")]
            # Removed and put back as they are: torch cannot be imported twice in one process.
            self._stash = {name: sys.modules.pop(name) for name in names}
            sys.modules["torch"] = None  # type: ignore[assignment]

    def reveal(self) -> None:
        if self._stash is not None:
            sys.modules.pop("torch", None)
            sys.modules.update({name: module for name, module in self._stash.items() if module is not None})
            self._stash = None
