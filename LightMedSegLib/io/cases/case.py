"""One training case: the paths of its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One volume (one file per channel) with its labelmap.

    labelled has the label values that the annotator looked for; None means all of them. Other structures may be
    present in the image without a label, so the loss ignores them. dataset_labels are the values and names in the
    dataset description at dataset_file. patient tells which cases are of one person; "" where the name has to.
    """

    name: str
    images: tuple[Path, ...]
    labelmap: Path
    labelled: tuple[int, ...] | None = None
    dataset_labels: tuple[tuple[int, str], ...] = ()
    dataset_file: Path | None = None
    patient: str = ""
