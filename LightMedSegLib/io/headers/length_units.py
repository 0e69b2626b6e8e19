"""Units of length in volume headers."""

from __future__ import annotations

from collections.abc import Iterable

from LightMedSegLib.core.errors import InputImageError

_MM = {"": 1.0, "?": 1.0, "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0}
_OTHERS = {
    "m": 1000.0, "meter": 1000.0, "meters": 1000.0, "metre": 1000.0, "metres": 1000.0,
    "cm": 10.0, "centimeter": 10.0, "centimeters": 10.0, "centimetre": 10.0, "centimetres": 10.0,
    "um": 0.001, "µm": 0.001, "μm": 0.001, "micron": 0.001, "microns": 0.001,
    "micrometer": 0.001, "micrometers": 0.001, "micrometre": 0.001, "micrometres": 0.001,
}  # fmt: skip


def scale_of(units: Iterable[str], what: str, name: str) -> tuple[float, str]:
    """Return the millimetres in the unit of a header's axes, and a note about it, "" for mm and no unit.

    what: the format, for the note. Raises InputImageError, beginning with name, for several or unknown units.
    """
    found = {unit.strip().lower() for unit in units}
    scales = {unit: {**_MM, **_OTHERS}.get(unit) for unit in found}
    if None in scales.values() or len(set(scales.values())) > 1:
        raise InputImageError(
            f"{name} has a {what} header with unknown or different units of length; let it give all lengths in mm."
        )
    others = [unit for unit in found if unit in _OTHERS]
    if not others:
        return 1.0, ""
    return _OTHERS[others[0]], f"The {what} header gives lengths in {others[0]}; they were converted to mm."
