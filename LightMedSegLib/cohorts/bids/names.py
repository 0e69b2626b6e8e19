"""File names of BIDS: entities, suffix and ending.

Read here and not with pybids, which needs pandas, SQLAlchemy, SciPy and nibabel and indexes all files of a dataset into
a database, or ancpbids, which is declared alpha and holds all files of a dataset in memory: of a name, three parts are
needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DESCRIPTION = "lightmedseg"
"""Value of the entity desc in the names of results."""

RESULT_SUFFIX, RESULT_ENDING = "dseg", ".nii.gz"
"""The suffix of a discrete segmentation, and the ending of its volume."""

_NAME = re.compile(r"((?:[a-z]+-[A-Za-z0-9+]+_)+)([A-Za-z0-9]+)(\.nii(?:\.gz)?)")


@dataclass(frozen=True)
class BidsName:
    """entities: such as ("sub", "01"), in the order of the name. suffix: such as T1w. ending: with its dot."""

    entities: tuple[tuple[str, str], ...]
    suffix: str
    ending: str

    @property
    def result(self) -> str:
        """The name of the result without ending; it does not depend on the suffix, nor on an entity desc."""
        kept = [f"{key}-{value}" for key, value in self.entities if key != "desc"]
        return "_".join([*kept, f"desc-{DESCRIPTION}", RESULT_SUFFIX])


def parse_name(name: str) -> BidsName | None:
    """Return the parts of a NIfTI file's name, or None if it does not follow BIDS."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    entities = tuple((key, value) for key, _, value in (part.partition("-") for part in match[1][:-1].split("_")))
    return BidsName(entities, match[2], match[3]) if entities[0][0] == "sub" else None
