"""A model that is loaded on a device and segments volumes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.devices import processor_threads, select_device
from LightMedSegLib.core.errors import DoubtfulResultError
from LightMedSegLib.core.geometry import Box, Grid, clip_box, grow_box, map_to_model_grid
from LightMedSegLib.core.out_of_memory import is_out_of_memory
from LightMedSegLib.core.process.forked import one_thread_if_forked
from LightMedSegLib.core.progress import CancelToken, ProgressCallback, StageTimer, part_of
from LightMedSegLib.core.work_plan import WorkPlan, pace_of
from LightMedSegLib.inference.loaded_networks import LoadedNetworks
from LightMedSegLib.inference.locating import (
    FIND_SHARE,
    disagreements,
    found_places,
    is_located,
    located_result,
    locator_model,
    missing_sides,
    segment_places,
)
from LightMedSegLib.inference.options import DEFAULT_OPTIONS, SegmentOptions
from LightMedSegLib.inference.removed_skull import absence_note, absent_labels
from LightMedSegLib.inference.result import STAGES, Segmentation, as_image
from LightMedSegLib.inference.search import coarse_input, is_worth_it, surroundings
from LightMedSegLib.inference.sliding_window.windows import WindowRule, plan_layout
from LightMedSegLib.io.input_volumes import input_volumes
from LightMedSegLib.model.drafts import refuse_draft
from LightMedSegLib.model.located_card import side_card

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.inference.preprocessing import PreparedVolume
    from LightMedSegLib.io.input_volumes import InputVolume
    from LightMedSegLib.model.card import InputSpec, ModelCard
    from LightMedSegLib.model.locator import Side
    from LightMedSegLib.model.package import Model
from LightMedSegLib.model.promptable import refuse_promptable

ROI_MARGIN_MM = 10.0
"""The network sees this much around a region of interest, so that structures at its border have surroundings."""

_WINDOWS_LEFT = 4
"""How many windows the full pass is expected to take at most after a search, until it is known."""


@dataclass(frozen=True)
class _Run:
    """What one call of Engine.segment carries through its stages.

    spec: how the network sees the volume. box: where labels are wanted. margin_mm: what the network sees around it.
    strict: a warning is an error. doubt: it is wanted. card: what labels are called. absent: labels that are not looked
    for. search: this is the coarse pass.
    """

    spec: InputSpec
    overlap: float
    mirror: Sequence[str]
    box: Box
    margin_mm: float
    timer: StageTimer
    cancel: CancelToken
    plan: WorkPlan
    strict: bool
    doubt: bool
    card: ModelCard
    absent: Sequence[int]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    search: bool = False

    def warn(self, sentences: Iterable[str]) -> None:
        """Take warnings, each once; raises DoubtfulResultError for the first ones in a strict run."""
        self.warnings.extend(one for one in dict.fromkeys(sentences) if one not in self.warnings)
        if self.strict and self.warnings:
            raise DoubtfulResultError(" ".join(self.warnings))


class Engine:
    """A model ready on a device: the second call of segment pays no loading.

    cpu_path: how the network is computed on the processor, one of network.cpu.choice.CPU_PATHS.

    Raises ModelPackageError for a model that does not exist, is damaged, is not trained or needs prompts, DeviceError
    for an impossible device.
    Calls from several threads take turns.
    """

    def __init__(self, model: str | Path | Model, device: str = "auto", cpu_path: str = "auto"):
        self.model = resolved(model)
        refuse_draft(self.model.card)
        refuse_promptable(self.model.card)
        self.device = select_device(device)
        self._networks = LoadedNetworks(self.model, cpu_path)
        self._cpu_path = cpu_path
        self._locator: Engine | None = None
        self._turn = threading.Lock()

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self.model.card

    def segment(
        self,
        image: InputVolume | Sequence[InputVolume],
        options: SegmentOptions = DEFAULT_OPTIONS,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """As :func:`LightMedSegLib.inference.segmentation.segment`, with this engine's model and device."""
        from LightMedSegLib.checks.scan_warnings import image_warnings
        from LightMedSegLib.io.volume_checks import check_resolution
        from LightMedSegLib.io.volume_notes import notes_of

        images = input_volumes(image)
        spec, mirror = self._seen(options)
        check_resolution(images[0].GetSpacing(), spec.spacing)
        grid = Grid.of(images[0])
        report = progress or (lambda done, total, message: None)
        forked = one_thread_if_forked(self.device.name)
        run = _Run(
            spec=spec,
            overlap=spec.overlap if options.overlap is None else options.overlap,
            mirror=mirror,
            box=grid.box if options.roi is None else clip_box(options.roi, grid),
            margin_mm=ROI_MARGIN_MM,
            timer=_timer(),
            cancel=cancel or CancelToken(),
            plan=WorkPlan(report),
            strict=options.strict,
            doubt=options.doubt,
            card=self.card,
            absent=absent_labels(images[0], self.card),
            notes=list(dict.fromkeys([*([forked] if forked else []), *(n for one in images for n in notes_of(one))])),
        )
        run.notes.extend(absence_note(run.absent, self.card))
        if len(images) == self.card.in_channels:
            run.warn(image_warnings(images, self.card, None if options.roi is None else run.box))
        with self._turn, processor_threads(options.threads):
            if is_located(self.card, grid, run.box):
                return self._segment_located(images, run, report)
            return self._segment(images, grid, run)

    def _seen(self, options: SegmentOptions) -> tuple[InputSpec, Sequence[str]]:
        """How the network sees the volume, and the axes whose mirror images it sees too."""
        spec = self.card.input
        if options.preview_spacing is not None:
            return replace(spec, spacing=options.preview_spacing, largest_patch=None), ()
        return spec, self.card.test_time_mirroring if options.mirror is None else options.mirror

    def _segment(self, images: list[sitk.Image], grid: Grid, run: _Run) -> Segmentation:
        import torch

        from LightMedSegLib.checks.result_warnings import result_warnings
        from LightMedSegLib.inference.postprocessing import postprocess

        asked = run.box
        run.cancel.raise_if_cancelled()
        labels = np.zeros(grid.shape, dtype=np.uint8)
        doubt = np.zeros_like(labels) if run.doubt else None
        searches = is_worth_it(grid, run.box, run.spec, run.overlap)
        self._expect(grid, run, searches)
        if searches:
            # With the mirror images of the full pass: its windows must not depend on the side.
            coarse = replace(run, spec=coarse_input(run.spec), search=True)
            self._fill(labels, images, grid, coarse)
            box = surroundings(labels, grid, run.box, run.spec, run.overlap)
            labels[...] = 0
            run = replace(run, box=box, margin_mm=run.margin_mm if box == run.box else 0.0)
        device = self._fill(labels, images, grid, run, doubt)
        run.plan.at("finish", 0.0, "Cleaning up")
        with run.timer.stage("postprocess"):
            voxel_ml = float(np.prod(grid.spacing)) / 1000
            (x0, x1), (y0, y1), (z0, z1) = run.box
            wanted, steps = labels[z0:z1, y0:y1, x0:x1], self.card.postprocessing
            postprocess(wanted, steps, voxel_ml, run.cancel, torch.get_num_threads())
            run.cancel.raise_if_cancelled()
            run.warn(result_warnings(labels, grid, run.card, asked))
            labelmap, doubts = as_image(labels, images[0]), None if doubt is None else as_image(doubt, images[0])
        pace_of(device).learn("finish", labels.size, run.timer.seconds["postprocess"])
        run.plan.end("Done")
        notes, why = [*run.warnings, *run.notes], self._networks.explanation(device)
        return Segmentation(labelmap, self.card, run.timer.seconds, device, notes, why, list(run.warnings), doubts)

    def _segment_located(self, images: list[sitk.Image], run: _Run, report: ProgressCallback) -> Segmentation:
        """Segment a crop around each place that the card's locator finds."""
        if self._locator is None:
            self._locator = Engine(locator_model(self.card, resolved), self.device.name, self._cpu_path)
        own = self._locator.card
        coarse = SegmentOptions(roi=run.box, mirror=(), preview_spacing=own.input.preview_spacing)
        finding = part_of(report, 0.0, FIND_SHARE, "Finding the structures: ")
        found = self._locator.segment(images[: own.in_channels], coarse, finding, run.cancel)
        places = found_places(found, self.card, run.box)
        run.warn(missing_sides(places, self.card))

        def segment_crop(crop: Sequence[sitk.Image], side: Side, part: ProgressCallback) -> Segmentation:
            grid, card = Grid.of(crop[0]), side_card(self.card, side)
            # What a crop is warned of counts only where it is the last one of its side.
            one = replace(run, box=grid.box, margin_mm=0.0, card=card, strict=False, warnings=[])
            return self._segment(list(crop), grid, replace(one, timer=_timer(), plan=WorkPlan(part)))

        labels, doubt, sides = segment_places(
            images, places, run.box, self.card, segment_crop, part_of(report, FIND_SHARE, 0.99)
        )
        run.warn(warning for crops in sides for warning in crops[-1].warnings)
        run.warn(disagreements(labels, found, self.card))
        report(100, 100, "Done")
        parts = [found, *chain(*sides)]
        return located_result(labels, doubt, images[0], self.card, parts, run.warnings, run.notes)

    def _expect(self, grid: Grid, run: _Run, searches: bool) -> None:
        """Plan the parts of a run by the voxels of each; what cannot be known yet is taken as large."""
        pace, plan, spec = pace_of(self.device.name), run.plan, run.spec
        voxels = float(np.prod(grid.shape))
        everything = float(np.prod(map_to_model_grid(grid, spec.spacing, spec.orientation, run.box).model.shape))
        passes, window = 2.0 ** len(run.mirror), float(np.prod(spec.patch))
        plan.expect("preparation", pace.expected("preparation", voxels))
        plan.expect("finish", pace.expected("finish", voxels))
        if searches:
            plan.expect("search preparation", pace.expected("preparation", voxels))
            smaller = float(np.prod(spec.spacing)) / float(np.prod(coarse_input(spec).spacing))
            plan.expect("search", pace.expected("network", everything * smaller * passes))
            everything = _WINDOWS_LEFT * window
        plan.expect("network", pace.expected("network", max(everything, window) * passes))

    def _fill(
        self,
        labels: NDArray[np.uint8],
        images: list[sitk.Image],
        grid: Grid,
        run: _Run,
        doubt: NDArray[np.uint8] | None = None,
    ) -> str:
        """Fill run.box of labels, and of doubt, on the engine's device, or on the CPU where that fails.

        Returns the device's name.
        """
        from LightMedSegLib.inference.padding_labels import clear_padding

        # Only CUDA has a part in the preparation that can fail on the device alone.
        own = self.device.name
        prepared = None if own.startswith("cuda") else self._prepared(own, images, grid, run)

        def label_on(device: str) -> str:
            nonlocal prepared
            prepared = prepared or self._prepared(device, images, grid, run)
            try:
                self._label_on(device, prepared, labels, run, doubt)
            except (RuntimeError, MemoryError) as error:
                if run.spec.largest_patch is None or not is_out_of_memory(error):
                    raise
                smaller = replace(run, spec=replace(run.spec, largest_patch=None))
                self._label_on(device, prepared, labels, smaller, doubt)
            run.warn(clear_padding(labels, prepared, run.card, doubt) if not run.search else ())
            return device

        def failed(note: str) -> None:
            if note not in run.notes:
                run.notes.append(note)

        advice = "choose a smaller region of interest"
        return self._networks.on_first_that_works(own, label_on, failed, advice)

    def _prepared(self, device: str, images: list[sitk.Image], grid: Grid, run: _Run) -> PreparedVolume:
        from LightMedSegLib.inference.preprocessing import prepare_volume

        run.plan.at("search preparation" if run.search else "preparation", 0.0, "Preparing the volume")
        before = run.timer.seconds["preprocess"]
        with run.timer.stage("preprocess"):
            box = grow_box(run.box, run.margin_mm, grid)
            prepared = prepare_volume(images, run.spec, box, run.cancel, device)
        run.warn(prepared.notes)
        pace_of(device).learn("preparation", float(np.prod(grid.shape)), run.timer.seconds["preprocess"] - before)
        return prepared

    def _label_on(
        self,
        device: str,
        prepared: PreparedVolume,
        labels: NDArray[np.uint8],
        run: _Run,
        doubt: NDArray[np.uint8] | None,
    ) -> None:
        from LightMedSegLib.inference.sliding_window.predictor import Predictor
        from LightMedSegLib.inference.sliding_window.volume_labels import label_volume

        part, spec = "search" if run.search else "network", run.spec
        if device not in self._networks.built:
            run.plan.at(part, 0.0, "Loading the model")
        with run.timer.stage("load"):
            swaps = self.card.mirror_label_swaps
            predictor = Predictor(self._networks.on(device), device, run.mirror, run.cancel, swaps)
        rule = WindowRule.of(spec, predictor.total_stride, self.card.num_classes, run.overlap)
        layout = plan_layout(prepared.grid_map.model.shape, rule, prepared.body)
        if spec.view == "whole" and not layout.single:
            run.notes.append("The volume is too large for one pass of the network; it was segmented in windows.")
        windows, pace = len(layout.starts), pace_of(device)
        network_voxels = float(np.prod(layout.window)) * windows * 2 ** len(run.mirror)
        label_voxels = float(np.prod([last - first for first, last in run.box]))
        to_labels = pace.expected("restoration", label_voxels)
        seconds = pace.expected("network", network_voxels) + to_labels
        run.plan.expect(part, seconds)

        def on_share(share: float, window: int) -> None:
            run.cancel.raise_if_cancelled()
            message = "Searching for the structures" if run.search else f"Segmenting, window {window} of {windows}"
            run.plan.at(part, share, message)

        before = dict(run.timer.seconds)
        restoration = to_labels / seconds if seconds else 0.0
        try:
            label_volume(
                predictor, prepared, layout, labels, run.box, run.timer, on_share, restoration, run.absent, doubt
            )
        finally:
            predictor.end_volume()
        for work, stage, voxels in (("network", "network", network_voxels), ("restoration", "restore", label_voxels)):
            pace.learn(work, voxels, run.timer.seconds[stage] - before[stage])


def _timer() -> StageTimer:
    timer = StageTimer()
    timer.seconds.update(dict.fromkeys(STAGES, 0.0))
    return timer


def resolved(model: str | Path | Model) -> Model:
    """model itself, or the one of that name, folder or zip; raises ModelPackageError if there is none."""
    if not isinstance(model, (str, Path)) and hasattr(model, "card"):
        return model
    from LightMedSegLib.model.store import resolve_model

    return resolve_model(model)
