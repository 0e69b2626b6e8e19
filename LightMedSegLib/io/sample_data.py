"""The sample volumes that come with the program."""

from __future__ import annotations

from pathlib import Path

from LightMedSegLib.core.errors import InputImageError

SAMPLES = {
    "head": "colin27-t1-head.nii.gz",
    "hippocampus": "mni152-t1-left-hippocampus.nii.gz",
}
"""Short name to file name; the README beside the files gives their origin."""


def sample_path(name: str) -> Path:
    """The file of a sample, in a source tree or an installed package; raises InputImageError if it is not there."""
    if name not in SAMPLES:
        raise InputImageError(f"There is no sample {name!r}; the samples are {', '.join(SAMPLES)}.")
    library = Path(__file__).resolve().parents[1]
    for resources in (library / "_resources", library.parent / "Resources"):
        path = resources / "SampleData" / SAMPLES[name]
        if path.is_file():
            return path
    raise InputImageError(f"The sample {name!r} did not come with this installation.")
