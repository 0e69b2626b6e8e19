"""Draw the pictures of Documentation/tutorial.md: the panel and the views at every step, on the shipped samples.

    python Testing/Tools/make_tutorial.py

They are rendered outside the Slicer application, and documents must call them so. The fine-tuning at the end is a real
one; everything together takes a few minutes. Needs matplotlib and what Testing/Runtime/README.md names.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from make_screenshots import (
    REPOSITORY,
    Point,
    label_centre,
    save,
    show_what_lies_within,
    side_by_side,
    with_bar,
    with_credit,
    with_sides,
)
from PIL import Image

FOLDER = REPOSITORY / "Documentation" / "pictures"
SECTIONS = (
    "resultButton",
    "doubtSectionButton",
    "correctSectionButton",
    "finetuneSectionButton",
    "effortSectionButton",
    "advancedButton",
    "aboutButton",
)
VIEW = (420, 420)
HIPPOCAMPI: Point = (-26.0, -17.0, -12.0)
"""Where the slices of the head show both hippocampi; RAS, mm."""

SHORTENED, BRUSH = "Posterior_hippocampus", 2.5
"""The segment that is completed from a stroke, and the radius of the stroke in voxels."""
FINE_TUNING_SECONDS = 900


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # Whoever draws the pictures may have models and cases of their own; they must not appear.
        os.environ["LIGHTMEDSEG_HOME"] = str(Path(scratch) / "home")
        from Runtime.bootstrap import start

        session = start(Path(scratch) / "slicer")
        session.reset()
        session.load_module(REPOSITORY / "LightMedSeg" / "LightMedSeg.py")
        Tutorial(session, Path(scratch)).draw()
        session.finish()


class Tutorial:
    """The steps of the tutorial, done as a user does them."""

    def __init__(self, session: Any, scratch: Path) -> None:
        self._session, self._scratch = session, scratch
        self._panel = session.open_module("LightMedSeg")
        self._ui = self._panel.ui

    def draw(self) -> None:
        """All steps, one picture or more each."""
        self._keep("1-open", self._panel_picture())
        self._ui.tryItButton.click()
        self._keep("2-sample", self._panel_picture())
        volume = self._panel.parameters.inputVolume
        self._ui.segmentButton.click()
        self._keep("3-running", self._panel_picture())
        self._wait(lambda: not self._panel.run.running, 300, "the result")
        # The first run loads torch; the picture shows what a run takes after that.
        self._ui.segmentButton.click()
        self._wait(lambda: not self._panel.run.running, 300, "the result once more")
        node = self._panel.parameters.outputSegmentation
        self._ui.show3DButton.click()
        self._wait(lambda: not self._panel.result.surfaces.busy, 60, "the surfaces")
        self._keep("4-panel", self._panel_picture("resultButton"))
        show_what_lies_within(node)
        self._keep("4-result", self._views(volume, HIPPOCAMPI))
        node.GetDisplayNode().SetVisibility(False)
        volume, node = self._small_sample()
        self._doubt(volume, node)
        before = self._view(volume, "Yellow", label_centre(node), "As segmented")
        place = label_centre(node)
        correct(node, volume)
        # Back from the Segment Editor.
        self._session.leave_module()
        self._session.open_module("LightMedSeg")
        after = self._view(volume, "Yellow", place, "As corrected")
        self._keep("5-correct", side_by_side(before, after))
        self._strokes(volume, node)
        self._keep("6-add-case", self._fine_tuning())
        self._ui.addCaseButton.click()
        self._wait(lambda: not self._panel.addCase.adding, 120, "the case")
        self._ui.finetuneButton.click()
        self._wait(lambda: self._ui.finetuneBar.value >= 40, FINE_TUNING_SECONDS, "the middle of the fine-tuning")
        self._keep("7-finetune", self._fine_tuning())
        self._wait(lambda: not self._panel.finetune.running, FINE_TUNING_SECONDS, "the end of the fine-tuning")
        self._keep("8-verdict", self._fine_tuning())
        if self._ui.adoptButton.visible and self._ui.adoptButton.enabled:
            self._ui.adoptButton.click()
        self._ui.versionsGroup.collapsed = False
        self._keep("9-versions", self._fine_tuning("versionsGroup"))

    def _small_sample(self) -> tuple[Any, Any]:
        """The volume of the region around a hippocampus, and its segmentation."""
        from LightMedSegLib.gui.segment.samples import fill_panel

        fill_panel(self._panel, "hippocampus")
        self._panel.parameters.outputSegmentation = None
        self._ui.segmentButton.click()
        self._wait(lambda: not self._panel.run.running, 300, "the result of the small sample")
        node = self._panel.parameters.outputSegmentation
        node.GetDisplayNode().SetOpacity2DFill(0.35)
        node.GetDisplayNode().SetSliceIntersectionThickness(2)
        return self._panel.parameters.inputVolume, node

    def _doubt(self, volume: Any, node: Any) -> None:
        """The result once more with doubt, and two of its places looked at; then as before."""
        from LightMedSegLib.mrml.doubt.places import place_in_world
        from LightMedSegLib.mrml.doubt.volume import doubt_of

        ui, display = self._ui, node.GetDisplayNode()
        ui.doubtCheckBox.checked = True
        ui.segmentButton.click()
        self._wait(lambda: not self._panel.run.running, 300, "the result with doubt")
        for _ in range(2):
            ui.nextPlaceButton.click()
            ui.lookedCheckBox.click()
        ui.nextPlaceButton.click()
        self._keep("5-doubt-panel", self._panel_picture("resultButton", "doubtSectionButton"))
        place = place_in_world(doubt_of(node), self._panel.doubt.current)
        display.SetVisibility2DFill(False)
        self._keep("5-doubt", self._views(volume, place))
        display.SetVisibility2DFill(True)
        ui.doubtCheckBox.checked = False
        ui.segmentButton.click()
        self._wait(lambda: not self._panel.run.running, 300, "the result without doubt")

    def _strokes(self, volume: Any, node: Any) -> None:
        """A part that is missing is completed from one stroke; then a structure from a click is begun and discarded."""
        missing = Missing(node, volume)
        missing.remove()
        place = missing.place
        pictures = [self._view(volume, "Yellow", place, "A part is missing")]
        missing.paint()
        pictures.append(self._view(volume, "Yellow", place, "One stroke of Paint"))
        missing.remove()
        self._ui.completeCheckBox.checked = True
        missing.open_editor()
        self._wait(lambda: not self._completing.busy, 120, "the volume")
        self._session.open_module("LightMedSeg")
        self._keep("5-strokes-panel", self._section("correctSectionButton"))
        missing.paint()
        self._wait(lambda: not self._completing.busy, 120, "the completion")
        self._keep("5-stroke", side_by_side(*pictures, self._view(volume, "Yellow", place, "Completed")))
        self._ui.completeCheckBox.checked = False
        self._ui.clicksButton.click()
        self._wait(lambda: not self._panel.correct.clicks.busy, 120, "the volume")
        self._keep("5-clicks-panel", self._section("correctSectionButton"))
        self._ui.discardButton.click()

    @property
    def _completing(self) -> Any:
        return self._panel.correct.completing

    def _section(self, name: str) -> Image.Image:
        """One section of the panel, open."""
        from Runtime.rendering import grab

        self._open(name)
        return Image.open(grab(getattr(self._ui, name), self._scratch / f"{name}.png")).convert("RGB")

    def _wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        self._session.wait_until(condition, seconds, what)

    def _panel_picture(self, *opened: str) -> Image.Image:
        """The panel with only these sections open."""
        from Runtime.rendering import grab

        self._open(*opened)
        return cropped(Image.open(grab(self._panel.parent, self._scratch / "panel.png")).convert("RGB"))

    def _fine_tuning(self, part: str = "finetuneSectionButton") -> Image.Image:
        """The section Fine-tune, or a part of it."""
        from Runtime.rendering import grab

        self._open("finetuneSectionButton")
        return Image.open(grab(getattr(self._ui, part), self._scratch / f"{part}.png")).convert("RGB")

    def _open(self, *opened: str) -> None:
        for name in SECTIONS:
            getattr(self._ui, name).collapsed = name not in opened
        self._session.process_events(0.3)

    def _views(self, volume: Any, place: Point) -> Image.Image:
        views = (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal"))
        return side_by_side(*(self._view(volume, name, place, title) for name, title in views))

    def _view(self, volume: Any, name: str, place: Any, title: str) -> Image.Image:
        from Runtime.rendering import render_slice

        colors = {"Red": "#f34a33", "Yellow": "#edd54c", "Green": "#6eb04b"}
        sides = ("A", "P") if name == "Yellow" else ("R", "L")
        picture = Image.open(render_slice(volume, self._scratch / "slice.png", name, VIEW, place)).convert("RGB")
        return with_bar(with_sides(picture, sides, "white"), title, colors[name])

    def _keep(self, name: str, picture: Image.Image) -> None:
        path = FOLDER / f"{name}.png"
        save(with_credit(picture), path)
        print(
            path.relative_to(REPOSITORY), picture.width, "x", picture.height, path.stat().st_size, "bytes", flush=True
        )


class Missing:
    """The end of the posterior part, taken away and painted again in a small ball."""

    def __init__(self, node: Any, volume: Any) -> None:
        from LightMedSegLib.mrml.strokes.lattice import Lattice
        from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels

        self._node, self._volume, self._lattice = node, volume, Lattice.of(node, volume)
        self._segment = SegmentVoxels(node, SHORTENED, self._lattice)
        whole = self._segment.mask()
        along = np.argwhere(whole)[:, 1]
        front = SegmentVoxels(node, "Anterior_hippocampus", self._lattice).mask()
        backwards = 1 if along.mean() > np.argwhere(front)[:, 1].mean() else -1
        edge = np.quantile(along * backwards, 0.65)
        places = np.argwhere(whole & ((np.arange(whole.shape[1]) * backwards > edge)[None, :, None]))
        self._whole, self._gone = whole, np.zeros_like(whole)
        self._gone[tuple(places.T)] = True
        self._stroke = np.zeros_like(whole)
        middle = places.mean(axis=0)
        near = places[np.square(places - middle).sum(axis=1) <= BRUSH**2]
        self._stroke[tuple(near.T)] = True
        point = self._lattice.grid.point(tuple(middle[::-1].tolist()))
        self.place = (-point[0], -point[1], point[2])

    def remove(self) -> None:
        """Take the end away, and what was painted there."""
        self._write(self._whole & ~self._gone)

    def open_editor(self) -> None:
        """Choose Paint for the segment in the Segment Editor."""
        import slicer

        slicer.util.selectModule("SegmentEditor")
        editor = slicer.util.getModuleWidget("SegmentEditor").editor
        editor.setSegmentationNode(self._node)
        editor.setSourceVolumeNode(self._volume)
        editor.setCurrentSegmentID(SHORTENED)
        editor.setActiveEffectByName("Paint")

    def paint(self) -> None:
        """What the stroke writes at its release."""
        self._write(self._segment.mask() | self._stroke)

    def _write(self, mask: Any) -> None:
        whole = self._lattice.grid.box
        self._segment.write(whole, self._segment.mask(), mask)


def cropped(picture: Image.Image) -> Image.Image:
    """Without the empty part below the last widget."""
    rows = np.asarray(picture).std(axis=(1, 2)).nonzero()[0]
    return picture.crop((0, 0, picture.width, min(picture.height, rows[-1] + rows[0] + 1)))


def correct(node: Any, volume: Any) -> None:
    """A correction as someone would make it who draws the border between the two parts two slices further back."""
    import slicer

    anterior, posterior = "Anterior_hippocampus", "Posterior_hippocampus"
    front, back = (
        slicer.util.arrayFromSegmentBinaryLabelmap(node, name, volume).astype(bool) for name in (anterior, posterior)
    )
    # The volume's j axis runs from anterior to posterior or back; the front part shows which.
    middles = [np.argwhere(part)[:, 1].mean() for part in (front, back)]
    step = 1 if middles[1] > middles[0] else -1
    for _ in range(2):
        moved = np.roll(front, step, axis=1) & back
        front, back = front | moved, back & ~moved
    for name, mask in ((anterior, front), (posterior, back)):
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, name, volume)


if __name__ == "__main__":
    main()
