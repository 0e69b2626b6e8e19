"""Slices, letters of the directions, a title and a legend put together on one sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import DependencyError
from LightMedSegLib.core.labels import Color

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

BACKGROUND, INK = (0, 0, 0), (235, 235, 235)

DIRECTIONS = (("R", "L", "A", "P"), ("R", "L", "S", "I"), ("A", "P", "S", "I"))
"""What lies at the left, right, upper and lower edge of axial, coronal and sagittal slices."""

Panel = tuple[int, NDArray[np.uint8]]
"""The axis across which a slice lies, and its pixels (rows, columns, 3)."""


def check_drawing() -> None:
    """Raise DependencyError without the package that writes letters into pictures."""
    _pillow()


def sheet(
    rows: Sequence[Sequence[Panel]],
    legend: Mapping[str, Color],
    title: str = "",
    text_pixels: int = 20,
) -> NDArray[np.uint8]:
    """Return the picture (rows, columns, 3): the title, rows of slices, and the legend in columns.

    Raises DependencyError without Pillow.
    """
    pillow, draw_module, font_module = _pillow()
    font = font_module.load_default(text_pixels)
    gap = max(2, text_pixels // 4)
    entries = [font.getlength(name) + 2.6 * text_pixels for name in legend]
    widths = [sum(pixels.shape[1] + gap for _, pixels in row) + gap for row in rows]
    width = max(*widths, *(math.ceil(room) + 4 * gap for room in (*entries, font.getlength(title))))
    heights = [max(pixels.shape[0] for _, pixels in row) for row in rows]
    line = round(1.55 * text_pixels)
    lines, columns = _columns(entries, width - 4 * gap)
    top = line + gap if title else gap
    under = top + sum(heights) + gap * len(heights)
    height = under + (lines * line + 2 * gap if lines else 0)

    canvas = pillow.new("RGB", (width, height), BACKGROUND)
    draw = draw_module.Draw(canvas)
    if title:
        draw.text((2 * gap, (line + gap) / 2), title, fill=INK, font=font, anchor="lm")
    for row, row_height in zip(rows, heights, strict=True):
        left = (width - sum(pixels.shape[1] + gap for _, pixels in row) + gap) // 2
        for axis, pixels in row:
            corner = (left, top + (row_height - pixels.shape[0]) // 2)
            canvas.paste(pillow.fromarray(pixels), corner)
            _name_edges(draw, axis, corner, pixels.shape, font)
            left += pixels.shape[1] + gap
        top += row_height + gap
    for place, (name, color) in enumerate(legend.items()):
        x = 2 * gap + columns[place // lines]
        y = under + gap + place % lines * line
        box = (x, y + line * 0.22, x + 1.3 * text_pixels, y + line * 0.78)
        draw.rounded_rectangle(box, radius=text_pixels // 6, fill=color)
        draw.text((x + 1.7 * text_pixels, y + line / 2), name, fill=INK, font=font, anchor="lm")
    return np.asarray(canvas)


def _columns(widths: Sequence[float], room: float) -> tuple[int, list[float]]:
    """The fewest lines of a legend for which there is room, and where each column begins; widths of the entries."""
    for lines in range(1, len(widths) + 1):
        columns = [max(widths[first : first + lines]) for first in range(0, len(widths), lines)]
        if sum(columns) <= room or lines == len(widths):
            return lines, [sum(columns[:place]) for place in range(len(columns))]
    return 0, []


def _name_edges(draw: ImageDraw, axis: int, corner: tuple[int, int], shape: tuple[int, ...], font: Any) -> None:
    """Write the letters of the directions at the edges of a slice."""
    (left, top), (height, width) = corner, shape[:2]
    inset, halo = font.size * 0.3, max(2, font.size // 8)
    places = (
        (left + inset, top + height / 2, "lm"),
        (left + width - inset, top + height / 2, "rm"),
        (left + width / 2, top + inset, "mt"),
        (left + width / 2, top + height - inset, "mb"),
    )
    for letter, (x, y, anchor) in zip(DIRECTIONS[axis], places, strict=True):
        draw.text((x, y), letter, fill=INK, font=font, anchor=anchor, stroke_width=halo, stroke_fill=(0, 0, 0))


def _pillow() -> tuple[Any, Any, Any]:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise DependencyError("A montage needs the Python package Pillow; pip install pillow.") from error
    return Image, ImageDraw, ImageFont
