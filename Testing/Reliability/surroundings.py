"""What every row needs: the import path, a user's folder of its own, and no dependence on the computer's speed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "Testing" / "Python"
PYTHON_PATHS = [str(REPOSITORY), str(REPOSITORY / "Testing"), str(TESTS / "support"), str(TESTS / "reliability")]


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a process that runs code of this repository."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(PYTHON_PATHS), "OMP_NUM_THREADS": "1", **more}


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that is removed at the end; the user's models and cases lie in it meanwhile."""
    kept = {name: os.environ.get(name) for name in ("LIGHTMEDSEG_HOME", "LIGHTMEDSEG_CPU_PATH")}
    with tempfile.TemporaryDirectory(prefix="lightmedseg-reliability-") as name:
        os.environ["LIGHTMEDSEG_HOME"] = str(Path(name) / "home")
        os.environ["LIGHTMEDSEG_CPU_PATH"] = "float32"
        try:
            yield Path(name)
        finally:
            for variable, value in kept.items():
                if value is None:
                    del os.environ[variable]
                else:
                    os.environ[variable] = value
