"""The names and colours of a legend."""

from __future__ import annotations

from collections.abc import Container, Sequence

from LightMedSegLib.core.labels import Color, Label, without_side


def legend_entries(labels: Sequence[Label], shown: Container[int] = range(256)) -> dict[str, Color]:
    """Return the colour of each name; both sides of a structure have one entry where they share a colour.

    labels: all of the model. shown: the label values that get an entry.
    """
    colors: dict[str, set[Color]] = {}
    for label in labels:
        colors.setdefault(without_side(label.name), set()).add(label.color)
    return {
        name if len(colors[name]) == 1 else label.name: label.color
        for label in labels
        for name in [without_side(label.name)]
        if label.value in shown
    }
