"""The child process of image_files.py: the command ``lightmedseg segment`` on one spoiled file or folder after another.

Exit code 2 with one sentence and nothing written, or exit code 0 and a right result: everything else is a problem.
The network is a stand-in that labels voxels by their value.
"""

from __future__ import annotations

import contextlib
import io
import random
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from engine_stubs import IDENTITY_WINDOW, ThresholdNetwork
from model_factory import make_model
from patience import Patience

from LightMedSegLib.cli import main
from LightMedSegLib.io.dicom_series import without_itk_warnings
from LightMedSegLib.model import package
from Reliability.batches import child_main
from Reliability.dicom_mutations import ORIGIN, spoiled_series
from Reliability.image_mutations import EITHER, REFUSED, SAME, STEP, Spoiled, sound_array, sound_image, spoiled_file
from Reliability.package_trial import memory, reset_peak, virtual_bytes

MOST_SECONDS = 20.0
MOST_MEGABYTES = 1000
"""For single files. GDCM takes what the 32-bit length of a damaged element claims, and gives it back at once: with
DICOM series only the limit of the address space holds."""
_ADDRESS_SPACE = 6 * 2**30


class Bench:
    """Made once in each child: the model and a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        place = folder / "model"
        if not place.exists():
            channel = {"name": "CT", "normalization": IDENTITY_WINDOW}
            make_model(place, input={"channels": [channel], "patch": [32, 32, 32]}, tensors={"w": np.zeros(1)})
        package.Model.build_network = _stand_in  # type: ignore[method-assign]
        resource.setrlimit(resource.RLIMIT_AS, (virtual_bytes() + _ADDRESS_SPACE, resource.RLIM_INFINITY))

    def attempt(self, number: int, seed: int) -> tuple[str, str, str]:
        """Spoil, segment, look at the result."""
        rng = random.Random(f"{seed} {number}")
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        axes = None
        with without_itk_warnings():
            if rng.random() < 0.4:
                spoiled, axes = spoiled_series(work / "series", rng)
            else:
                spoiled = spoiled_file(work, rng)
        output = work / "out" / "result.nrrd"
        output.parent.mkdir()
        words, errors = io.StringIO(), io.StringIO()
        reset_peak()
        before, patience = memory("VmRSS"), Patience(MOST_SECONDS)
        with contextlib.redirect_stdout(words), contextlib.redirect_stderr(errors):
            try:
                code = main(["segment", str(spoiled.path), str(output), "--model", str(self.folder / "model")])
            except Exception as error:
                return spoiled.what, "failed", f"{type(error).__name__}: {error}"
        problems = []
        if patience.over():
            problems.append(f"it took more than {MOST_SECONDS:.0f} s")
        if axes is None and memory("VmHWM") - before > MOST_MEGABYTES:
            problems.append(f"it took {memory('VmHWM') - before:.0f} MB of memory")
        with without_itk_warnings():
            problems.append(_refusal_problem(code, errors.getvalue(), output) or _result_problem(spoiled, axes, output))
        if code == 0 and spoiled.expected == REFUSED:
            problems.append("it was not refused")
        if code == 2 and spoiled.expected == SAME:
            problems.append(f"it was refused: {errors.getvalue()}")
        outcome = {0: "right result", 2: "refused in a sentence"}.get(code, f"exit code {code}")
        return spoiled.what, outcome, "; ".join(filter(None, problems))


def _stand_in(model: Any, device: str = "cpu") -> Any:
    return ThresholdNetwork(3, step=float(STEP)).eval()


def _refusal_problem(code: int, errors: str, output: Path) -> str:
    if code == 0:
        return ""
    if code != 2:
        return f"exit code {code}: {errors}"
    lines = [line for line in errors.splitlines() if line.startswith("lightmedseg: ")]
    sentence = lines[0] if lines else ""
    if len(lines) != 1 or not sentence.endswith(".") or "Traceback" in errors or "itk::" in errors:
        return f"the message is no sentence: {errors[:500]!r}"
    return f"{output.name} was written" if list(output.parent.iterdir()) else ""


def _result_problem(spoiled: Spoiled, axes: np.ndarray | None, output: Path) -> str:
    """What is wrong with a result; "" for none or where there is none."""
    if not output.exists():
        return ""
    result = sitk.ReadImage(str(output))
    labels = sitk.GetArrayFromImage(result)
    if axes is not None:
        return _series_problem(result, labels, axes) if spoiled.expected == SAME else ""
    if spoiled.expected == SAME:
        sound = sound_image()
        if not _same_grid(result, sound):
            return "the result does not lie on the grid of the scan"
        return "" if np.array_equal(labels, sound_array() // STEP) else "the labels are not those of the scan"
    assert spoiled.expected in (EITHER, REFUSED)
    read = _as_itk_reads(spoiled.path)
    if not _same_grid(result, read):
        return f"the result does not lie on the grid that ITK reads: {result.GetSize()} {read.GetSize()}"
    if not np.allclose(read.GetSpacing(), 1, rtol=0.01):
        return ""
    values = sitk.GetArrayFromImage(read).astype(float)
    expected = np.clip(np.rint(values / STEP), 0, 2)
    clear = np.abs(values / STEP - np.round(values / STEP) + 0.0) < 0.49
    return "" if np.array_equal(labels[clear], expected[clear]) else "the labels are not those of the values ITK reads"


def _as_itk_reads(path: Path) -> sitk.Image:
    image = sitk.ReadImage(str(path))
    while image.GetDimension() > 3:
        image = image[..., 0]
    return image


def _same_grid(one: sitk.Image, other: sitk.Image) -> bool:
    if one.GetSize() != other.GetSize():
        return False
    first, second = (
        np.array([*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()]) for image in (one, other)
    )
    return bool(np.allclose(first, second, rtol=1e-5, atol=1e-5))


def _series_problem(result: sitk.Image, labels: np.ndarray, axes: np.ndarray) -> str:
    """Each voxel of the result is looked up in the volume from which the series was made, by its place in space."""
    truth = sound_array() // STEP
    if labels.size != truth.size:
        return f"the result has {labels.size} voxels instead of {truth.size}"
    where = np.array([result.TransformIndexToPhysicalPoint(index) for index in np.ndindex(result.GetSize())])
    index = (where - ORIGIN) @ axes
    nearest = np.rint(index).astype(int)
    if np.abs(index - nearest).max() > 0.01:
        return f"the voxels lie {np.abs(index - nearest).max():.3f} mm beside those of the series"
    limits = np.array(truth.shape[::-1])
    if (nearest < 0).any() or (nearest >= limits).any():
        return "the result lies beside the series"
    found = np.array([labels[index[::-1]] for index in np.ndindex(result.GetSize())])
    expected = truth[nearest[:, 2], nearest[:, 1], nearest[:, 0]]
    return "" if np.array_equal(found, expected) else f"{int((found != expected).sum())} voxels have a wrong label"


if __name__ == "__main__":
    sys.exit(child_main(lambda folder: Bench(folder).attempt))
