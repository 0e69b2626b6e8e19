"""What stands for a reader's own files in the documents: small scans, labels, series and models."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from documents import REPOSITORY

sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "Testing")]

MODEL = REPOSITORY / "Resources" / "Models" / "hippocampus-t1-mr"
SAMPLE = REPOSITORY / "Resources" / "SampleData" / "mni152-t1-left-hippocampus.nii.gz"


def make_scan(folder: Path) -> None:
    """The shipped sample."""
    shutil.copy(SAMPLE, folder / "SCAN.nii.gz")


def make_prompts(folder: Path) -> None:
    """Two prompts on the sample."""
    first = {"include": True, "point": [25.0, 22.0, -14.0]}
    second = {"include": False, "stroke": [[36.0, 20.0, 0.0], [36.0, 26.0, 0.0]], "radius_mm": 1.5}
    (folder / "PROMPTS.json").write_text(json.dumps({"coordinates": "LPS", "prompts": [first, second]}))


def make_scans(folder: Path) -> None:
    """Two scans in a folder."""
    (folder / "SCANS").mkdir()
    for name in ("first", "second"):
        shutil.copy(SAMPLE, folder / "SCANS" / f"{name}.nii.gz")


def make_dataset(folder: Path) -> None:
    """A dataset of nnU-Net's kind: eight training cases with labels of our own making, one test case."""
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / "DATASET" / part).mkdir(parents=True)
    for number in range(8):
        image, labelmap = example(number)
        sitk.WriteImage(image, str(folder / "DATASET" / "imagesTr" / f"case_{number}_0000.nii.gz"))
        sitk.WriteImage(labelmap, str(folder / "DATASET" / "labelsTr" / f"case_{number}.nii.gz"))
    shutil.copy(SAMPLE, folder / "DATASET" / "imagesTs" / "case_8_0000.nii.gz")
    labels = {"background": 0, "Anterior hippocampus": 1, "Posterior hippocampus": 2}
    description = {"channel_names": {"0": "T1"}, "labels": labels}
    (folder / "DATASET" / "dataset.json").write_text(json.dumps(description))


def make_cases(folder: Path) -> None:
    """One corrected case for fine-tuning."""
    image, labelmap = example(0)
    for part, volume in (("images", image), ("labels", labelmap)):
        (folder / "CASES" / part).mkdir(parents=True)
        sitk.WriteImage(volume, str(folder / "CASES" / part / "case.nii.gz"))


def make_series(folder: Path) -> None:
    """The sample as a DICOM series."""
    write_series(folder / "SERIES")


def make_archive(folder: Path) -> None:
    """The same series in an archive."""
    write_series(folder / "ARCHIVE" / "PATIENT" / "STUDY" / "SERIES")


def make_bids(folder: Path) -> None:
    """The sample as a BIDS dataset."""
    from LightMedSegLib.cohorts.bids.derivative import BIDS_VERSION

    place = folder / "BIDS_DIR" / "sub-01" / "anat"
    place.mkdir(parents=True)
    shutil.copy(SAMPLE, place / "sub-01_T1w.nii.gz")
    description = {"Name": "Sample", "BIDSVersion": BIDS_VERSION}
    (folder / "BIDS_DIR" / "dataset_description.json").write_text(json.dumps(description))


def write_series(folder: Path) -> None:
    """The sample as a DICOM series in a new folder."""
    folder.mkdir(parents=True)
    volume = sitk.Cast(sitk.ReadImage(str(SAMPLE)), sitk.sitkInt16)
    direction = volume.GetDirection()
    root = "1.2.826.0.1.3680043.2.1125.9"
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index in range(volume.GetDepth()):
        plane = volume[:, :, index]
        for key, value in {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"{root}.4.{index}",
            "0008|0060": "MR",
            "0020|000d": f"{root}.1",
            "0020|000e": f"{root}.2",
            "0020|0052": f"{root}.3",
            "0020|0013": str(index),
            "0020|0032": "\\".join(f"{x:.6g}" for x in volume.TransformIndexToPhysicalPoint((0, 0, index))),
            "0020|0037": "\\".join(f"{direction[place]:g}" for place in (0, 3, 6, 1, 4, 7)),
        }.items():
            plane.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{index:03d}.dcm"))
        writer.Execute(plane)


def make_labelmaps(folder: Path) -> None:
    """Two segmentations to compare."""
    for name, number in (("PREDICTION", 0), ("REFERENCE", 1)):
        sitk.WriteImage(example(number)[1], str(folder / f"{name}.nii.gz"))


def make_labelmap_folders(folder: Path) -> None:
    """References of three cases, and the results of two methods."""
    for name, first in (("REFERENCES", 0), ("PREDICTED", 1), ("OTHERS", 2)):
        (folder / name).mkdir()
        for number in range(3):
            sitk.WriteImage(example(first + number)[1], str(folder / name / f"case_{number}.nii.gz"))
    # The test case of the dataset that make_dataset writes.
    sitk.WriteImage(sitk.ReadImage(str(SAMPLE)) > 80, str(folder / "REFERENCES" / "case_8.nii.gz"))
    labels = {"background": 0, "Anterior hippocampus": 1, "Posterior hippocampus": 2}
    (folder / "REFERENCES" / "dataset.json").write_text(json.dumps({"labels": labels}))


def make_model(folder: Path) -> None:
    """The shipped model under another name, as a zip file."""
    from LightMedSegLib.model.package import load_model, save_model
    from LightMedSegLib.storage.zip_archive import write_zip

    model = load_model(MODEL)
    card = {key: value for key, value in model.card.to_json().items() if key != "reference"}
    made = save_model(folder / "model", card | {"name": "of-somebody"}, model.weights())
    files = {path.name: path for path in made.folder.iterdir()}
    write_zip(folder / "MODEL-OF-SOMEBODY.zip", "of-somebody", files)
    shutil.rmtree(made.folder)


INPUTS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "SCAN": ("SCAN.nii.gz", make_scan),
    "PROMPTS.json": ("PROMPTS.json", make_prompts),
    "SCANS": ("SCANS", make_scans),
    "SERIES": ("SERIES", make_series),
    "ARCHIVE": ("ARCHIVE", make_archive),
    "BIDS_DIR": ("BIDS_DIR", make_bids),
    "DATASET": ("DATASET", make_dataset),
    "CASES": ("CASES", make_cases),
    "PREDICTION": ("PREDICTION.nii.gz", make_labelmaps),
    "REFERENCE": ("REFERENCE.nii.gz", make_labelmaps),
    "PREDICTED": ("PREDICTED", make_labelmap_folders),
    "REFERENCES": ("REFERENCES", make_labelmap_folders),
    "OTHERS": ("OTHERS", make_labelmap_folders),
    "MODEL-OF-SOMEBODY.zip": ("MODEL-OF-SOMEBODY.zip", make_model),
}
"""Placeholder: what takes its place, and who makes that. Other words in capitals are names of results."""


def example(number: int) -> tuple[sitk.Image, sitk.Image]:
    """A small noisy volume with two blocks in it, and their labels."""
    generator = np.random.default_rng(number)
    labels = np.zeros((40, 48, 36), dtype=np.uint8)
    first, second = generator.integers(6, 14, (2, 3))
    labels[tuple(slice(start, start + 12) for start in first)] = 1
    labels[tuple(slice(start + 14, start + 22) for start in second)] = 2
    intensities = np.array([90, 140, 120], dtype=np.float32)[labels] + generator.normal(0, 8, labels.shape)
    return sitk.GetImageFromArray(intensities.astype(np.float32)), sitk.GetImageFromArray(labels)
