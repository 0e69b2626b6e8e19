"""The tests in environments of every supported version of Python, numpy, PyTorch and Slicer's core.

Every cell gets an environment of its own, kept for the next time (LIGHTMEDSEG_ENVIRONMENTS moves them), and runs the
tests that its packages are enough for. A cell whose packages the index does not offer for this computer, or whose
Python is not installed, is not run, and the table says so. CI runs the present cell only, as count 0 does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Reliability.surroundings import REPOSITORY
from Reliability.tally import Tally, main

ROW, COUNT = "compatibility", 14

ENVIRONMENTS = Path(os.environ.get("LIGHTMEDSEG_ENVIRONMENTS") or "reliability-output/environments").absolute()

LIBRARY_TESTS = (
    "core/test_geometry.py", "inference/test_preprocessing.py", "inference/test_postprocessing.py",
    "inference/test_segmentation.py", "inference/test_segmentation_failures.py", "inference/test_inference.py",
    "model/test_model_package.py", "model/test_model_package_network.py", "model/test_model_package_zip.py",
    "storage/test_tensor_file.py", "storage/test_schema_check.py", "io/test_volume_files.py",
    "cli/test_bad_inputs.py", "network/test_fast_network.py", "finetuning/test_finetuning_job.py",
    "cli/test_cli.py",
)  # fmt: skip
TESTS_WITHOUT_TORCH = (
    "model/test_model_card.py", "storage/test_tensor_file.py", "storage/test_schema_check.py",
    "storage/test_safe_files.py", "model/test_model_store.py", "model/test_model_store_crashes.py",
    "model/test_model_lookup.py", "io/test_volume_files.py", "io/test_damaged_scans.py", "core/test_labels.py",
    "core/test_semver.py",
)  # fmt: skip
SLICER_TESTS = ("mrml/test_mrml_job.py", "gui/test_module_run.py")
SLICER_TESTS_WITHOUT_TORCH = (
    "mrml/test_mrml_edits.py", "mrml/test_mrml_segmentations.py", "mrml/test_mrml_volumes.py",
    "mrml/test_mrml_regions.py",
)  # fmt: skip
PRESENT_CELL_TESTS = ("core/test_geometry.py", "storage/test_schema_check.py", "storage/test_tensor_file.py")


@dataclass(frozen=True)
class Cell:
    """Versions as pip takes them; "" for a package that the cell does without, as users may have to."""

    python: str
    numpy: str
    torch: str = ""
    slicer: str = ""

    @property
    def name(self) -> str:
        """For the table and the environment's folder."""
        slicer = f", slicer-core {self.slicer}" if self.slicer else ""
        return (
            f"Python {self.python}, numpy {self.numpy}, {f'torch {self.torch}' if self.torch else 'no torch'}{slicer}"
        )

    @property
    def requirements(self) -> list[str]:
        """What is installed beside the library's own needs."""
        slicer = [f"slicer-core=={self.slicer}", "PySide6-Essentials==6.8.3"] if self.slicer else []
        torch = [f"torch=={self.torch}"] if self.torch else []
        common = ["SimpleITK", "pytest", "hypothesis", "pydicom", "pillow", "jsonschema", "safetensors"]
        return [f"numpy=={self.numpy}", *torch, *slicer, *common]

    @property
    def tests(self) -> tuple[str, ...]:
        """Those that the cell's packages are enough for."""
        slicer = (SLICER_TESTS if self.torch else ()) + SLICER_TESTS_WITHOUT_TORCH if self.slicer else ()
        return (LIBRARY_TESTS if self.torch else ()) + TESTS_WITHOUT_TORCH + slicer


CELLS = (
    Cell("3.11", "2.4.*", "2.13.*", "5.12.4.0"),
    Cell("3.11", "1.26.*", "2.13.*"),
    Cell("3.11", "2.4.*", "2.13.*", "5.13.*"),
    Cell("3.10", "1.26.*"),
    Cell("3.10", "2.2.*"),
    Cell("3.12", "1.26.*", slicer="5.12.4.0"),
    Cell("3.12", "2.4.*", slicer="5.13.*"),
    Cell("3.13", "2.4.*", slicer="5.12.4.0"),
    Cell("3.12", "2.2.*", "2.6.*", "5.12.4.0"),
    Cell("3.10", "1.26.*", "2.13.*"),
    Cell("3.12", "2.4.*", "2.13.*", "5.12.4.0"),
    Cell("3.13", "2.4.*", "2.13.*", "5.13.*"),
    Cell("3.10", "1.26.*", "2.6.*"),
    Cell("3.13", "2.2.*", "2.6.*"),
)
"""Small downloads first: without a processor build of PyTorch the last cells take gigabytes each."""


def check(count: int, seed: int) -> Tally:
    """The first count cells; count 0: only this very environment."""
    tally = Tally()
    if count == 0:
        outcome = _run_tests(Path(sys.executable), PRESENT_CELL_TESTS)
        tally.expect(outcome == "", "present cell", outcome)
        return tally
    for cell in CELLS[:count]:
        print(cell.name, flush=True)
        interpreter, problem = _environment(cell)
        if interpreter is None:
            tally.outcomes[f"not run ({problem}): {cell.name}"] += 1
            continue
        outcome = _run_tests(interpreter, cell.tests)
        if outcome:
            tally.failed(f"{cell.name}: {outcome}")
        else:
            tally.passed(f"passed: {_versions(interpreter)}")
    return tally


def _environment(cell: Cell) -> tuple[Path | None, str]:
    """The interpreter of the cell's environment, or None and why there is none."""
    base = _python(cell.python)
    if base is None:
        return None, f"no Python {cell.python}"
    place = ENVIRONMENTS / cell.name.replace(" ", "-").replace(",", "").replace("*", "x")
    interpreter = place / "bin" / "python"
    if (place / "ready").exists():
        return interpreter, ""
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([base, "-m", "venv", str(place)], check=True, capture_output=True)
    command = [str(interpreter), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *cell.requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(place, ignore_errors=True)
        lines = [line for line in done.stderr.splitlines() if "No matching" in line or "conflict" in line.lower()]
        return None, (lines or ["pip failed"])[-1].removeprefix("ERROR: ")[:120]
    (place / "ready").touch()
    return interpreter, ""


def _python(version: str) -> str | None:
    """An interpreter of this version: on the path, or one of pyenv's."""
    found = shutil.which(f"python{version}")
    candidates = [found] if found else []
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates += [str(path) for path in sorted(root.glob(f"{version}.*/bin/python"), reverse=True)]
    for candidate in candidates:
        told = subprocess.run([candidate, "-c", "import sys, venv; print(sys.version_info[:2])"], capture_output=True,
                              text=True, check=False)  # fmt: skip
        if told.stdout.strip() == str(tuple(map(int, version.split(".")))):
            return candidate
    return None


def _run_tests(interpreter: Path, names: tuple[str, ...]) -> str:
    """What pytest says when it fails, "" when all pass; tests that lack a package skip themselves."""
    files = [f"Testing/Python/{name}" for name in names]
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "PYTHONPATH")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [str(interpreter), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout[-3000:] + done.stderr[-1000:]


def _versions(interpreter: Path) -> str:
    code = (
        "import json, platform; from importlib import metadata as m; "
        "names = [d.metadata['Name'] for d in m.distributions()]; "
        "print(json.dumps([platform.python_version(), "
        "*(f'{n} {m.version(n)}' for n in ('numpy', 'torch', 'slicer-core') if n in names)]))"
    )
    told = subprocess.run([str(interpreter), "-c", code], capture_output=True, text=True, check=True)
    return "Python " + ", ".join(json.loads(told.stdout))


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
