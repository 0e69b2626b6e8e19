"""A DICOM series goes in, a DICOM segmentation comes out, and other programs read from it what was meant."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from model_factory import ANATOMY, LOCATED, make_card, make_labels
from patience import limit
from volumes_on_disk import dicom_series, plain_volume

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import DependencyError, InputImageError
from LightMedSegLib.export.dicom_seg import DicomSegWriter, write_dicom_seg
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card

FRAME_OF_REFERENCE = {"0020|0052": "1.2.826.0.1.3680043.2.1125.7"}
LEFT = {"scheme": "SCT", "value": "7771000", "meaning": "Left"}
HEAD = {"scheme": "SCT", "value": "69536005", "meaning": "Head"}
ORDER = [(5.0, -3.0, 2.0 * n) for n in (3, 0, 5, 1, 4, 2)]
"""Files in another order than their slices."""


def card() -> ModelCard:
    labels = make_labels(3)
    labels[0]["terminology"] |= {"modifier": LEFT, "region": HEAD, "region_modifier": LEFT}
    return ModelCard.from_json(make_card(labels=labels, title="A test", version="1.2.3"))


def labelled(folder: Path) -> sitk.Image:
    """Labels 1 and 3 on the grid of a series; 2 is empty."""
    volume = read_volume(folder)
    array = np.zeros(sitk.GetArrayViewFromImage(volume).shape, dtype=np.uint8)
    array[1:3, 2:7, 3:9] = 1
    array[3:6, 0:4, 5:12] = 3
    labelmap = sitk.GetImageFromArray(array)
    labelmap.CopyInformation(volume)
    return labelmap


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Oblique, so that every axis counts."""
    orientation = "0.8\\0.6\\0\\0\\0\\-1"
    normal = np.cross([0.8, 0.6, 0.0], [0.0, 0.0, -1.0])
    positions = [tuple((np.array([5.0, -3.0, 7.0]) + 2.0 * n * normal).tolist()) for n in (3, 0, 5, 1, 4, 2)]
    return dicom_series(tmp_path / "series", positions, orientation=orientation, more_tags=FRAME_OF_REFERENCE)


@pytest.fixture
def written(series: Path, tmp_path: Path) -> tuple[Path, sitk.Image]:
    path, labelmap = tmp_path / "segmentation.dcm", labelled(series)
    write_dicom_seg(path, labelmap, card(), series)
    return path, labelmap


def test_dcmqi_reads_the_same_voxels_names_colours_and_codes(written: tuple[Path, sitk.Image], tmp_path: Path) -> None:
    """dcmqi is a reader of its own, in C++ on top of DCMTK."""
    path, labelmap = written
    output = tmp_path / "read"
    output.mkdir()
    program = shutil.which("segimage2itkimage", path=str(Path(sys.executable).parent))
    words = ["--inputDICOM", str(path), "--outputDirectory", str(output), "--outputType", "nrrd"]
    subprocess.run([str(program), *words], check=True, capture_output=True, timeout=limit(60))
    told = [one[0] for one in json.loads((output / "meta.json").read_text())["segmentAttributes"]]
    assert [one["SegmentLabel"] for one in told] == ["Structure 1", "Structure 3"]
    for one, value in zip(told, (1, 3), strict=True):
        image = sitk.ReadImage(str(output / f"{one['labelID']}.nrrd"))
        on_grid = sitk.Resample(image, labelmap, sitk.Transform(), sitk.sitkNearestNeighbor)
        expected = sitk.GetArrayFromImage(labelmap) == value
        np.testing.assert_array_equal(sitk.GetArrayFromImage(on_grid) > 0, expected)
    first = told[0]
    assert first["SegmentAlgorithmType"] == "AUTOMATIC" and first["SegmentAlgorithmName"] == "test-model"
    assert first["SegmentedPropertyCategoryCodeSequence"]["CodeValue"] == ANATOMY["value"]
    assert first["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == "T1"
    assert first["SegmentedPropertyTypeModifierCodeSequence"]["CodeMeaning"] == "Left"
    assert first["AnatomicRegionSequence"]["CodeMeaning"] == "Head"
    assert first["AnatomicRegionModifierSequence"]["CodeMeaning"] == "Left"
    np.testing.assert_allclose(first["recommendedDisplayRGBValue"], (40, 90, 150), atol=2)


def test_the_object_belongs_to_the_study_and_refers_to_its_slices(
    written: tuple[Path, sitk.Image], series: Path
) -> None:
    made = pydicom.dcmread(written[0])
    assert made.Modality == "SEG" and made.SeriesDescription == "A test, not for diagnosis"
    assert made.StudyInstanceUID == "1.2.826.0.1.3680043.2.1125.99"
    assert made.SeriesInstanceUID != "1.2.826.0.1.3680043.2.1125.1"
    slices = {pydicom.dcmread(path).SOPInstanceUID for path in series.iterdir()}
    used = {
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for frame in made.PerFrameFunctionalGroupsSequence
    }
    assert len(used) == 5 and used < slices
    algorithm = made.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmVersion == "1.2.3"


def test_the_command_writes_it_for_a_dicom_folder(
    installed: str, nothing_shipped: None, series: Path, no_leftovers: Path
) -> None:
    output, same = no_leftovers / "out.dcm", no_leftovers / "out.nii.gz"
    assert main(["segment", str(series), str(output)]) == 0
    assert main(["segment", str(series), str(same)]) == 0
    frames = pydicom.dcmread(output).pixel_array
    assert frames.sum() == (sitk.GetArrayFromImage(sitk.ReadImage(str(same))) > 0).sum() > 0


def test_a_file_that_is_no_dicom_series_is_refused_before_any_computing(
    installed: str, nothing_shipped: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "scan.nii.gz"
    sitk.WriteImage(plain_volume(), str(scan))
    assert main(["segment", str(scan), str(tmp_path / "out.dcm")]) == 2
    assert "is no DICOM folder; let the output's name end in .seg.nrrd or .nii.gz" in capsys.readouterr().err
    assert not (tmp_path / "out.dcm").exists()


def test_a_series_without_frame_of_reference_and_an_empty_result_are_refused(series: Path, tmp_path: Path) -> None:
    lacking = dicom_series(tmp_path / "lacking", ORDER)
    with pytest.raises(InputImageError, match="a slice has no FrameOfReferenceUID; let the output's name end in"):
        write_dicom_seg(tmp_path / "out.dcm", labelled(lacking), card(), lacking)
    with pytest.raises(InputImageError, match="the segmentation is empty"):
        write_dicom_seg(tmp_path / "out.dcm", labelled(series) * 0, card(), series)
    assert not (tmp_path / "out.dcm").exists()


def test_a_missing_slice_thickness_is_the_distance_of_the_slices(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "thin", more_tags={**FRAME_OF_REFERENCE, "0018|0050": ""})
    write_dicom_seg(tmp_path / "out.dcm", labelled(folder), card(), folder)
    measures = pydicom.dcmread(tmp_path / "out.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == 2.0


def test_nothing_about_the_patient_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    named = dicom_series(tmp_path / "named", more_tags={**FRAME_OF_REFERENCE, "0010|0010": "Secret", "0010|0020": "77"})
    write_dicom_seg(tmp_path / "out.dcm", labelled(named), card(), named)
    assert pydicom.dcmread(tmp_path / "out.dcm").PatientID == "77"
    printed = capsys.readouterr()
    assert "Secret" not in printed.out + printed.err + "".join(str(one.message) for one in recwarn)


def test_a_missing_package_is_named_with_its_extra(
    series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(
        DependencyError, match=r"needs the Python package highdicom; pip install 'lightmedseg\[dicomseg\]'"
    ):
        write_dicom_seg(tmp_path / "out.dcm", labelled(series), card(), series)


def test_labels_that_are_no_labelmap_of_the_model_are_refused(series: Path, tmp_path: Path) -> None:
    labelmap = labelled(series)
    for image, reason in (
        (sitk.Cast(labelmap, sitk.sitkFloat32) * 0.5, "not whole numbers"),
        (labelmap * 2, "holds the value 6, which no label has"),
    ):
        with pytest.raises(InputImageError, match=reason):
            write_dicom_seg(tmp_path / "labels.dcm", image, card(), series)
    assert not (tmp_path / "labels.dcm").exists()


def test_a_series_cannot_be_read_without_pydicom(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DependencyError, match="A DICOM series needs the Python package pydicom; pip install pydicom"):
        read_volume(series)


def test_a_located_result_names_the_side_of_every_segment(series: Path, tmp_path: Path) -> None:
    one_side = ModelCard.from_json(make_card(labels=2, input=LOCATED))
    path = tmp_path / "sides.dcm"
    DicomSegWriter(path, one_side, series).write(labelled(series), located_card(one_side).labels)
    segments = pydicom.dcmread(path).SegmentSequence
    assert [one.SegmentLabel for one in segments] == ["Left structure 1", "Right structure 1"]
    for one, side in zip(segments, ("Left", "Right"), strict=True):
        region = one.AnatomicRegionSequence[0]
        assert region.CodeValue == one.SegmentedPropertyTypeCodeSequence[0].CodeValue
        assert region.AnatomicRegionModifierSequence[0].CodeMeaning == side
