"""Draw the pictures in Resources/Screenshots: the panel after a real run, and the result as Slicer's own code draws it.

    python Testing/Tools/make_screenshots.py

They are rendered outside the Slicer application, and documents must call them so. The scan is the shipped head,
the model the shipped brain model. Needs matplotlib and what Testing/Runtime/README.md names.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "Testing")]

Point = tuple[float, float, float]

CREDIT = ("Rendered outside the 3D Slicer application.", "Scan: the shipped sample.")
SURROUNDING = ("cerebral_white_matter", "cerebral_cortex", "cerebellar_cortex")
"""Ends of the names of the segments around the others."""

VIEW_WIDTH, WINDOW_HEIGHT, BAR, GAP = 460, 768, 24, 3
_MARGIN_3D = 1.6
"""The runtime draws a 3D view with a wide margin; this part of it is cut off."""


_SMOOTHING = 2
"""Views are drawn this much larger and averaged, because Mesa draws without antialiasing."""


@dataclass(frozen=True)
class View:
    """name: Slicer's slice view. cut: a point on the slice. middle: what the picture is centred on. RAS, mm."""

    title: str
    name: str
    color: str
    sides: tuple[str, str]
    cut: Point
    middle: Point
    width: float


VIEWS = (
    View("Axial", "Red", "#f34a33", ("R", "L"), (0, -17, 9), (0, -17, 9), 290),
    View("Sagittal", "Yellow", "#edd54c", ("A", "P"), (-26, -17, 9), (-26, -17, 19), 290),
    View("Coronal", "Green", "#6eb04b", ("R", "L"), (0, -16, 9), (0, -16, 19), 290),
)
"""Through both hippocampi and the nuclei between them."""


def main() -> None:
    """Write all pictures."""
    folder = REPOSITORY / "Resources" / "Screenshots"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # Whoever draws the pictures may have models of their own; they must not appear.
        os.environ["LIGHTMEDSEG_HOME"] = str(Path(scratch) / "models")
        pictures = draw(Path(scratch))
        for name, picture in pictures.items():
            path = folder / f"{name}.png"
            save(picture, path)
            print(path.relative_to(REPOSITORY), picture.width, "x", picture.height, path.stat().st_size, "bytes")


def draw(scratch: Path) -> dict[str, Image.Image]:
    """File name (without suffix) to picture."""
    from Runtime.bootstrap import start

    session = start(scratch / "home")
    session.reset()
    session.load_module(REPOSITORY / "LightMedSeg" / "LightMedSeg.py")
    panel = session.open_module("LightMedSeg")
    volume = segment_sample(session, panel)
    shown = draw_panel(session, panel, scratch / "panel.png")
    # Two views, one above the other, are as tall as the window.
    size = (VIEW_WIDTH, (WINDOW_HEIGHT - GAP) // 2 - BAR)
    slices = {view.title: draw_slice(view, volume, scratch / "slice.png", size) for view in VIEWS}
    surfaces = draw_3d(scratch / "3d.png", size)
    session.finish()
    return {
        "panel": with_credit(shown),
        "result-slices": with_credit(side_by_side(*slices.values())),
        "result-3d": with_credit(surfaces),
        "screenshot": with_credit(composed(in_window(shown), slices, surfaces)),
    }


def segment_sample(session: Any, panel: Any) -> Any:
    """The head, segmented as "Try it" and two clicks on Segment leave it."""
    panel.ui.tryItButton.click()
    volume = panel.parameters.inputVolume
    # The first run loads torch; the panel must show what a run takes after that.
    for _ in range(2):
        panel.ui.segmentButton.click()
        session.wait_until(lambda: not panel.run.running, 600, "the result")
    node = panel.parameters.outputSegmentation
    if node is None:
        raise SystemExit(panel.ui.statusLabel.text)
    show_what_lies_within(node)
    return volume


def show_what_lies_within(node: Any) -> None:
    """Fill the deep structures, draw those around them lightly, in 3D the cortex alone."""
    display = node.GetDisplayNode()
    display.SetOpacity2DFill(0.6)
    display.SetSliceIntersectionThickness(_SMOOTHING)
    for segment in node.GetSegmentation().GetSegmentIDs():
        if segment.endswith(SURROUNDING):
            display.SetSegmentOpacity2DFill(segment, 0.3)
            display.SetSegmentOpacity2DOutline(segment, 0.4)
            display.SetSegmentOpacity3D(segment, 0.1 if segment.endswith("cerebral_cortex") else 0.0)


def draw_panel(session: Any, panel: Any, path: Path) -> Image.Image:
    """The panel as tall as its contents; the section with the paths of this machine is closed."""
    from Runtime.rendering import grab

    panel.ui.aboutButton.collapsed = True
    panel.ui.show3DButton.click()
    session.wait_until(lambda: not panel.result.surfaces.busy, 60, "the surfaces")
    session.process_events(0.3)
    picture = Image.open(grab(panel.parent, path)).convert("RGB")
    rows = np.asarray(picture).std(axis=(1, 2)).nonzero()[0]
    return picture.crop((0, 0, picture.width, rows[-1] + rows[0]))


def in_window(panel: Image.Image) -> Image.Image:
    """The panel with the empty room that Slicer leaves below it."""
    whole = Image.new("RGB", (panel.width, max(WINDOW_HEIGHT, panel.height)), panel.getpixel((1, 1)))
    whole.paste(panel, (0, 0))
    return whole


def label_centre(node: Any) -> Point:
    """Where the middle of all labels lies; RAS, mm."""
    import vtk

    from LightMedSegLib.mrml.segmentations.shared_labelmap import layer_array

    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    k, j, i = np.argwhere(layer_array(image)).mean(axis=0)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    x, y, z, _ = matrix.MultiplyPoint((i, j, k, 1))
    return (x, y, z)


def draw_slice(view: View, volume: Any, path: Path, size: tuple[int, int]) -> Image.Image:
    """A part of a slice view, with its name and sides; the runtime draws whole slices only."""
    import slicer
    import vtk
    from Runtime.rendering import render_slice

    node = slicer.app.layoutManager().sliceWidget(view.name).mrmlSliceNode()
    # A first drawing tells how many mm the runtime fits into the view; the second has the wanted scale.
    side = 64
    for _ in range(2):
        render_slice(volume, path, view.name, (side, side), view.cut)
        side = round(_SMOOTHING * size[0] / view.width * node.GetFieldOfView()[0])
    ras_to_xy = vtk.vtkMatrix4x4()
    ras_to_xy.DeepCopy(node.GetXYToRAS())
    ras_to_xy.Invert()
    x, y, *_ = ras_to_xy.MultiplyPoint((*view.middle, 1))
    whole = Image.open(path).convert("RGB")
    width, height = (_SMOOTHING * length for length in size)
    left, top = round(x - width / 2), round(whole.height - y - height / 2)
    # What lies outside the picture comes out black.
    part = whole.crop((left, top, left + width, top + height)).reduce(_SMOOTHING)
    return with_bar(with_sides(part, view.sides, "white"), view.title, view.color)


def draw_3d(path: Path, size: tuple[int, int]) -> Image.Image:
    """The 3D view of everything in the scene."""
    from Runtime.rendering import render_3d

    width, height = (_SMOOTHING * length for length in size)
    whole = Image.open(render_3d(path, (round(width * _MARGIN_3D), round(height * _MARGIN_3D)))).convert("RGB")
    left, top = (whole.width - width) // 2, (whole.height - height) // 2
    part = whole.crop((left, top, left + width, top + height)).reduce(_SMOOTHING)
    return with_bar(with_sides(part, ("R", "L"), "black"), "3D, from the front", "#7494f2")


def text_font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, as Qt uses it in the panel."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)


def with_sides(picture: Image.Image, sides: tuple[str, str], color: str) -> Image.Image:
    """The letters of the patient's sides, at the left and the right border."""
    for letter, place in zip(sides, (14, picture.width - 14), strict=True):
        ImageDraw.Draw(picture).text((place, picture.height // 2), letter, color, text_font(18), anchor="mm")
    return picture


def with_bar(picture: Image.Image, title: str, color: str) -> Image.Image:
    """The view with its name above."""
    whole = Image.new("RGB", (picture.width, picture.height + BAR), color)
    whole.paste(picture, (0, BAR))
    ImageDraw.Draw(whole).text((8, BAR // 2), title, "black", text_font(14), anchor="lm")
    return whole


def side_by_side(*pictures: Image.Image) -> Image.Image:
    """In one row, with gaps."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(picture.height for picture in pictures)), "#efefef")
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + GAP
    return row


def composed(panel: Image.Image, slices: dict[str, Image.Image], surfaces: Image.Image) -> Image.Image:
    """The panel at the left, the views at the right, as in Slicer's four-up layout."""
    upper = side_by_side(slices["Axial"], surfaces)
    lower = side_by_side(slices["Coronal"], slices["Sagittal"])
    views = Image.new("RGB", (upper.width, upper.height + GAP + lower.height), "#efefef")
    views.paste(upper, (0, 0))
    views.paste(lower, (0, upper.height + GAP))
    return side_by_side(panel, views)


def with_credit(picture: Image.Image) -> Image.Image:
    """What the picture is, in a line below it, or in two where it is narrow."""
    font = text_font(13)
    lines = [" ".join(CREDIT)] if font.getlength(" ".join(CREDIT)) < picture.width - 16 else list(CREDIT)
    whole = Image.new("RGB", (picture.width, picture.height + 18 * len(lines) + 8), "#303030")
    whole.paste(picture, (0, 0))
    for number, line in enumerate(lines):
        ImageDraw.Draw(whole).text((8, picture.height + 13 + 18 * number), line, "white", font, anchor="lm")
    return whole


def save(picture: Image.Image, path: Path) -> None:
    """With a palette of half the greys and as many colours: half the size, and no difference that can be seen."""
    pixels = np.asarray(picture).reshape(-1, 3)
    colored = pixels[np.ptp(pixels, axis=1) > 8]
    colors = Image.fromarray(colored[None]).quantize(128, Image.Quantize.MEDIANCUT).getpalette()
    greys = np.repeat(np.linspace(0, 255, 128).round().astype(int), 3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette(greys + colors)
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
