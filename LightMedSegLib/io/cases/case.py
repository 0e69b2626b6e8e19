"""One case to learn from: where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One volume (one file per channel) with its labelmap.

    labelled holds the label values that the annotator looked for; None means all of them. A structure
    that is not in it may be present in the image without being marked, so the loss leaves it out. dataset_labels
    are the values and names of the dataset's description, which lies at dataset_file.
    """

    name: str
    images: tuple[Path, ...]
    labelmap: Path
    labelled: tuple[int, ...] | None = None
    dataset_labels: tuple[tuple[int, str], ...] = ()
    dataset_file: Path | None = None
