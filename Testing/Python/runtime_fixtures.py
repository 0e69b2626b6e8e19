"""The fixture `slicer_runtime`: a scripted module under test without the Slicer application."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY / "Testing") not in sys.path:
    sys.path.insert(0, str(REPOSITORY / "Testing"))

for _package, _name in (("slicer_core", "slicer-core"), ("PySide6", "PySide6-Essentials")):
    if os.environ.get("CI"):
        # Where the result counts, a missing package is a failure, not a reason to skip.
        importlib.util.find_spec(_package) or importlib.import_module(_package)
    elif importlib.util.find_spec(_package) is None:
        pytest.skip(f"needs the package {_name}", allow_module_level=True)


@pytest.fixture
def slicer_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An empty Slicer with a main window; at the end no exception may have been swallowed."""
    from Runtime.bootstrap import start

    session = start(tmp_path_factory.getbasetemp() / "slicer-home")
    session.reset()
    yield session
    session.finish()
