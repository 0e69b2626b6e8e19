"""Scans that made a reader below us crash, hang, or give a plausible wrong volume; random damage found them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from stated_files import nrrd_file
from volumes_on_disk import cut_to, dicom_series, metaimage, nifti_with, plain_volume

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.stack import stack_of
from LightMedSegLib.io.dicom.tags import read_slice_tags
from LightMedSegLib.io.volume_checks import check_resolution
from LightMedSegLib.io.volume_files import read_volume


@pytest.mark.parametrize(("offset", "code"), [(280, 254), (300, 254), (256, 252), (268, 252)])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_nifti_file_without_a_finite_place_in_space_is_refused(
    tmp_path: Path, offset: int, code: int, value: float
) -> None:
    path = nifti_with(tmp_path / "scan.nii", "f", offset, value)
    content = bytearray(path.read_bytes())
    content[code : code + 2] = b"\1\0"
    path.write_bytes(content)
    with pytest.raises(InputImageError, match="place in space is not finite"):
        read_volume(path)


def test_numbers_in_a_part_of_a_nifti_header_that_is_not_in_use_do_not_matter(tmp_path: Path) -> None:
    path = nifti_with(tmp_path / "scan.nii", "f", 280, float("nan"))
    content = bytearray(path.read_bytes())
    content[252:256] = b"\1\0\0\0"
    path.write_bytes(content)
    assert read_volume(path).GetSize() == plain_volume().GetSize()


@pytest.mark.parametrize("slope", [0.0, float("nan")])
def test_a_nifti_file_with_an_intercept_but_no_slope_is_refused(tmp_path: Path, slope: float) -> None:
    """The standard ignores such an intercept, and ITK adds it."""
    with pytest.raises(InputImageError, match=r"its intercept \(scl_inter\) is 5, but its slope"):
        read_volume(nifti_with(tmp_path / "scan.nii", "f", 112, slope, 5.0))


@pytest.mark.parametrize("scaling", [(0.0, 0.0), (float("nan"), float("nan")), (0.0, float("nan"))])
def test_a_nifti_file_without_scaling_has_its_stored_values(tmp_path: Path, scaling: tuple[float, float]) -> None:
    found = read_volume(nifti_with(tmp_path / "scan.nii", "f", 112, *scaling))
    np.testing.assert_array_equal(*(sitk.GetArrayFromImage(image) for image in (found, plain_volume())))


@pytest.mark.parametrize("start", [0.0, 100.0, 347.0])
def test_a_nifti_file_whose_voxels_would_begin_in_its_header_is_refused(tmp_path: Path, start: float) -> None:
    """ITK's reader begins four bytes early."""
    with pytest.raises(InputImageError, match="where its voxels begin; export it again"):
        read_volume(nifti_with(tmp_path / "scan.nii", "f", 108, start))


@pytest.mark.parametrize(("kind", "bits"), [(2, 16), (4, 8), (4, 0), (512, 32)])
def test_a_nifti_file_with_another_size_of_voxels_than_its_type_has_is_refused(
    tmp_path: Path, kind: int, bits: int
) -> None:
    with pytest.raises(InputImageError, match="type and size of voxels differ; export it again"):
        read_volume(nifti_with(tmp_path / "scan.nii", "h", 70, kind, bits))


@pytest.mark.parametrize(("key", "value"), [("Slope", "2"), ("Offset", "-1024")])
def test_a_metaimage_file_whose_values_itk_would_not_rescale_is_refused(tmp_path: Path, key: str, value: str) -> None:
    field = f"ElementToIntensityFunction{key}"
    with pytest.raises(InputImageError, match=f"{field}, which readers ignore; save"):
        read_volume(metaimage(tmp_path / "scan.mha", **{field: value}))
    nothing = {"ElementToIntensityFunctionSlope": "1", "ElementToIntensityFunctionOffset": "0"}
    assert read_volume(metaimage(tmp_path / "plain.mha", **nothing)).GetSize() == (8, 8, 8)


def test_a_nrrd_file_of_a_plane_at_several_times_is_refused(tmp_path: Path) -> None:
    """ITK's reader takes time for the third axis of space."""
    place = {"space": "LPS", "space_directions": "(1,0,0) (0,1,0) (0,0,1)"}
    with pytest.raises(InputImageError, match=r"axis of time.*save one time point alone"):
        read_volume(nrrd_file(tmp_path / "scan.nrrd", kinds="domain domain time", **place))
    assert read_volume(nrrd_file(tmp_path / "3d.nrrd", kinds="domain domain domain", **place)).GetSize() == (6, 5, 4)


@pytest.mark.parametrize("axes", ["99999", "11", "0", "-3", "three", ""])
def test_a_metaimage_file_with_an_impossible_number_of_axes_is_refused(tmp_path: Path, axes: str) -> None:
    with pytest.raises(InputImageError, match="impossible number of axes"):
        read_volume(metaimage(tmp_path / "scan.mha", NDims=axes))


@pytest.mark.parametrize("pattern", ["%s%n", "%n", "slice%s.raw 1 12 1", "%d%d.raw 1 12 1", "%99999d", "100%"])
@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_a_pattern_of_file_names_that_printf_would_run_wild_on_is_refused(
    tmp_path: Path, pattern: str, suffix: str
) -> None:
    path = tmp_path / f"scan{suffix}"
    if suffix == ".mhd":
        path.write_bytes(metaimage(path).read_bytes().replace(b"LOCAL", pattern.encode()))
    else:
        sitk.WriteImage(plain_volume(), str(tmp_path / "scan.nrrd"))
        header = (tmp_path / "scan.nrrd").read_bytes().partition(b"\n\n")[0]
        path.write_bytes(header + f"\ndata file: {pattern}\n\n".encode())
    with pytest.raises(InputImageError, match="impossible pattern of file names"):
        read_volume(path)


def test_numbered_slices_of_a_metaimage_file_are_read(tmp_path: Path) -> None:
    path = metaimage(tmp_path / "scan.mhd", DimSize="8 8 2")
    header, voxels = path.read_bytes().split(b"LOCAL\n")
    path.write_bytes(header + b"slice%03d.raw 1 2 1\n")
    for number in (1, 2):
        (tmp_path / f"slice{number:03d}.raw").write_bytes(voxels[128 * (number - 1) : 128 * number])
    assert read_volume(path).GetSize() == (8, 8, 2)


def test_numbered_slices_of_a_nrrd_file_are_read(tmp_path: Path) -> None:
    sitk.WriteImage(plain_volume((8, 8, 2)), str(tmp_path / "scan.nrrd"), False)
    header, _, voxels = (tmp_path / "scan.nrrd").read_bytes().partition(b"\n\n")
    (tmp_path / "scan.nhdr").write_bytes(header + b"\ndata file: slice%03d.raw 1 2 1\n\n")
    for number in (1, 2):
        (tmp_path / f"slice{number:03d}.raw").write_bytes(voxels[128 * (number - 1) : 128 * number])
    assert read_volume(tmp_path / "scan.nhdr").GetSize() == (8, 8, 2)


@pytest.mark.parametrize("compressed", ["1 0 0 0 1", "perhaps", ""])
def test_a_metaimage_file_that_does_not_say_whether_it_is_compressed_is_refused(
    tmp_path: Path, compressed: str
) -> None:
    with pytest.raises(InputImageError, match="whether its voxels are compressed"):
        read_volume(metaimage(tmp_path / "scan.mha", CompressedData=compressed))


def test_a_nrrd_file_with_an_absurdly_long_field_is_refused_but_free_text_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "scan.nrrd"
    image = plain_volume()
    image.SetMetaData("Remark", "x" * 5000)
    sitk.WriteImage(image, str(path))
    assert read_volume(path).GetSize() == image.GetSize()
    path.write_bytes(path.read_bytes().replace(b"kinds: domain domain domain", b"kinds: " + b"x" * 5000))
    with pytest.raises(InputImageError, match="a field of 5007 characters"):
        read_volume(path)


def changed_slices(folder: Path, change: Callable[[pydicom.Dataset], None], count: int | None = None) -> Path:
    """A series of which the first count slices (None: all) are changed."""
    for path in sorted(dicom_series(folder).iterdir())[:count]:
        slice_ = pydicom.dcmread(path)
        change(slice_)
        slice_.save_as(path)
    return folder


def test_dicom_slices_without_a_pixel_spacing_are_refused(tmp_path: Path) -> None:
    def remove(slice_: pydicom.Dataset) -> None:
        del slice_.PixelSpacing

    with pytest.raises(InputImageError, match="without pixel spacing"):
        read_volume(changed_slices(tmp_path / "series", remove))


def test_dicom_slices_of_different_pixel_spacing_are_refused(tmp_path: Path) -> None:
    def stretch(slice_: pydicom.Dataset) -> None:
        slice_.PixelSpacing = [1.8, 1.6]

    with pytest.raises(InputImageError, match="different pixel spacing"):
        read_volume(changed_slices(tmp_path / "series", stretch, count=2))


@pytest.mark.parametrize("number", [0, 2, 5])
def test_a_dicom_slice_that_is_cut_short_is_missed_wherever_it_lies(tmp_path: Path, number: int) -> None:
    folder = dicom_series(tmp_path / "series")
    cut_to(sorted(folder.iterdir())[number], 0.9)
    with pytest.raises(InputImageError, match=r"has 1 DICOM slice\(s\) that are damaged or incomplete"):
        read_volume(folder)


def test_a_slice_that_lacks_one_byte_of_its_pixels_is_seen_whatever_the_image_reader_does(tmp_path: Path) -> None:
    """SimpleITK before 2.5.7 lists such a slice, and fills it up with zeros."""
    folder = dicom_series(tmp_path / "series")
    files = sorted(folder.iterdir())
    pixels = pydicom.dcmread(files[2])
    assert len(pixels.PixelData) == pixels.Rows * pixels.Columns * 2, "nothing follows the pixels"
    files[2].write_bytes(files[2].read_bytes()[:-1])
    assert [read_slice_tags(str(file), folder).complete for file in files[1:4]] == [True, False, True]
    with pytest.raises(InputImageError, match=r"has 1 DICOM slice\(s\) that are damaged or incomplete"):
        stack_of(folder, [str(file) for file in files])


@pytest.mark.parametrize("length", [0, 60, 131])
def test_a_dicom_slice_of_which_hardly_anything_is_left_is_missed_too(tmp_path: Path, length: int) -> None:
    """Without the last slice the series looks complete."""
    folder = dicom_series(tmp_path / "series")
    last = sorted(folder.iterdir())[-1]
    last.write_bytes(last.read_bytes()[:length])
    (folder / "notes.txt").touch()
    (folder / f"._{last.name}").write_bytes(b"\0\5\x16\7 of macOS")
    with pytest.raises(InputImageError, match=r"has 1 DICOM slice\(s\) that are damaged or incomplete"):
        read_volume(folder)
    last.unlink()
    assert read_volume(folder).GetSize() == (12, 10, 5)


def test_other_dicom_objects_beside_the_slices_are_not_taken_for_damaged_ones(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series")
    structures = pydicom.dcmread(sorted(folder.iterdir())[0])
    structures.SOPClassUID = structures.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    del structures.PixelData
    structures.save_as(folder / "RTSTRUCT")
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(60))
    assert read_volume(folder).GetSize() == (12, 10, 6)


def test_a_dicom_slice_that_claims_billions_of_pixels_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    def inflate(slice_: pydicom.Dataset) -> None:
        slice_.Rows = slice_.Columns = 65535

    with pytest.raises(InputImageError, match="has a damaged DICOM slice"):
        read_volume(changed_slices(tmp_path / "series", inflate))


def test_absurdly_fine_voxels_are_refused_with_their_size() -> None:
    check_resolution((0.01, 0.01, 0.01), (1.0, 1.0, 1.0))
    with pytest.raises(InputImageError, match="1e-38 mm long, absurdly fine"):
        check_resolution((1e-38, 1.0, 1.0), (1.0, 1.0, 1.0))


def test_colours_without_their_table_are_a_damaged_file(tmp_path: Path) -> None:
    """GDCM fails while it lists the series."""
    folder = dicom_series(tmp_path / "series")
    file = sorted(folder.iterdir())[2]
    one = pydicom.dcmread(file)
    one.PhotometricInterpretation = "PALETTE COLOR"
    one.save_as(file)
    with pytest.raises(InputImageError, match="has a damaged DICOM file; copy or export the series again"):
        read_volume(folder)
