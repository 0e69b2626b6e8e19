"""What must hold in a model card beyond its JSON schema: relations between its items."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from typing import Any

from LightMedSegLib.core.geometry import SLICES
from LightMedSegLib.core.labels import Label
from LightMedSegLib.core.semver import Version

_MOST_PATCH_VOXELS = 2**23
"""About 200 voxels cubed: with 300 bytes a voxel (inference.sliding_window.windows) some 2.5 GB, as much as a pass over
a whole volume."""

_DEEPEST_STRIDE = 16
"""Sizes are filled up to a multiple of this before the network sees them."""


def broken_rule(card: Mapping[str, Any]) -> str | None:
    """The first relation that a schema-valid card breaks, as "item reason", or None."""
    return next((reason for rule in _RULES if (reason := rule(card))), None)


def _versions_are_semantic(card: Mapping[str, Any]) -> str | None:
    parent = card["parent"]
    for item, text in [("version", card["version"])] + ([("parent.version", parent["version"])] if parent else []):
        try:
            Version.parse(text)
        except ValueError as error:
            return f"{item}: {error}"
    return None


def _created_is_a_date(card: Mapping[str, Any]) -> str | None:
    try:
        datetime.date.fromisoformat(card["created"])
    except ValueError:
        return f"created is no date of the calendar: {card['created']!r}"
    return None


def _orientation_names_each_axis_once(card: Mapping[str, Any]) -> str | None:
    orientation = card["input"]["orientation"]
    if orientation == SLICES:
        return None
    if sorted({"L": 0, "R": 0, "A": 1, "P": 1, "S": 2, "I": 2}[letter] for letter in orientation) != [0, 1, 2]:
        return f"input.orientation must name each body axis once, not {orientation!r}"
    return None


def _patch_fits_into_memory(card: Mapping[str, Any]) -> str | None:
    """A stranger's card must not be able to use up the computer's memory."""
    for name in ("patch", "largest_patch"):
        patch = card["input"].get(name) or ()
        if math.prod(-(-size // _DEEPEST_STRIDE) * _DEEPEST_STRIDE for size in patch) > _MOST_PATCH_VOXELS:
            return f"input.{name} {patch} has more than the {_MOST_PATCH_VOXELS} voxels that fit into a usual memory"
    return None


def _largest_patch_is_no_smaller(card: Mapping[str, Any]) -> str | None:
    patch, largest = card["input"]["patch"], card["input"].get("largest_patch")
    if largest and any(large < small for large, small in zip(largest, patch, strict=True)):
        return f"input.largest_patch {largest} is smaller than input.patch {patch}"
    return None


def _channels_are_distinct_and_ordered(card: Mapping[str, Any]) -> str | None:
    names = [channel["name"] for channel in card["input"]["channels"]]
    if len(set(names)) != len(names):
        return "input.channels has two channels of the same name"
    for index, channel in enumerate(card["input"]["channels"]):
        setting = channel["normalization"]
        low, high = setting["clip_percentiles"] if setting["kind"] == "zscore" else (setting["lower"], setting["upper"])
        if not low < high:
            return f"input.channels[{index}].normalization: its lower limit {low} is not below its upper limit {high}"
    return None


def _preview_is_coarser(card: Mapping[str, Any]) -> str | None:
    own, preview = card["input"]["spacing_mm"], card["input"].get("preview_spacing_mm")
    if preview and (preview == own or any(large < small for large, small in zip(preview, own, strict=True))):
        return f"input.preview_spacing_mm {preview} is not coarser than input.spacing_mm {own}"
    return None


def _locator_is_usable(card: Mapping[str, Any]) -> str | None:
    locator = card["input"].get("locator")
    if not locator:
        return None
    if not card["input"].get("largest_extent_mm"):
        return "input.locator needs input.largest_extent_mm, beyond which it is asked"
    if locator["model"] == card["name"]:
        return "input.locator is the model itself"
    sides = locator["sides"]
    names = [(side.get("name") or "").casefold() for side in sides]
    if len(sides) > 1 and (not all(names) or len(set(names)) < len(names)):
        return "input.locator.sides need a name of its own for each side"
    count = len(sides) * len(card["labels"])
    return f"input.locator makes {count} labels, more than 255" if count > 255 else None


def _label_values_run_from_one(card: Mapping[str, Any]) -> str | None:
    values = [label["value"] for label in card["labels"]]
    if values != list(range(1, len(values) + 1)):
        return f"labels must have the values 1 to {len(values)} in this order"
    return None


def _labels_can_be_told_apart(card: Mapping[str, Any]) -> str | None:
    seen: dict[str, str] = {}
    for label in map(Label.from_json, card["labels"]):
        # Slicer finds segments by identifier: "Lobe (left)" and "lobe left" would be the same one there.
        key = label.segment_id.casefold()
        if not key:
            return f"labels: the name {label.name!r} has neither letters nor digits"
        if key in seen:
            return f"labels: the names {seen[key]!r} and {label.name!r} are too much alike"
        seen[key] = label.name
    return None


def _postprocessing_names_known_labels(card: Mapping[str, Any]) -> str | None:
    count = len(card["labels"])
    for index, operation in enumerate(card["postprocessing"]):
        unknown = [value for value in operation["labels"] if value > count]
        if unknown:
            return f"postprocessing[{index}] names label {unknown[0]}, but the labels end at {count}"
    return None


def _removed_labels_are_known(card: Mapping[str, Any]) -> str | None:
    count = len(card["labels"])
    unknown = [value for value in card.get("removed_with_skull", ()) if value > count]
    return f"removed_with_skull names label {unknown[0]}, but the labels end at {count}" if unknown else None


def _mirror_label_swaps_are_pairs(card: Mapping[str, Any]) -> str | None:
    values = [value for pair in card.get("mirror_label_swaps", ()) for value in pair]
    if len(set(values)) < len(values):
        return "mirror_label_swaps names a label twice"
    unknown = [value for value in values if value > len(card["labels"])]
    return f"mirror_label_swaps names label {unknown[0]}, but there is none" if unknown else None


def _ranges_are_of_known_labels(card: Mapping[str, Any]) -> str | None:
    count, seen = len(card["labels"]), set()
    for index, entry in enumerate(card.get("ranges", ())):
        value, item = entry["value"], f"ranges[{index}]"
        unknown = [label for label in (value, entry.get("origin", value)) if label > count]
        if unknown:
            return f"{item} names label {unknown[0]}, but the labels end at {count}"
        if value in seen:
            return f"{item} is a second one for label {value}"
        seen.add(value)
        if ("origin" in entry) != ("offset_mm" in entry) or entry.get("origin") == value:
            return f"{item} needs an offset_mm together with an origin, which is another label"
        for low, high in (entry["volume_ml"], *entry.get("offset_mm", ())):
            if not low < high:
                return f"{item}: the lower limit {low} is not below the upper limit {high}"
    return None


def _offsets_are_of_known_labels(card: Mapping[str, Any]) -> str | None:
    values = [one["value"] for one in card.get("expected_dice", {}).get("offsets", ())]
    unknown = [value for value in values if value > len(card["labels"])]
    if unknown:
        return f"expected_dice.offsets names label {unknown[0]}, but the labels end at {len(card['labels'])}"
    return "expected_dice.offsets names a label twice" if len(set(values)) < len(values) else None


def _parent_is_another_model(card: Mapping[str, Any]) -> str | None:
    parent = card["parent"]
    if parent and (parent["name"], parent["version"]) == (card["name"], card["version"]):
        return "parent is the model itself"
    return None


_RULES: tuple[Callable[[Mapping[str, Any]], str | None], ...] = (
    _versions_are_semantic,
    _created_is_a_date,
    _orientation_names_each_axis_once,
    _patch_fits_into_memory,
    _largest_patch_is_no_smaller,
    _channels_are_distinct_and_ordered,
    _preview_is_coarser,
    _locator_is_usable,
    _label_values_run_from_one,
    _labels_can_be_told_apart,
    _postprocessing_names_known_labels,
    _removed_labels_are_known,
    _mirror_label_swaps_are_pairs,
    _ranges_are_of_known_labels,
    _offsets_are_of_known_labels,
    _parent_is_another_model,
)
