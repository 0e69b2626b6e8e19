"""One segment under correction on Slicer's core: the Segment Editor replayed, completions made at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from mrml_nodes import add_volume, new_scene
from segment_editor_replay import SegmentEditorReplay, cube, raw_segments
from stub_completer import StubCompleter

from LightMedSegLib.mrml.strokes.correction import SegmentCorrection, Taken
from LightMedSegLib.mrml.strokes.editor import editor_node
from LightMedSegLib.mrml.strokes.lattice import Lattice
from LightMedSegLib.mrml.strokes.masking import Masking, overwritten_segments
from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels
from LightMedSegLib.mrml.strokes.watch import SegmentationWatch
from LightMedSegLib.mrml.volumes import snapshot

BLOCK = ((6, 20), (5, 17), (4, 14))
"""A bright block in the scan of two_tone_scan."""


def two_tone_scan(direction: Any = None) -> sitk.Image:
    """A dark scan of 28 x 24 x 20 anisotropic voxels with a bright block."""
    array = np.random.default_rng(3).normal(0, 3, (20, 24, 28)).astype(np.int16)
    array[cube(array.shape, BLOCK) > 0] += 100
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.8, 1.0, 1.6))
    image.SetOrigin((-11.0, 4.0, 22.0))
    if direction is not None:
        image.SetDirection(np.asarray(direction).ravel().tolist())
    return image


class StrokeDesk:
    """correct(name) follows a segment; settle() does what the event loop does after an action, completions included."""

    def __init__(self, image: sitk.Image | None = None, segmentation: Any = None, scene: Any = None) -> None:
        self.scene = scene or new_scene()
        self.volume = add_volume(self.scene, image if image is not None else two_tone_scan())
        self.node = segmentation or self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segments")
        self.node.CreateDefaultDisplayNodes()
        self.replay = SegmentEditorReplay(self.scene, self.node, self.volume)
        self.completer = StubCompleter()
        self.watch = SegmentationWatch(lambda: None, lambda segment_id: None)
        self.watch.follow(self.node)
        self.correction: SegmentCorrection | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.replay.shape

    def cube(self, *box: tuple[int, int]) -> np.ndarray:
        """A mask (z, y, x) of the volume: ranges of x, y and z."""
        return cube(self.shape, (box[0], box[1], box[2]))

    def correct(self, segment_id: str) -> SegmentCorrection:
        self.replay.select(segment_id)
        self.watch.take()
        lattice = Lattice.of(self.node, self.volume)
        self.correction = SegmentCorrection(SegmentVoxels(self.node, segment_id, lattice))
        self.correction.begin(snapshot(self.volume).image(), self.completer)
        return self.correction

    def take(self) -> Taken | None:
        news = self.watch.take()
        return self.correction.take(news) if self.correction is not None and news is not None else None

    def settle(self) -> Taken | None:
        taken = self.take()
        if taken is None or self.correction is None:
            return taken
        editor = editor_node(self.scene)
        segment_id, session = self.correction.voxels.segment_id, self.correction.session
        for stroke in taken.strokes:
            overwritten = overwritten_segments(editor, self.node, segment_id)
            masking = Masking.of(editor, self.node, segment_id, self.correction.voxels.lattice)
            allowed = masking.allowed(sitk.GetArrayFromImage(session.volume))
            change = session.propose(stroke, allowed)
            self.correction.accept(stroke, change, overwritten, self.watch.writing)
        return taken

    def mask(self, segment_id: str | None = None) -> np.ndarray:
        assert segment_id is not None or self.correction is not None
        return self.replay.mask(segment_id or self.correction.voxels.segment_id)  # type: ignore[union-attr]

    def layers(self) -> int:
        return int(self.node.GetSegmentation().GetNumberOfLayers())

    def share_a_layer(self) -> None:
        self.node.GetSegmentation().CollapseBinaryLabelmaps(False)

    def raw(self) -> list[tuple[Any, ...]]:
        return raw_segments(self.node)
