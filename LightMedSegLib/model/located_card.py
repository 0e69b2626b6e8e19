"""The card as it describes a result in a larger volume, where a locator found the places of the structures."""

from __future__ import annotations

from dataclasses import replace

from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.locator import Side, side_labels


def side_card(card: ModelCard, side: Side) -> ModelCard:
    """The card with the labels of one side: the same values, other names and codes."""
    return replace(card, labels=side_labels(card.labels, side))


def located_card(card: ModelCard) -> ModelCard:
    """The card with the labels of all sides; label v of side number s (from 0) has the value s * count + v.

    It describes results only: its network and its other items are those of the model. A card without a locator stays
    as it is.
    """
    locator = card.input.locator
    if locator is None:
        return card
    count = len(card.labels)
    labels = [
        replace(label, value=number * count + label.value)
        for number, side in enumerate(locator.sides)
        for label in side_labels(card.labels, side)
    ]
    calibration = card.expected_dice
    if calibration is not None:
        sides = range(len(locator.sides))
        offsets = tuple(replace(one, value=side * count + one.value) for side in sides for one in calibration.offsets)
        calibration = replace(calibration, offsets=offsets)
    return replace(card, labels=tuple(labels), expected_dice=calibration)
