"""Segmentation files: what is written is read back, by us and as 3D Slicer reads it, complete or not at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_labels
from paths import REPOSITORY
from patience import limit

from LightMedSegLib.core.errors import InputImageError, OutputError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io import segmentation_files
from LightMedSegLib.io.labelmaps.reading import read_labelmap
from LightMedSegLib.io.segmentation_files import check_segmentation_path, write_segmentation

LABELS = [Label.from_json(label) for label in make_labels(3)]


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha"])
def test_a_labelmap_comes_back_with_its_values_and_its_place_in_space(
    no_leftovers: Path, labelmap: sitk.Image, suffix: str
) -> None:
    path = no_leftovers / f"result{suffix}"
    write_segmentation(path, labelmap, LABELS)
    found, names = read_labelmap(path).image, read_labelmap(path).names
    assert found.GetPixelID() == sitk.sitkUInt8
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(labelmap))
    for what in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(found, what)(), getattr(labelmap, what)(), atol=1e-5)
    assert names == ({1: "Structure 1", 2: "Structure 2", 3: "Structure 3"} if suffix == ".seg.nrrd" else {})


def test_a_seg_nrrd_file_has_the_fields_that_slicer_writes(tmp_path: Path, labelmap: sitk.Image) -> None:
    path = tmp_path / "result.seg.nrrd"
    write_segmentation(path, labelmap, LABELS, {"LightMedSeg_Model": "test-model@1.0.0"})
    fields = nrrd_fields(path)
    assert fields["space"] == "left-posterior-superior"
    assert fields["encoding"] == "gzip"
    assert fields["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert fields["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
    assert fields["LightMedSeg_Model"] == "test-model@1.0.0"
    assert {key: fields[f"Segment1_{key}"] for key in ("ID", "Name", "LabelValue", "Layer", "Extent", "Color")} == {
        "ID": "Structure_2",
        "Name": "Structure 2",
        "LabelValue": "2",
        "Layer": "0",
        "Extent": "8 19 6 14 9 13",
        "Color": "0.313725 0.705882 0.172549",
    }
    assert fields["Segment1_Tags"] == (
        "TerminologyEntry:Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^123037004^Anatomical Structure~99TEST^T2^Structure 2~^^"
        "~Anatomic codes - DICOM master list~^^~^^|"
    )


def test_a_segment_without_voxels_is_listed_with_an_empty_extent(tmp_path: Path, labelmap: sitk.Image) -> None:
    write_segmentation(tmp_path / "result.seg.nrrd", labelmap, LABELS)
    assert nrrd_fields(tmp_path / "result.seg.nrrd")["Segment2_Extent"] == "0 -1 0 -1 0 -1"


@pytest.mark.slicer
def test_slicers_own_reader_finds_names_colours_terminology_and_voxels(tmp_path: Path, labelmap: sitk.Image) -> None:
    write_segmentation(tmp_path / "result.seg.nrrd", labelmap, LABELS)
    # In a process of its own: Slicer's libraries stay loaded and bring their own ITK.
    done = run_python(f"""
import json, slicer, vtk
from vtk.util.numpy_support import vtk_to_numpy
storage = slicer.vtkMRMLSegmentationStorageNode()
storage.SetFileName({str(tmp_path / "result.seg.nrrd")!r})
scene = slicer.vtkMRMLScene()
scene.AddNode(storage)
node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
assert storage.ReadData(node)
segmentation = node.GetSegmentation()
for n in range(segmentation.GetNumberOfSegments()):
    segment = segmentation.GetNthSegment(n)
    tag = vtk.reference("")
    segment.GetTag("TerminologyEntry", tag)
    image = segment.GetRepresentation("Binary labelmap")
    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    print(json.dumps({{
        "id": segmentation.GetNthSegmentID(n), "name": segment.GetName(), "value": segment.GetLabelValue(),
        "terminology": str(tag), "color": [round(255 * part) for part in segment.GetColor()],
        "voxels": int((voxels == segment.GetLabelValue()).sum()), "spacing": image.GetSpacing(),
    }}))
""")
    assert done.returncode == 0, done.stderr
    segments = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [(one["id"], one["name"], one["value"]) for one in segments] == [
        (f"Structure_{n}", f"Structure {n}", n) for n in (1, 2, 3)
    ]
    assert [one["terminology"] for one in segments] == [label.terminology.to_slicer() for label in LABELS]
    assert [tuple(one["color"]) for one in segments] == [label.color for label in LABELS]
    values = sitk.GetArrayFromImage(labelmap)
    assert [one["voxels"] for one in segments] == [int((values == n).sum()) for n in (1, 2, 3)]
    np.testing.assert_allclose(segments[0]["spacing"], labelmap.GetSpacing(), rtol=1e-6)


def test_metadata_of_the_scan_does_not_reach_the_file(tmp_path: Path, labelmap: sitk.Image) -> None:
    labelmap.SetMetaData("0010|0010", "Doe^Jane")
    for suffix in (".seg.nrrd", ".nrrd", ".mha", ".nii.gz"):
        path = tmp_path / f"result{suffix}"
        write_segmentation(path, labelmap, LABELS)
        image = sitk.ReadImage(str(path))
        assert not [key for key in image.GetMetaDataKeys() if "Doe" in image.GetMetaData(key)]


def test_an_old_file_is_replaced_only_by_a_complete_new_one(
    no_leftovers: Path, labelmap: sitk.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = no_leftovers / "result.nrrd"
    path.write_bytes(b"old")

    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("no space left on device")

    monkeypatch.setattr(segmentation_files.sitk, "WriteImage", fail)
    with pytest.raises(OutputError, match=r"result\.nrrd cannot be written: the disk is full or failing"):
        write_segmentation(path, labelmap, LABELS)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nii.gz", ".nii", ".mha"])
def test_a_disk_that_fills_up_while_writing_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    """A limit on file size makes the system refuse further bytes, as a full disk does."""
    pytest.importorskip("resource")
    done = run_python(f"""
import resource
import numpy as np, SimpleITK as sitk
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.io.segmentation_files import write_segmentation
labelmap = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 3, (40, 40, 40)).astype(np.uint8))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_segmentation({str(tmp_path / f"result{suffix}")!r}, labelmap, [])
except OutputError as error:
    print("refused:", error)
""")
    assert done.stdout.startswith("refused: "), done.stderr
    assert "cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("result.png", "no known segmentation format"),
        ("result", "no known segmentation format"),
        ("missing/result.nii.gz", "does not exist"),
        ("folder.nrrd", "it is a folder"),
    ],
)
def test_an_impossible_output_is_refused_before_anything_is_computed(
    no_leftovers: Path, name: str, reason: str
) -> None:
    (no_leftovers / "folder.nrrd").mkdir()
    with pytest.raises(OutputError, match=reason):
        check_segmentation_path(no_leftovers / name)
    assert [path.name for path in no_leftovers.iterdir()] == ["folder.nrrd"]


def test_a_labelmap_stored_as_float_is_read_and_a_scan_is_not(tmp_path: Path, labelmap: sitk.Image) -> None:
    path = tmp_path / "reference.nii.gz"
    sitk.WriteImage(sitk.Cast(labelmap, sitk.sitkFloat64), str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_labelmap(path).image), sitk.GetArrayFromImage(labelmap))
    sitk.WriteImage(sitk.Cast(labelmap, sitk.sitkFloat32) + 0.5, str(path))
    with pytest.raises(InputImageError, match="not whole numbers"):
        read_labelmap(path)
    sitk.WriteImage(sitk.Cast(labelmap, sitk.sitkInt16) - 5, str(path))
    with pytest.raises(InputImageError, match="values go from -5 to -3"):
        read_labelmap(path)


def test_segments_in_overlapping_layers_are_refused(tmp_path: Path, labelmap: sitk.Image) -> None:
    path = tmp_path / "overlapping.seg.nrrd"
    image = sitk.Compose(labelmap, labelmap)
    for number in range(4):
        image.SetMetaData(f"Segment{number}_Name", f"Structure {number}")
        image.SetMetaData(f"Segment{number}_LabelValue", str(number % 2 + 1))
        image.SetMetaData(f"Segment{number}_Layer", str(number // 2))
    sitk.WriteImage(image, str(path))
    with pytest.raises(InputImageError, match="overlapping segments"):
        read_labelmap(path)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code with this repository's library in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=limit(120), env=environment, check=False
    )


def nrrd_fields(path: Path) -> dict[str, str]:
    """The header fields and key/value pairs of an NRRD file."""
    header = path.read_bytes().split(b"\n\n")[0].decode()
    return dict(re.split(r":=|: ", line, maxsplit=1) for line in header.splitlines()[1:] if not line.startswith("#"))
