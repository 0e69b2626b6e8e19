"""A background job that stores a corrected segmentation of the scene as a case."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box
from LightMedSegLib.core.labels import Label
from LightMedSegLib.core.torch_loading import load_torch_quietly
from LightMedSegLib.finetuning.cases.effort import Effort
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.finetuning.cases.same_scan import same_scan_notes
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.cases.stored_case import StoredCase
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.model.package import Model
from LightMedSegLib.mrml.jobs.case_models import CaseModel
from LightMedSegLib.mrml.jobs.job_state import Job, JobContext
from LightMedSegLib.mrml.segmentations.result_record import PREFIX, ResultRecord, region_box, result_key
from LightMedSegLib.mrml.segmentations.segments_snapshot import SegmentsSnapshot, snapshot_steps
from LightMedSegLib.mrml.segmentations.untouched import untouched_labels, untouched_text
from LightMedSegLib.mrml.volumes import VolumeSnapshot, VolumeState, check_volume_node, copy_steps

_CASE = PREFIX + "Case"

_NOT_HERE = (
    "The prediction before your corrections is not on this computer, so the model segmented the scan once more for the "
    "comparison."
)


@dataclass(frozen=True)
class AddedCase:
    """A stored case; notes: sentences for the user. model: name@version that it was made for."""

    record: CaseRecord
    notes: tuple[str, ...] = ()
    model: str = ""


@dataclass(frozen=True)
class Review:
    """The user's review of a corrected segmentation.

    values: segment identifier to label value, for the segments to read. labels: reviewed values. absent: reviewed
    values that are confirmed not to be in the scan. new_labels: structures that the model does not have. region:
    function from the volume's snapshot to the mask (z, y, x) of the reviewed voxels; None for all voxels. effort: what
    the correction took; None where it was not counted.
    """

    values: Mapping[str, int]
    labels: tuple[int, ...]
    absent: tuple[int, ...] = ()
    new_labels: tuple[Label, ...] = ()
    region: Callable[[VolumeSnapshot], NDArray[np.bool_]] | None = None
    effort: Effort | None = None


def case_job(
    volume_nodes: Sequence[Any],
    segmentation_node: Any,
    model: CaseModel,
    review: Review,
    store: CaseStore,
    device: str = "auto",
    on_end: Callable[[Job], None] = lambda job: None,
) -> Job:
    """Return a job for :meth:`Worker.submit` that adds a case, or a revision of the case made from this segmentation.

    Its outcome is an :class:`AddedCase`. The model runs only if the untouched prediction is not available.
    Raises InputImageError at once for volumes that cannot be used.
    """
    for volume in volume_nodes:
        check_volume_node(volume)
    run = _CaseRun(list(volume_nodes), segmentation_node, model, review, store, device)
    return Job(run.preparation(), run.work, run.deliver, run.unwanted, on_end)


def case_of(segmentation_node: Any, known: Collection[str]) -> str | None:
    """Return the stored case that was made from the present result in a node; None if there is none."""
    case_id, _, result = (segmentation_node.GetAttribute(_CASE) or "").partition(" ")
    # A new result in the same node is another case.
    if not case_id or result != result_key(segmentation_node):
        return None
    return case_id if case_id in known else None


def segmented_box(segmentation_node: Any) -> Box | None:
    """Return the box of voxels of a result; None for the whole volume and for nodes that are no results."""
    record = ResultRecord.read(segmentation_node)
    return None if record is None else region_box(record.region)


class _CaseRun:
    def __init__(
        self, volumes: list[Any], node: Any, model: CaseModel, review: Review, store: CaseStore, device: str
    ) -> None:
        self._volumes, self._node, self._model = volumes, node, model
        self._review, self._store, self._device = review, store, device
        self._states = [VolumeState.of(volume) for volume in volumes]
        record = ResultRecord.read(node)
        self._made_by = record.weights_sha256 if record is not None else ""
        self._box, self._untouched = segmented_box(node), untouched_text(node)
        self._known = {entry.case_id: entry.record for entry in store.list()}
        self._made_before = case_of(node, self._known)
        self._snapshots: list[VolumeSnapshot] = []
        self._segments: SegmentsSnapshot | None = None

    def preparation(self) -> Iterator[None]:
        """Copy volumes and segments, in small steps."""
        for volume in self._volumes:
            for step in copy_steps(volume):
                if step is not None:
                    self._snapshots.append(step)
                yield None
        for segments in snapshot_steps(self._node, self._volumes[0], self._review.values):
            self._segments = segments
            yield None

    def unwanted(self) -> str:
        """Checked only until everything is copied: from then on the case does not depend on the scene."""
        if self._segments is not None:
            return ""
        for volume, state in zip(self._volumes, self._states, strict=True):
            gone = volume.GetScene() is None or volume.GetImageData() is None
            if gone or self._node.GetScene() is None or VolumeState.of(volume) != state:
                return "Volume or segmentation changed while the case was read; add it again."
        return ""

    def work(self, context: JobContext) -> AddedCase:
        """In the worker thread: nothing here may touch nodes."""
        assert self._segments is not None
        first, labels, notes = self._snapshots[0], self._segments.labels(), list[str]()
        with self._model(first, labels) as model:
            case = self._case(model, labels, notes)
            context.cancel.raise_if_cancelled()
        before = self._known.get(self._made_before or "")
        replaces = self._made_before if before is None or before.fits(model.card) else None
        try:
            record = self._store.add(case, replaces=replaces)
            notes += same_scan_notes([entry.record for entry in self._store.list()], record, replaces)
            return AddedCase(record, tuple(notes), model.card.identifier)
        except ValueError as error:
            raise InputImageError(
                f"The case cannot be stored ({error}); give new structures short names of one line."
            ) from error

    def _case(self, model: Model, labels: NDArray[np.uint8], notes: list[str]) -> StoredCase:
        from LightMedSegLib.finetuning.cases.building import build_case

        first, review, known = self._snapshots[0], self._review, None
        if self._made_by == model.card.weights.sha256:
            known = untouched_labels(self._untouched, (labels.shape[0], labels.shape[1], labels.shape[2]))
        if known is None:
            if self._untouched and not is_draft(model.card):
                notes.append(_NOT_HERE)
            load_torch_quietly()
        case = build_case(
            [part.image() for part in self._snapshots],
            first.grid.image(labels),
            model,
            reviewed_labels=review.labels,
            new_labels=review.new_labels,
            absent=review.absent,
            reviewed=review.region(first) if review.region is not None else None,
            roi=self._box,
            prediction=first.grid.image(known) if known is not None else None,
            device=self._device,
        )
        return replace(case, record=replace(case.record, effort=review.effort))

    def deliver(self, added: AddedCase, final: bool) -> AddedCase:
        """Store the identifier of the case in the segmentation node; on the main thread."""
        if self._node.GetScene() is not None:
            self._node.SetAttribute(_CASE, f"{added.record.case_id} {result_key(self._node)}")
        return added
