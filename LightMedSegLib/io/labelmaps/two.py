"""Label values of two labelmaps that are compared without a model."""

from __future__ import annotations

from dataclasses import replace

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.labelmaps.matching import plain_name
from LightMedSegLib.io.labelmaps.reading import Labelmap, with_values
from LightMedSegLib.io.labelmaps.values import present_values


def with_names_of(reference: Labelmap, prediction: Labelmap) -> Labelmap:
    """Return the prediction with the label values of the reference for equal names, if both name their segments.

    A segment that is not in the reference keeps its value if that is free, or gets the next free one.

    Raises InputImageError if one value has two names and neither name is in the other file, and if one file gives the
    same name to two segments.
    """
    if not prediction.names or not reference.names:
        return prediction
    wanted = _values_by_name(reference)
    changes = {value: wanted[name] for name, value in _values_by_name(prediction).items() if name in wanted}
    names = {plain_name(name) for name in prediction.names.values()}
    for value, name in prediction.names.items():
        other = reference.names.get(value)
        if value not in changes and other is not None and plain_name(other) not in names:
            raise InputImageError(
                f"Label {value} is {name!r} in the prediction and {other!r} in the reference; "
                "give both the same names, or the same label values and names."
            )
    taken = {*reference.names, *changes.values(), *present_values(reference.image)}
    for value in prediction.names.keys() - changes.keys():
        changes[value] = value if value not in taken else max(*taken, *changes.values()) + 1
        taken.add(changes[value])
    if all(old == new for old, new in changes.items()):
        return prediction
    moved = ", ".join(f"{old} to {new} ({prediction.names[old]})" for old, new in changes.items() if old != new)
    return replace(
        prediction,
        image=with_values(prediction.image, changes),
        names={changes[value]: name for value, name in prediction.names.items()},
        notes=(*prediction.notes, f"The prediction's values were changed to those of the same names: {moved}."),
    )


def _values_by_name(labelmap: Labelmap) -> dict[str, int]:
    found: dict[str, int] = {}
    for value, name in labelmap.names.items():
        if plain_name(name) in found:
            raise InputImageError(f"Two segments of one file are called {name!r}; give them different names.")
        found[plain_name(name)] = value
    return found
