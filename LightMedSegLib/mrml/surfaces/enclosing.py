"""Structures that enclose most of the others, so that their surfaces would hide them."""

from __future__ import annotations

from collections.abc import Mapping

Bounds = tuple[tuple[float, ...], tuple[float, ...]]
"""Least and greatest coordinates."""

_FEWEST_OTHERS = 4
"""Fewest structures for the rule; with fewer, the enclosing one is likely to be the organ of interest."""

_MOST = 0.75


def enclosing(bounds: Mapping[str, Bounds]) -> list[str]:
    """Return the keys whose bounds contain those of most others; none if there are only a few."""
    if len(bounds) <= _FEWEST_OTHERS:
        return []
    found = []
    for key, own in bounds.items():
        inside = sum(_contains(own, other) for name, other in bounds.items() if name != key)
        if inside >= _MOST * (len(bounds) - 1):
            found.append(key)
    return found


def _contains(outer: Bounds, inner: Bounds) -> bool:
    low = all(mine <= other for mine, other in zip(outer[0], inner[0], strict=True))
    return low and all(mine >= other for mine, other in zip(outer[1], inner[1], strict=True))
