"""Background jobs of a correction: the volume on its voxels, the completion of a stroke, a structure from points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from LightMedSegLib.core.torch_loading import load_torch_quietly
from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.mrml.jobs.job_state import Job, JobContext
from LightMedSegLib.mrml.strokes.click_points import Point
from LightMedSegLib.mrml.strokes.lattice import Lattice
from LightMedSegLib.mrml.strokes.masking import Masking
from LightMedSegLib.mrml.strokes.new_structure import PointsSession
from LightMedSegLib.mrml.volumes import VolumeSnapshot, check_volume_node, copy_steps

if TYPE_CHECKING:
    from LightMedSegLib.interaction.completion import Promptable


def volume_job(
    volume_node: Any,
    lattice: Lattice,
    completer: Promptable,
    deliver: Callable[[Any], Any],
    unwanted: Callable[[], str],
    on_end: Callable[[Job], None],
) -> Job:
    """A job that delivers a volume node on the voxels of a lattice, as a sitk.Image, and then warms the completer up.

    Raises InputImageError at once for a volume that cannot be used.
    """
    check_volume_node(volume_node)
    copied: list[VolumeSnapshot] = []

    def preparation() -> Iterator[None]:
        for step in copy_steps(volume_node):
            if step is not None:
                copied.append(step)
            yield None

    def work(context: JobContext) -> None:
        context.publish(lattice.image(copied.pop()))
        # The first stroke need not wait for PyTorch and the network.
        load_torch_quietly()
        completer.warm_up(context.cancel)

    def take(image: Any, final: bool) -> None:
        if not final:
            deliver(image)

    return Job(preparation(), work, take, unwanted, on_end)


def completion_job(
    session: CorrectionSession,
    stroke: Stroke,
    masking: Masking,
    deliver: Callable[[Any], Any],
    unwanted: Callable[[], str],
    on_end: Callable[[Job], None],
) -> Job:
    """A job that delivers what a stroke changes, as an interaction.Change; the session stays as it is.

    masking: where the segment may change.
    """

    def work(context: JobContext) -> Any:
        import SimpleITK as sitk

        load_torch_quietly()
        copy = session.snapshot()
        allowed = masking.allowed(sitk.GetArrayViewFromImage(copy.volume))
        # The Segment Editor has painted it.
        return copy.propose(stroke, allowed, context.cancel, made=True)

    return Job(iter(()), work, lambda change, final: deliver(change), unwanted, on_end)


def points_job(
    session: PointsSession,
    points: Sequence[Point],
    masking: Masking,
    deliver: Callable[[Any], Any],
    unwanted: Callable[[], str],
    on_end: Callable[[Job], None],
) -> Job:
    """A job that delivers the mask (z, y, x) of the structure that points mark. No other job may use the session."""

    def work(context: JobContext) -> Any:
        load_torch_quietly()
        return session.mask(points, masking, context.cancel)

    return Job(iter(()), work, lambda mask, final: deliver(mask), unwanted, on_end)
