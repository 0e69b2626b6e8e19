"""The line that keeps corrections in progress on the disk, and offers those that a crash left behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.gui.panel import Panel
from LightMedSegLib.mrml.autosave.kept_segment import KeptSegment, from_arrays
from LightMedSegLib.mrml.autosave.restoring import restore_segments, volumes_of
from LightMedSegLib.mrml.autosave.saver import Saver
from LightMedSegLib.mrml.strokes.marks import kept_marks
from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels
from LightMedSegLib.storage.kept_corrections import OwnCorrections, discard, left_behind
from LightMedSegLib.storage.safetensors_file import parse_tensors

_PAUSE_MILLISECONDS = 2000
_END_MILLISECONDS = 200
"""How often is looked whether a write has ended."""

_LOOK_MILLISECONDS = 20_000
"""How often is looked whether the segmentations were saved: Slicer does not tell that of every way of saving."""


class AutosaveLine:
    """Keeps each corrected segment until the scene is saved or closed; shows what an earlier session left."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._saver = Saver(OwnCorrections())
        self._open: dict[tuple[str, str], SegmentVoxels] = {}
        self._left: dict[Path, list[KeptSegment]] | None = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.interval = _PAUSE_MILLISECONDS
        self._timer.connect("timeout()", self.save)
        self._end = qt.QTimer()
        self._end.interval = _END_MILLISECONDS
        self._end.connect("timeout()", self._end_write)
        self._look = qt.QTimer()
        self._look.interval = _LOOK_MILLISECONDS
        self._look.connect("timeout()", self.forget_saved)
        ui = panel.ui
        ui.restoreKeptButton.connect("clicked()", self.restore)
        ui.discardKeptButton.connect("clicked()", self.discard)
        self._tag = slicer.mrmlScene.AddObserver(slicer.mrmlScene.StartCloseEvent, self._on_close)

    def changed(self, voxels: SegmentVoxels) -> None:
        """A stroke, a click, Undo or Redo changed a segment; it is written a moment after the last of them."""
        self._open[voxels.node.GetID(), voxels.segment_id] = voxels
        self._timer.start()
        self._look.start()

    def save(self) -> None:
        """Begin to write what was changed, unless a write still runs; then a moment later."""
        if self._saver.busy:
            self._timer.start()
            return
        self._write()

    def forget_saved(self) -> None:
        """Delete what this session kept once all of it is in saved files."""
        if not any(voxels.exists and voxels.node.GetModifiedSinceRead() for voxels in self._open.values()):
            self.forget()

    def forget(self) -> None:
        """Delete what this session kept: the scene was closed, or nobody wants it any more."""
        self._timer.stop()
        self._end.stop()
        self._look.stop()
        self._open.clear()
        self._saver.forget()

    def close(self) -> None:
        """Slicer ends normally, or the module is reloaded."""
        self.forget()
        slicer.mrmlScene.RemoveObserver(self._tag)

    def show(self) -> None:
        """Show the line if an earlier session left corrections."""
        ui, left = self._panel.ui, self._left_behind()
        ui.LightMedSegAutosave.visible = bool(left)
        possible = any(volumes_of(slicer.mrmlScene, segments) is not None for segments in left.values())
        ui.restoreKeptButton.enabled = possible
        ui.keptLabel.text = (
            _("Corrections of an earlier session are kept.")
            if possible
            else _("Corrections of an earlier session are kept; load their scan to restore them.")
        )

    def restore(self) -> None:
        """Bring back the corrections of the scans that are in the scene; others stay kept."""
        for path, segments in list(self._left_behind().items()):
            volumes = volumes_of(slicer.mrmlScene, segments)
            if volumes is None:
                continue
            restored = restore_segments(segments, volumes, _("Restored correction"))
            for voxels in restored:
                self.changed(voxels)
            # Written again before the old file goes, so that a second crash loses nothing either.
            written = self._write()
            self._saver.wait()
            if written and not self._saver.failed:
                self._forget_left([path])
            self._panel.state.current.outputSegmentation = restored[0].node
        self._panel.update()

    def discard(self) -> None:
        """Delete all that earlier sessions left, after a question."""
        if slicer.util.confirmOkCancelDisplay(
            _("Delete the kept corrections of earlier sessions? This cannot be undone."), _("Discard corrections")
        ):
            self._forget_left(list(self._left_behind()))
            self.show()

    def _write(self) -> bool:
        """Begin to write what is open; return whether there was anything."""
        segments = [kept for key in list(self._open) if (kept := self._kept(key)) is not None]
        if segments:
            self._saver.save(segments)
            self._end.start()
        else:
            self._saver.forget()
        return bool(segments)

    def _end_write(self) -> None:
        if not self._saver.busy:
            self._end.stop()
            self._saver.wait()

    def _kept(self, key: tuple[str, str]) -> KeptSegment | None:
        """A segment as it is now; None once it or its marks are gone."""
        voxels = self._open[key]
        marks = kept_marks(voxels.node).get(voxels.segment_id) if voxels.exists else None
        if marks is None:
            del self._open[key]
            return None
        color = voxels.node.GetSegmentation().GetSegment(voxels.segment_id).GetColor()
        red, green, blue = (round(255 * part) for part in color)
        return KeptSegment(voxels.lattice.grid, voxels.mask(), (red, green, blue), marks)

    def _left_behind(self) -> dict[Path, list[KeptSegment]]:
        if self._left is None:
            self._left = {}
            for path in left_behind():
                segments = _read(path)
                if segments:
                    self._left[path] = segments
                elif segments is not None:
                    discard([path])
        return self._left

    def _forget_left(self, paths: Sequence[Path]) -> None:
        discard(paths)
        for path in paths:
            self._left_behind().pop(path, None)

    def _on_close(self, caller: Any, event: Any) -> None:
        self.forget()


def _read(path: Path) -> list[KeptSegment] | None:
    """The segments in a file; none if it is damaged, None if it cannot be read now."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        return from_arrays(parse_tensors(content, path.name))
    except (ModelPackageError, ValueError):
        return []
