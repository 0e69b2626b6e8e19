"""The place of results in the subject hierarchy: beside their volume."""

from __future__ import annotations

from typing import Any


def place_beside(node: Any, volume_node: Any, hierarchy: Any = None) -> bool:
    """Put node under the same study or folder as volume_node; return False if the scene has no subject hierarchy.

    hierarchy: the subject hierarchy node; the scene's own by default.
    """
    if hierarchy is None:
        hierarchy = volume_node.GetScene().GetSubjectHierarchyNode()
    if hierarchy is None:
        return False
    nothing = hierarchy.GetInvalidItemID() if hasattr(hierarchy, "GetInvalidItemID") else 0
    volume_item, item = hierarchy.GetItemByDataNode(volume_node), hierarchy.GetItemByDataNode(node)
    if nothing in (volume_item, item):
        return False
    parent = hierarchy.GetItemParent(volume_item)
    if parent == nothing:
        return False
    hierarchy.SetItemParent(item, parent)
    return True
