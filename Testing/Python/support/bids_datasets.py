"""A small BIDS dataset on disk, and the rules of BIDS that results must follow."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import SimpleITK as sitk
from volumes_on_disk import plain_volume

from LightMedSegLib.cohorts.bids.derivative import BIDS_VERSION

_RESULT = re.compile(
    r"(sub-[A-Za-z0-9]+)/(?:(ses-[A-Za-z0-9]+)/)?anat/\1(?:_\2)?(?:_task-\w+)?(?:_acq-[A-Za-z0-9]+)?(?:_ce-[A-Za-z0-9]+)?"
    r"(?:_rec-[A-Za-z0-9]+)?(?:_run-[0-9]+)?_desc-lightmedseg_dseg\.(nii\.gz|json|tsv)"
)
_AT_THE_TOP = {
    "README": str,
    ".bidsignore": str,
    "dataset_description.json": dict,
    "desc-lightmedseg_dseg.tsv": list,
    "desc-lightmedseg_dseg.json": dict,
    "group_volumes.tsv": list,
    "group_volumes.json": dict,
}


def bids_dataset(folder: Path, *scans: str, **description: Any) -> Path:
    """A dataset with these scans, such as sub-01/anat/sub-01_T1w.nii.gz, all the same random volume."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"Name": "Test", "BIDSVersion": BIDS_VERSION, "DatasetType": "raw", **description}
    (folder / "dataset_description.json").write_text(json.dumps(content))
    (folder / "README").write_text("A dataset of random volumes for a test.")
    for scan in scans:
        path = folder / scan
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(plain_volume(), str(path))
    return folder


def broken_bids_rules(derivative: Path) -> list[str]:
    """What in a folder of results contradicts the specification, in words."""
    broken = []
    files = {path.relative_to(derivative).as_posix(): path for path in derivative.rglob("*") if path.is_file()}
    for name, path in files.items():
        if name not in _AT_THE_TOP and not _RESULT.fullmatch(name):
            broken.append(f"{name} is no name of BIDS")
        if path.suffix == ".json" and not isinstance(json.loads(path.read_text()), dict):
            broken.append(f"{name} is no JSON object")
        if name.endswith("_dseg.tsv"):
            broken += [f"{name}: {problem}" for problem in _broken_table(path)]
        if name.endswith("_dseg.nii.gz"):
            broken += [f"{name} lacks {end}" for end in (".tsv", ".json") if name.replace(".nii.gz", end) not in files]
    missing = _AT_THE_TOP.keys() - files.keys() - {"group_volumes.tsv", "group_volumes.json"}
    broken += [f"{name} is missing" for name in sorted(missing)]
    described = json.loads(files["dataset_description.json"].read_text())
    for key, kind in (("Name", str), ("BIDSVersion", str), ("GeneratedBy", list)):
        if not isinstance(described.get(key), kind) or not described[key]:
            broken.append(f"dataset_description.json lacks {key}")
    if described.get("DatasetType") != "derivative" or not all("Name" in one for one in described["GeneratedBy"]):
        broken.append("dataset_description.json describes no derivative")
    return broken


def tsv_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a TSV file by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _broken_table(path: Path) -> list[str]:
    rows = tsv_rows(path)
    broken = [] if rows and {"index", "name", "color"} <= rows[0].keys() else ["a column is missing"]
    for row in rows:
        if None in row or None in row.values():
            broken.append("a row has another number of values than columns")
        elif not row["index"].isdecimal() or not re.fullmatch(r"#[0-9a-f]{6}|n/a", row["color"]) or not row["name"]:
            broken.append(f"{row} is no label")
    if len({row["index"] for row in rows}) < len(rows):
        broken.append("an index occurs twice")
    return broken
