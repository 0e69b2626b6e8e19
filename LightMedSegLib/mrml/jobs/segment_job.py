"""A background job that segments a volume node: copy, run in the worker, write the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.progress import ProgressCallback, part_of
from LightMedSegLib.core.torch_loading import load_torch_quietly
from LightMedSegLib.inference.options import DEFAULT_OPTIONS, SegmentOptions
from LightMedSegLib.mrml.doubt.volume import PackedDoubt, write_doubt
from LightMedSegLib.mrml.jobs.job_state import Job, JobContext
from LightMedSegLib.mrml.label_statistics import SegmentNumbers, label_numbers
from LightMedSegLib.mrml.regions import roi_index_box
from LightMedSegLib.mrml.segmentations.earlier_results import show_alone
from LightMedSegLib.mrml.segmentations.writing import PackedLabels, result_node, write_result
from LightMedSegLib.mrml.volumes import VolumeSnapshot, VolumeState, check_volume_node, copy_steps

if TYPE_CHECKING:
    from pathlib import Path

    from LightMedSegLib.inference.segmentation import Segmentation
    from LightMedSegLib.model.package import Model

_PREVIEW_SHARE = 0.15
"""Share of the preview in the time of a run with one."""

_PREVIEW_REST_SECONDS = 1.0
"""The longest rest while the preview is shown; on a quiet computer it takes a tenth of that."""

SegmentFunction = Callable[..., "Segmentation"]
"""LightMedSegLib.inference.segmentation.segment_with, or a function with the same interface."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run in the scene.

    node: the segmentation. preview: True for the coarse first result. notes: sentences for the user. timings:
    seconds per stage. device: where the network ran. statistics: one row per label of the model. expected_dice: by the
    name of the segment, where the options ask for doubt and the model's card has the calibration.
    """

    node: Any
    preview: bool
    notes: list[str]
    timings: dict[str, float]
    device: str
    statistics: list[SegmentNumbers]
    expected_dice: Mapping[str, float] = field(default_factory=dict)


@dataclass
class _Input:
    """The input of the worker, written on the main thread."""

    snapshots: list[VolumeSnapshot] = field(default_factory=list)


@dataclass(frozen=True)
class _Finished:
    result: Segmentation
    labels: PackedLabels
    statistics: list[SegmentNumbers]
    doubt: PackedDoubt | None
    expected_dice: Mapping[str, float]


def segmentation_job(
    volume_nodes: Any | Sequence[Any],
    model: str | Path | Model,
    *,
    roi_node: Any = None,
    segmentation_node: Any = None,
    overwrite: bool = False,
    options: SegmentOptions = DEFAULT_OPTIONS,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
    on_end: Callable[[Job], None] = lambda job: None,
    segment: SegmentFunction | None = None,
) -> Job:
    """Return a job for :meth:`Worker.submit` that segments a volume node, or one node per channel of the model.

    Args:
        segmentation_node: where the result goes; a new node if it holds edits and overwrite is False. None: an
            earlier unedited result of the same model for this volume is replaced, otherwise a node is added.
        roi_node: takes the place of the region in options.
        options: with a preview_spacing, the preview is made before the full result.
        on_outcome: called on the main thread for the preview (if any) and for the result.
        on_end: called on the main thread when the job has ended; its state and message tell how.
        segment: what runs the model; the library's own by default.

    Call it on the main thread. Raises InputImageError at once for volumes or an ROI that cannot be used.
    Job.outcome is the final :class:`Outcome`.
    """
    volumes = list(volume_nodes) if isinstance(volume_nodes, (list, tuple)) else [volume_nodes]
    for volume in volumes:
        check_volume_node(volume)
    if not volumes:
        raise InputImageError("No volume is chosen; load a scan and choose it as the input volume.")
    if roi_node is not None:
        options = replace(options, roi=roi_index_box(roi_node, volumes[0]))
    run = _SegmentRun(volumes, model, segmentation_node, overwrite, options, on_outcome, segment)
    return Job(run.preparation(), run.work, run.deliver, run.unwanted, on_end)


class _SegmentRun:
    def __init__(
        self,
        volumes: list[Any],
        model: str | Path | Model,
        target: Any,
        overwrite: bool,
        options: SegmentOptions,
        on_outcome: Callable[[Outcome], None],
        segment: SegmentFunction | None,
    ):
        self._volumes = volumes
        self._states = [VolumeState.of(volume) for volume in volumes]
        self._model = model
        self._target = target
        self._overwrite = overwrite
        self._options = options
        self._on_outcome = on_outcome
        self._segment = segment
        self._input = _Input()
        self._hidden: list[str] = []

    def preparation(self) -> Iterator[None]:
        """Copy the volumes, in small steps."""
        for volume in self._volumes:
            for step in copy_steps(volume):
                if step is not None:
                    self._input.snapshots.append(step)
                yield None

    def work(self, context: JobContext) -> _Finished:
        """In the worker thread: nothing here may touch the volume nodes."""
        context.progress(0, 100, "Starting PyTorch")
        load_torch_quietly()
        segment = self._segment or _library_segment()
        images = [part.image() for part in self._input.snapshots]
        first = self._input.snapshots[0]

        def run(options: SegmentOptions, progress: ProgressCallback) -> _Finished:
            image = images[0] if len(images) == 1 else images
            result = segment(image, self._model, options, progress, context.cancel)
            return _packed(result, first, keep_untouched=options.preview_spacing is None)

        options = self._options
        if options.preview_spacing is None:
            return run(options, context.progress)
        preview = run(replace(options, doubt=False), part_of(context.progress, 0, _PREVIEW_SHARE))
        context.publish(preview, _PREVIEW_REST_SECONDS)
        context.cancel.raise_if_cancelled()
        return run(replace(options, preview_spacing=None), part_of(context.progress, _PREVIEW_SHARE, 1))

    def unwanted(self) -> str:
        """Return why the result is obsolete; "" if it is not."""
        for volume, state in zip(self._volumes, self._states, strict=True):
            name = f"'{volume.GetName()}'"
            if not _in_scene(volume):
                return f"{name} was removed from the scene while it was segmented; the result was dropped."
            if volume.GetImageData() is None or VolumeState.of(volume) != state:
                return f"{name} changed while it was segmented; the result was dropped, segment it again."
        return ""

    def deliver(self, finished: _Finished, final: bool) -> Outcome:
        """Write the labels into a node that has no edits at present; on the main thread."""
        result, volume = finished.result, self._volumes[0]
        requested = self._target if self._target is not None and _in_scene(self._target) else None
        node, note = result_node(volume, result.card, requested, region=self._options.roi, overwrite=self._overwrite)
        node = write_result(volume, finished.labels, result.card, node, region=self._options.roi, preview=not final)
        write_doubt(node, volume, finished.doubt)
        # The full result replaces the preview, unless the user has begun to edit it: permission is given once.
        self._target, self._overwrite = node, False
        self._hidden += show_alone(node)
        hidden = [f"The earlier result '{name}' is hidden in the views now." for name in self._hidden]
        notes = [*result.notes, *([note] if note else []), *hidden]
        outcome = Outcome(
            node, not final, notes, result.timings, result.device, finished.statistics, finished.expected_dice
        )
        self._on_outcome(outcome)
        return outcome


def _packed(result: Segmentation, first: VolumeSnapshot, *, keep_untouched: bool) -> _Finished:
    import SimpleITK as sitk

    labels = sitk.GetArrayFromImage(result.labelmap)
    names = {label.value: label.name for label in result.card.labels}
    numbers = label_numbers(labels, first.array, first.grid.spacing, names)
    packed = PackedLabels.of(labels, keep_untouched=keep_untouched)
    return _Finished(result, packed, numbers, PackedDoubt.of(result), result.expected_dice())


def _in_scene(node: Any) -> bool:
    """Return whether the node is still in the scene; its identifier is no proof, because another scene may reuse it."""
    return node.GetScene() is not None


def _library_segment() -> SegmentFunction:
    from LightMedSegLib.inference.segmentation import segment_with

    return segment_with
