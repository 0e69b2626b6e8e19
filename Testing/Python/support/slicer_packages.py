"""Which of Slicer's packages this environment lacks, and what cannot be tested without them."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest

_PACKAGES = {"slicer": "slicer-core", "PySide6": "PySide6-Essentials"}

_BOTH = ("slicer", "PySide6")
SLICER_ROOMS = {"mrml": ("slicer",), "gui": _BOTH, "runtime": _BOTH, "strokes": _BOTH}
"""The folders of tests that cannot be imported, or not be run, without these modules."""


def missing_package(*modules: str) -> str | None:
    """The name on PyPI of the first of these modules that is not installed.

    None where CI is set: where the result counts, a missing package is a failure, not a reason to skip.
    """
    if os.environ.get("CI"):
        return None
    return next((_PACKAGES[module] for module in modules if importlib.util.find_spec(module) is None), None)


class SkippedModule(pytest.Module):
    """A file of tests that is skipped without being imported."""

    def __init__(self, *, missing: str, **others: Any):
        super().__init__(**others)
        self._missing = missing

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip(f"needs the package {self._missing}")
