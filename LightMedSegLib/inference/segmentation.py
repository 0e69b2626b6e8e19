"""Segmenting a volume with a model: the library's entry point."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from LightMedSegLib.core.devices import select_device
from LightMedSegLib.core.geometry import Box
from LightMedSegLib.core.progress import CancelToken, ProgressCallback
from LightMedSegLib.inference.engine import ROI_MARGIN_MM, Engine, resolved
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.result import STAGES, Segmentation

if TYPE_CHECKING:
    from LightMedSegLib.io.input_volumes import InputVolume
    from LightMedSegLib.model.package import Model

__all__ = ["ROI_MARGIN_MM", "STAGES", "Engine", "SegmentOptions", "Segmentation", "segment", "segment_with"]

_WARM_ENGINES = 2

_engines: OrderedDict[tuple[str, str], Engine] = OrderedDict()
_engines_lock = threading.Lock()


def segment(
    image: InputVolume | Sequence[InputVolume],
    model: str | Path | Model | Engine,
    device: str = "auto",
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
    *,
    overlap: float | None = None,
    mirror: Sequence[str] | None = None,
    threads: int | None = None,
    strict: bool = False,
    doubt: bool = False,
) -> Segmentation:
    """Return the segmentation of a volume on exactly its voxel grid.

    Args:
        image: a scalar 3D volume: file (NIfTI, NRRD, MetaImage), folder with one DICOM series, or SimpleITK image; or
            a list with one per channel of the model, in the card's order.
        model: name, "name@version", folder or zip of a model, a loaded Model, or an Engine (then device is ignored).
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        roi: half-open voxel index box ((i0, i1), (j0, j1), (k0, k1)) of the first volume; outside it all is 0.
            Intensities are normalised over the box and ROI_MARGIN_MM around it.
        progress: called as progress(percent, 100, message).
        cancel: a token that any thread may set; the call ends within a second and leaves nothing behind.
        overlap: fraction of a window shared with its neighbour, 0 to 0.9, instead of the card's.
        mirror: axes of "x", "y", "z" whose mirror images are averaged in, instead of the card's; () for none.
        threads: processor threads for this call.
        strict: whether a warning about the volume or the result, else found in the result's warnings, is an error.
        doubt: whether the result has the doubt of every voxel, at the cost of a little time.

    The models of the last two calls stay in memory, so that the next call need not load them.

    Raises InputImageError, ModelPackageError, DeviceError, DependencyError or CancelledError; strict calls also
    DoubtfulResultError, before any computing where the volume alone is the reason.
    """
    options = SegmentOptions(device, roi, overlap, mirror, threads, strict, doubt=doubt)
    return segment_with(image, model, options, progress, cancel)


def segment_with(
    image: InputVolume | Sequence[InputVolume],
    model: str | Path | Model | Engine,
    options: SegmentOptions,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Segmentation:
    """As :func:`segment`, with its choices, and that of a preview, in one record."""
    engine = model if isinstance(model, Engine) else _warm_engine(resolved(model), options.device)
    return engine.segment(image, options, progress, cancel)


def _warm_engine(model: Model, device: str) -> Engine:
    # The card names the weights by their hash, so equal cards mean equal models.
    key = (json.dumps(model.card.to_json(), sort_keys=True), select_device(device).name)
    with _engines_lock:
        engine = _engines.pop(key, None) or Engine(model, device)
        _engines[key] = engine
        while len(_engines) > _WARM_ENGINES:
            _engines.popitem(last=False)
    return engine
