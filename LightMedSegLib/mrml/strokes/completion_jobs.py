"""Background jobs of a correction: the volume on its voxels, and the completion of one stroke."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.mrml.jobs.job_state import Job, JobContext
from LightMedSegLib.mrml.strokes.editor import Masking
from LightMedSegLib.mrml.strokes.lattice import Lattice
from LightMedSegLib.mrml.volumes import VolumeSnapshot, check_volume_node, copy_steps


def volume_job(
    volume_node: Any,
    lattice: Lattice,
    deliver: Callable[[Any], Any],
    unwanted: Callable[[], str],
    on_end: Callable[[Job], None],
) -> Job:
    """A job that delivers a volume node on the voxels of a lattice, as a sitk.Image.

    Raises InputImageError at once for a volume that cannot be used.
    """
    check_volume_node(volume_node)
    copied: list[VolumeSnapshot] = []

    def preparation() -> Iterator[None]:
        for step in copy_steps(volume_node):
            if step is not None:
                copied.append(step)
            yield None

    return Job(
        preparation(),
        lambda context: lattice.image(copied[0]),
        lambda image, final: deliver(image),
        unwanted,
        on_end,
    )


def completion_job(
    session: CorrectionSession,
    stroke: Stroke,
    masking: Masking,
    protected: NDArray[np.bool_] | None,
    deliver: Callable[[Any], Any],
    unwanted: Callable[[], str],
    on_end: Callable[[Job], None],
) -> Job:
    """A job that delivers what a stroke changes, as an interaction.Change; the session stays as it is.

    masking, protected: where the Segment Editor permits changes, and voxels (z, y, x) that stay as they are.
    """

    def work(context: JobContext) -> Any:
        import SimpleITK as sitk

        copy = session.snapshot()
        allowed = masking.allowed(sitk.GetArrayViewFromImage(copy.volume))
        if protected is not None:
            allowed = ~protected if allowed is None else allowed & ~protected
        return copy.propose(stroke, allowed, context.cancel)

    return Job(iter(()), work, lambda change, final: deliver(change), unwanted, on_end)
