"""A model without a network for the module's self test: it labels voxels above two thresholds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from LightMedSegLib.core.progress import CancelToken, ProgressCallback
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.result import as_image
from LightMedSegLib.inference.segmentation import Segmentation
from LightMedSegLib.model.package import save_model
from LightMedSegLib.model.store import resolve_model

STEPS = 20


def save_scenario_model(
    folder: Path,
    name: str = "self-test",
    version: str = "1.0.0",
    preview_spacing_mm: Sequence[float] | None = None,
    **changes: Any,
) -> str:
    """Write the package into folder/name@version; returns name@version. changes replace items of the card."""
    card: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "version": version,
        "parent": None,
        "title": "Self test",
        "description": "Finds bright and very bright voxels; made by the module's self test.",
        "modality": "MR",
        "body_region": "Head",
        "created": "2026-01-31",
        "input": {
            "channels": [{"name": "T1", "normalization": {"kind": "zscore", "clip_percentiles": [0.5, 99.5]}}],
            "spacing_mm": [1.0, 1.0, 1.0],
            "orientation": "LPS",
            "patch": [32, 32, 32],
            "view": "windows",
            "overlap": 0.5,
            "background_value": None,
            "preview_spacing_mm": preview_spacing_mm,
        },
        "network": {"name": "lightmedseg-tiny", "arguments": {}},
        "labels": [_label(1, "Bright", [230, 160, 60]), _label(2, "Very bright", [80, 140, 220])],
        "postprocessing": [],
        "test_time_mirroring": [],
        "licenses": {"code": "Apache-2.0", "weights": "CC0-1.0", "data": "CC0-1.0", "data_notice": "No data."},
        "training": {
            "data": "none",
            "cases": {"train": 0, "validation": 0, "test": 0},
            "split_sha256": None,
            "configuration": None,
        },
        "metrics": {},
        "intended_use": "Self test of the program.",
        "limits": "Knows nothing about anatomy.",
    }
    save_model(folder / f"{name}@{version}", {**card, **changes}, {"weight": np.zeros(1, dtype=np.float32)})
    return f"{name}@{version}"


class ThresholdSegment:
    """Stands in for segment_with; takes `seconds` for its steps and checks the cancel token between them."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls: list[SegmentOptions] = []

    def __call__(
        self, image: Any, model: Any, options: SegmentOptions, progress: ProgressCallback, cancel: CancelToken
    ) -> Segmentation:
        """Label voxels above 100 with 1 and above 200 with 2, inside options.roi; both ends along z are doubtful."""
        import SimpleITK as sitk

        self.calls.append(options)
        for step in range(STEPS):
            cancel.raise_if_cancelled()
            progress(step, STEPS, f"Segmenting, window {step + 1} of {STEPS}")
            time.sleep(self.seconds / STEPS)
        array = sitk.GetArrayFromImage(image[0] if isinstance(image, list) else image)
        labels = (array > 100).astype(np.uint8) + (array > 200)
        if options.roi is not None:
            (i0, i1), (j0, j1), (k0, k1) = options.roi
            inside = np.zeros_like(labels)
            inside[k0:k1, j0:j1, i0:i1] = 1
            labels = labels * inside
        result = sitk.GetImageFromArray(labels)
        result.CopyInformation(image[0] if isinstance(image, list) else image)
        doubt = _doubt_at_ends(result) if options.doubt else None
        return Segmentation(result, resolve_model(model).card, {"network": self.seconds}, "cpu", doubt=doubt)


def _doubt_at_ends(labelmap: Any) -> Any:
    import SimpleITK as sitk

    labels = sitk.GetArrayViewFromImage(labelmap)
    return as_image(np.where(labels != np.roll(labels, 1, axis=0), 200, 0).astype(np.uint8), labelmap)


def _label(value: int, name: str, color: list[int]) -> dict[str, Any]:
    codes = {"scheme": "SCT", "meaning": name}
    terminology = {
        "category": {"scheme": "SCT", "value": "123037004", "meaning": "Anatomical Structure"},
        "type": {**codes, "value": f"{value}"},
        "modifier": None,
        "region": None,
        "region_modifier": None,
    }
    return {"value": value, "name": name, "color": color, "terminology": terminology}
