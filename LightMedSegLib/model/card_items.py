"""Items of the model card that stay plain dictionaries, and the limits of its numbers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from LightMedSegLib.core.records.item_types import Count, LabelValue, Line, Millimetres, Sha256, Text
from LightMedSegLib.core.records.limits import Limits

Spacing = tuple[Millimetres, Millimetres, Millimetres]
Extent = Annotated[float, Limits(minimum=1, maximum=10_000)]
PatchSize = Annotated[int, Limits(minimum=1, maximum=1024)]
Percentile = Annotated[float, Limits(minimum=0, maximum=100)]
Width = Annotated[Any, Limits(type="number", minimum=-1024, maximum=1024)]
"""Left as it is: a whole number may be a size."""
Argument = Annotated[
    bool | Annotated[str, Limits(maxLength=64)] | Width | Annotated[list[Width], Limits(maxItems=16)] | None,
    Limits(description="Small enough that no card can ask for a network that fills the computer's memory."),
]
LabelValues = Annotated[list[LabelValue], Limits(minItems=1, maxItems=255, uniqueItems=True)]


class ZScore(TypedDict):
    """Intensities clipped at percentiles, then to mean 0 and deviation 1."""

    kind: Literal["zscore"]
    clip_percentiles: tuple[Percentile, Percentile]


class Window(TypedDict):
    """Intensities clipped to a window, then with this mean and deviation to 0 and 1."""

    kind: Literal["window"]
    lower: float
    upper: float
    mean: float
    std: Annotated[float, Limits(exclusiveMinimum=0)]


class KeepLargestComponent(TypedDict):
    """Clean-up that keeps the largest component of each label, or of all of them together (joint)."""

    operation: Literal["keep_largest_component"]
    labels: LabelValues
    joint: bool


class RemoveSmallComponents(TypedDict):
    """Clean-up that removes components of less than minimum_ml."""

    operation: Literal["remove_small_components"]
    labels: LabelValues
    minimum_ml: Annotated[float, Limits(minimum=0)]


class FillHoles(TypedDict):
    """Clean-up that fills enclosed holes."""

    operation: Literal["fill_holes"]
    labels: LabelValues


class _Licenses(TypedDict):
    code: Line
    weights: Line
    data: Line


class Licenses(_Licenses, total=False):
    """Licences of a model; data_notice: what the data's licence asks to be said."""

    data_notice: Text


class CaseCounts(TypedDict):
    """How many cases each part of the data has."""

    train: Count
    validation: Count
    test: Count


class Training(TypedDict):
    """Where a model's weights come from."""

    data: Text
    cases: CaseCounts
    split_sha256: Sha256 | None
    configuration: dict[str, Any] | None
