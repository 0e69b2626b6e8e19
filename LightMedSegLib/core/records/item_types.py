"""Types of items that several records have, with their limits."""

from __future__ import annotations

from typing import Annotated

from LightMedSegLib.core.records.limits import Limits

_END = "(?![\\s\\S])"
"""The end of the text; a plain $ also matches before a final line break."""

Line = Annotated[
    str,
    Limits(
        description="One line of text without control characters.",
        minLength=1,
        maxLength=300,
        pattern=f"^[^\\u0000-\\u001f\\u007f]*{_END}",
    ),
]
Text = Annotated[str, Limits(minLength=1, maxLength=10_000)]
CodePart = Annotated[
    str,
    Limits(
        description="Without the characters that separate the parts of a terminology entry in 3D Slicer.",
        minLength=1,
        maxLength=200,
        pattern=f"^[^\\u0000-\\u001f\\u007f~^|]*{_END}",
    ),
]
ModelName = Annotated[str, Limits(maxLength=64, pattern=f"^[a-z0-9]+(-[a-z0-9]+)*{_END}")]
VersionText = Annotated[
    str,
    Limits(
        maxLength=64,
        pattern=f"^(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)(-[0-9a-z-]+(\\.[0-9a-z-]+)*)?{_END}",
    ),
]
Day = Annotated[str, Limits(pattern=f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_END}")]
Sha256 = Annotated[str, Limits(pattern=f"^[0-9a-f]{{64}}{_END}")]
ShortHash = Annotated[str, Limits(pattern=f"^[0-9a-f]{{16}}{_END}")]
Orientation = Annotated[str, Limits(pattern=f"^([LRAPSI]{{3}}|slices){_END}")]
Count = Annotated[int, Limits(minimum=0)]
Share = Annotated[float, Limits(minimum=0, maximum=1)]
LabelValue = Annotated[int, Limits(minimum=1, maximum=255)]
Millimetres = Annotated[float, Limits(minimum=0.01, maximum=100)]
