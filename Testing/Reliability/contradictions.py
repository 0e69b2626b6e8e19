"""Scans whose headers contradict themselves: read as the rule of their format says, with a note, or refused.

A scan that is read somewhere else, with other voxels, or without a note where its header contradicts itself counts as
wrong in silence, which is a failure.
"""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Python"))

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.io.volume_notes import notes_of
from Reliability.contradiction_cases import KINDS, Contradiction
from Reliability.surroundings import own_folder
from Reliability.tally import Tally, main

ROW, COUNT = "contradictions", 4000


def check(count: int, seed: int) -> Tally:
    """count scans, as many of each kind."""
    tally = Tally()
    with own_folder() as folder, without_native_messages():
        for number in range(count):
            kind, make = KINDS[number % len(KINDS)]
            work = folder / "work"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            problem, outcome = judged(make(work, random.Random(f"{seed} {number}")))
            if problem:
                tally.failed(f"scan {number}, {kind}: {problem}")
            else:
                tally.passed(f"{kind}, {outcome}")
    return tally


def judged(case: Contradiction) -> tuple[str, str]:
    """What is wrong with how the scan was read ("": nothing), and how it was read."""
    try:
        image = read_volume(case.path)
    except LightMedSegError as error:
        return ("" if case.matrix is None else f"it was refused: {error}"), "refused"
    if case.matrix is None:
        return "it was not refused", ""
    notes = notes_of(image)
    if not _lies(image, case.matrix):
        return f"{case.what}: it lies elsewhere, with {len(notes)} notes", ""
    if not np.allclose(sitk.GetArrayViewFromImage(image), case.voxels, atol=1e-6 * float(np.abs(case.voxels).max())):
        return f"{case.what}: its voxels are others", ""
    if case.contradicts and not notes:
        return f"{case.what}: it has no note", ""
    return "", "corrected with a note" if notes else "read as it says"


def _lies(image: sitk.Image, matrix: np.ndarray) -> bool:
    edges = np.linalg.norm(matrix[:, :3], axis=0)
    axes = np.reshape(image.GetDirection(), (3, 3))
    return bool(
        np.allclose(image.GetSpacing(), edges, rtol=1e-3)
        and np.allclose(axes, matrix[:, :3] / edges, atol=3e-3)
        and np.linalg.norm(np.subtract(image.GetOrigin(), matrix[:, 3])) <= 0.11 * edges.min()
    )


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
