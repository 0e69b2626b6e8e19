"""Shows a doubt volume over the scan in the slice views. What the user had there comes back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import slicer

from LightMedSegLib.mrml.doubt.volume import legend_of
from LightMedSegLib.mrml.segmentations.result_record import PREFIX

OPACITY = 0.6

_FOREGROUND, _OPACITY = PREFIX + "Foreground", PREFIX + "ForegroundOpacity"


class DoubtOverlay:
    """At most one doubt volume as the foreground of all slice views of the application's scene.

    The views themselves remember the foreground that they had, so that it also comes back in a scene that was saved
    and loaded meanwhile, with or without the doubt.
    """

    def __init__(self) -> None:
        self._node: Any = None

    @property
    def node(self) -> Any:
        """The doubt volume that was shown last and not hidden since; None without one."""
        return self._node

    def show(self, node: Any) -> None:
        """Show a doubt volume instead of the former one, in every slice view that there is; None hides it."""
        if node is self._node is not None:
            return
        self._show_legend(False)
        if node is None:
            for composite in _composites():
                self._restore(composite)
        self._node = node
        if node is not None:
            for composite in _composites():
                self._cover(composite)
            self._show_legend(True)

    def hide(self) -> None:
        """Bring back the foreground that each view had; one that the user has chosen meanwhile stays."""
        self.show(None)

    def _cover(self, composite: Any) -> None:
        if composite.GetAttribute(_OPACITY) is None:
            composite.SetNodeReferenceID(_FOREGROUND, composite.GetForegroundVolumeID())
            composite.SetAttribute(_OPACITY, str(composite.GetForegroundOpacity()))
        composite.SetForegroundVolumeID(self._node.GetID())
        composite.SetForegroundOpacity(OPACITY)

    def _restore(self, composite: Any) -> None:
        kept = composite.GetAttribute(_OPACITY)
        if kept is None:
            return
        own, shown = self._node.GetID() if self._node is not None else None, composite.GetForegroundVolumeID()
        if shown is None or shown == own:
            before = composite.GetNodeReference(_FOREGROUND)
            composite.SetForegroundVolumeID(before.GetID() if before is not None else None)
            composite.SetForegroundOpacity(_number(kept))
        composite.SetNodeReferenceID(_FOREGROUND, None)
        composite.RemoveAttribute(_OPACITY)

    def _show_legend(self, shown: bool) -> None:
        legend = legend_of(self._node) if self._node is not None and self._node.GetScene() is not None else None
        if legend is not None:
            legend.SetVisibility(shown)


def _composites() -> Iterator[Any]:
    scene = slicer.mrmlScene
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        yield scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode")


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        # Attributes of a scene file can be edited by anybody.
        return 0.0
