"""Makes a segmentation job from the request of the panel or a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from LightMedSegLib.core.errors import InputImageError, ModelPackageError
from LightMedSegLib.gui.segment.checks import input_problem, region_shape
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.package import Model, load_model
from LightMedSegLib.model.promptable import refuse_promptable
from LightMedSegLib.model.store import ModelEntry, ModelStore
from LightMedSegLib.mrml.jobs.job_state import Job
from LightMedSegLib.mrml.jobs.preview import is_worth_it
from LightMedSegLib.mrml.jobs.segment_job import Outcome, segmentation_job
from LightMedSegLib.mrml.volumes import volume_grid


def usable_models(store: ModelStore) -> list[ModelEntry]:
    """The entries of the store that can be run: with a card, without a problem, and not promptable."""
    sound = [entry for entry in store.list() if entry.card is not None and entry.problem is None]
    return [entry for entry in sound if entry.card is not None and not entry.card.promptable]


def make_job(
    volumes: Sequence[Any],
    model: str | Path | Model | None,
    store: ModelStore,
    *,
    roi: Any = None,
    output: Any = None,
    overwrite: bool = False,
    preview: bool = False,
    options: SegmentOptions,
    segment: Callable[..., Any] | None = None,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
    on_end: Callable[[Job], None] = lambda job: None,
) -> Job:
    """A job that segments volumes, one node per channel of the model.

    model: as in LightMedSegLogic.process. preview: first a coarse result, if the card allows it and the volume is
    large. segment: the function that runs the model; None for the library's.

    Raises InputImageError or ModelPackageError with a sentence for the user.
    """
    problem = input_problem(volumes, roi)
    if problem:
        raise InputImageError(problem)
    source, card = _source_and_card(model, store)
    refuse_promptable(card)
    if len(volumes) != card.in_channels:
        names = ", ".join(channel.name for channel in card.input.channels)
        raise InputImageError(
            _("The model needs {count} volume(s) ({names}); {given} were given.").format(
                count=card.in_channels, names=names, given=len(volumes)
            )
        )
    spacing = card.input.preview_spacing if preview else None
    if spacing is not None and not is_worth_it(region_shape(volumes[0], roi), volume_grid(volumes[0]).spacing, card):
        spacing = None
    return segmentation_job(
        list(volumes),
        source,
        roi_node=roi,
        segmentation_node=output,
        overwrite=overwrite,
        options=replace(options, preview_spacing=spacing),
        on_outcome=on_outcome,
        on_end=on_end,
        segment=segment,
    )


def _source_and_card(model: str | Path | Model | None, store: ModelStore) -> tuple[Path | Model, ModelCard]:
    if isinstance(model, Model):
        return model, model.card
    if isinstance(model, Path):
        loaded = load_model(model)
        return loaded, loaded.card
    entries = usable_models(store)
    if model is None:
        if not entries:
            raise ModelPackageError(_("There is no model; import one in the section Advanced."))
        return entries[0].folder, _card(entries[0])
    for entry in entries:
        if entry.identifier == model:
            # The weights are read and checked in the worker, not here.
            return entry.folder, _card(entry)
    loaded = store.find(model)
    return loaded, loaded.card


def _card(entry: ModelEntry) -> ModelCard:
    assert entry.card is not None
    return entry.card
