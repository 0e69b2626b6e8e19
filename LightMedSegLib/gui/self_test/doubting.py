"""A user's way through the doubtful places of a result."""

from __future__ import annotations

from typing import Any

import slicer

from LightMedSegLib.mrml.doubt.places import place_in_world
from LightMedSegLib.mrml.doubt.volume import doubt_of


def the_doubtful_places_of_a_result_are_looked_at(test: Any, panel: Any) -> None:
    """Go to the first place of the chosen result, tick it, and switch the overlay off. Its run was made with doubt."""
    ui, doubt = panel.ui, doubt_of(panel.logic.getParameterNode().outputSegmentation)
    test.assertIsNotNone(doubt)
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    test.assertEqual({node.GetForegroundVolumeID() for node in composites} - {doubt.GetID()}, set())
    ui.nextPlaceButton.click()
    place = panel.doubt.current
    test.assertIsNotNone(place)
    test.assertTrue(place.structure in ui.placeLabel.text and ui.lookedBar.value == 0)
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        middle = [node.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
        for shown, wanted in zip(middle, place_in_world(doubt, place), strict=True):
            test.assertAlmostEqual(shown, wanted, 3)
    ui.lookedCheckBox.click()
    test.assertGreater(ui.lookedBar.value, 0)
    ui.overlayCheckBox.checked = False
    test.assertEqual({node.GetForegroundVolumeID() for node in composites}, {None})
    ui.overlayCheckBox.checked = True
