"""Reading of volumes: every format gives the same image, and geometry is kept."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from volumes_on_disk import cut_to, dicom_series, nifti_with, plain_volume

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.volume_checks import check_resolution, check_volume
from LightMedSegLib.io.volume_files import read_volume


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_a_volume_comes_back_with_its_values_and_its_place_in_space(
    tmp_path: Path, volume: sitk.Image, suffix: str
) -> None:
    path = tmp_path / f"volume{suffix}"
    sitk.WriteImage(volume, str(path))
    found = read_volume(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(volume))
    for what in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(found, what)(), getattr(volume, what)(), atol=1e-5)


def test_upper_case_suffixes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "SCAN.NRRD"
    sitk.WriteImage(plain_volume(), str(tmp_path / "scan.nrrd"))
    (tmp_path / "scan.nrrd").rename(path)
    assert read_volume(path).GetSize() == (20, 18, 16)


def test_a_fourth_axis_of_length_one_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "one-time-point.nii.gz"
    sitk.WriteImage(sitk.JoinSeries([plain_volume()]), str(path))
    found = read_volume(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(plain_volume()))


def test_itk_alone_would_accept_a_truncated_nifti_file_and_we_do_not(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    sitk.WriteImage(plain_volume(), str(path))
    cut_to(path, 0.7)
    assert sitk.ReadImage(str(path)).GetSize() == (20, 18, 16)
    with pytest.raises(InputImageError, match=r"scan\.nii is cut short"):
        read_volume(path)


def test_a_flipped_byte_in_a_compressed_nifti_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(plain_volume(), str(path))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputImageError, match=r"scan\.nii\.gz is (damaged|cut short)"):
        read_volume(path)


def test_an_uncompressed_nifti_file_called_gz_is_still_read(tmp_path: Path) -> None:
    sitk.WriteImage(plain_volume(), str(tmp_path / "scan.nii"))
    (tmp_path / "scan.nii").rename(tmp_path / "scan.nii.gz")
    assert read_volume(tmp_path / "scan.nii.gz").GetSize() == (20, 18, 16)


@pytest.mark.parametrize("suffix", [".nii", ".img", ".NII"])
def test_the_voxels_of_a_file_beside_a_compressed_one_are_not_taken_for_its_own(tmp_path: Path, suffix: str) -> None:
    """ITK's NIfTI reader looks for SCAN.nii first, whichever of the two it is asked for."""
    sitk.WriteImage(plain_volume(seed=1), str(tmp_path / "other.nii"))
    sitk.WriteImage(plain_volume(seed=2), str(tmp_path / "scan.nii.gz"))
    (tmp_path / "other.nii").rename(tmp_path / f"scan{suffix}")
    found = sitk.GetArrayFromImage(read_volume(tmp_path / "scan.nii.gz"))
    np.testing.assert_array_equal(found, sitk.GetArrayFromImage(plain_volume(seed=2)))


def test_a_neighbour_s_voxels_are_not_read_where_links_are_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*arguments: object) -> None:
        raise OSError("A required privilege is not held by the client.")

    sitk.WriteImage(plain_volume(seed=1), str(tmp_path / "scan.nii"))
    sitk.WriteImage(plain_volume(seed=2), str(tmp_path / "scan.nii.gz"))
    monkeypatch.setattr(Path, "symlink_to", forbidden)
    found = sitk.GetArrayFromImage(read_volume(tmp_path / "scan.nii.gz"))
    np.testing.assert_array_equal(found, sitk.GetArrayFromImage(plain_volume(seed=2)))
    monkeypatch.setattr("shutil.copyfile", forbidden)
    with pytest.raises(InputImageError, match=r"while scan\.nii lies beside it"):
        read_volume(tmp_path / "scan.nii.gz")


def test_a_big_endian_nifti_file_is_read(tmp_path: Path) -> None:
    sitk.WriteImage(plain_volume(), str(tmp_path / "little.nii"))
    content = (tmp_path / "little.nii").read_bytes()
    (tmp_path / "big.nii").write_bytes(_big_endian(content))
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(read_volume(tmp_path / "big.nii")), sitk.GetArrayFromImage(plain_volume())
    )


def test_a_nifti_2_file_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "two.nii"
    path.write_bytes(struct.pack("<i", 540) + b"n+2\0\r\n\032\n" + bytes(600))
    with pytest.raises(InputImageError, match=r"two\.nii is in the format NIfTI-2"):
        read_volume(path)


def test_a_zero_spacing_that_itk_would_replace_by_one_is_refused(tmp_path: Path) -> None:
    path = nifti_with(tmp_path / "flat.nii", "f", 80, 0.0)
    assert sitk.ReadImage(str(path)).GetSpacing()[0] == 1.0
    with pytest.raises(InputImageError, match=r"voxel spacing \(0, 1, 1\) mm"):
        read_volume(path)


def test_every_bit_of_a_long_file_is_verified_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "long.nii.gz"
    array = np.random.default_rng(0).integers(0, 2**15, (40, 200, 200)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    assert len(gzip.decompress(path.read_bytes())) > 2**20
    assert read_volume(path).GetSize() == (200, 200, 40)


def test_a_dicom_series_comes_with_its_spacing_position_and_order(tmp_path: Path) -> None:
    image = read_volume(dicom_series(tmp_path / "series"))
    assert image.GetSize() == (12, 10, 6)
    np.testing.assert_allclose(image.GetSpacing(), (0.8, 0.9, 2.0))
    np.testing.assert_allclose(image.GetOrigin(), (5.0, -3.0, 0.0))
    assert [int(v) for v in sitk.GetArrayFromImage(image)[:, 0, 0]] == list(range(6))


def test_slices_are_ordered_by_position_not_by_file_name(tmp_path: Path) -> None:
    positions = [(0.0, 0.0, 2.0 * n) for n in (3, 0, 2, 1)]
    image = read_volume(dicom_series(tmp_path / "series", positions))
    assert [int(v) for v in sitk.GetArrayFromImage(image)[:, 0, 0]] == [1, 3, 2, 0]


def test_an_oblique_dicom_series_is_read(tmp_path: Path) -> None:
    tilt = np.radians(20.0)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(tilt), np.sin(tilt)])
    normal = np.cross(row, column)
    orientation = "\\".join(f"{x:.6f}" for x in (*row, *column))
    image = read_volume(
        dicom_series(tmp_path / "series", [tuple(2.0 * n * normal) for n in range(5)], orientation=orientation)
    )
    np.testing.assert_allclose(np.array(image.GetDirection()).reshape(3, 3)[:, 2], normal, atol=1e-5)


def test_a_scout_beside_the_series_does_not_disturb(tmp_path: Path) -> None:
    dicom_series(tmp_path / "study", [(0.0, 0.0, 0.0)], series=7)
    assert read_volume(dicom_series(tmp_path / "study")).GetSize() == (12, 10, 6)


def test_several_series_are_listed_and_can_be_chosen(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "study", series=3)
    dicom_series(folder, [(0.0, 0.0, 3.0 * n) for n in range(4)], series=8)
    with pytest.raises(InputImageError) as caught:
        read_volume(folder)
    assert "1: series number 3, MR, 6 slices; 2: series number 8, MR, 4 slices" in str(caught.value)
    assert read_volume(folder, series=2).GetSize() == (12, 10, 4)
    with pytest.raises(InputImageError, match="no series 3"):
        read_volume(folder, series=3)


@pytest.mark.parametrize(
    ("positions", "reason"),
    [
        ([(0.0, 0.0, 2.0 * n) for n in (0, 1, 2, 4, 5)], "uneven distances"),
        ([(0.0, 0.0, 2.0 * n) for n in (0, 1, 1, 2)], "at one position"),
        ([(0.0, 0.5 * n, 2.0 * n) for n in range(5)], "at a slant"),
        ([(0.0, 0.0, 0.0)], "one DICOM slice"),
    ],
)
def test_a_dicom_folder_that_is_no_regular_stack_is_refused(
    tmp_path: Path, positions: list[tuple[float, float, float]], reason: str
) -> None:
    with pytest.raises(InputImageError, match=reason):
        read_volume(dicom_series(tmp_path / "series", positions))


def test_the_patient_is_never_named_in_a_message_about_dicom(tmp_path: Path) -> None:
    tags = {"0010|0010": "Doe^Jane", "0008|103e": "Jane Doe head", "0010|0020": "4711"}
    folder = dicom_series(tmp_path / "study", series=3, more_tags=tags)
    dicom_series(folder, series=4)
    with pytest.raises(InputImageError) as caught:
        read_volume(folder)
    assert not [word for word in ("Doe", "Jane", "4711") if word in str(caught.value)]


def test_coarse_slices_are_refused_only_where_the_model_is_much_finer() -> None:
    with pytest.raises(InputImageError, match="10 mm long, too coarse for this model, which works at 1 mm"):
        check_resolution((1.0, 1.0, 10.0), (1.0, 1.0, 1.0))
    check_resolution((1.0, 1.0, 10.0), (3.0, 3.0, 3.0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_voxel_that_is_not_a_number_is_enough_to_refuse(bad: float) -> None:
    array = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    check_volume(sitk.GetImageFromArray(array))
    array[2, 3, 4] = bad
    with pytest.raises(InputImageError, match=r"The volume has 1 voxel\(s\) that are NaN or infinite"):
        check_volume(sitk.GetImageFromArray(array))


def test_a_nan_in_a_nifti_file_is_read_as_zero_as_by_every_program_that_uses_itk(tmp_path: Path) -> None:
    """Statistics programs write NaN outside the brain; ITK's NIfTI reader makes it zero, which is what is meant."""
    array = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32) + 1
    array[0] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "masked.nii.gz"))
    found = sitk.GetArrayFromImage(read_volume(tmp_path / "masked.nii.gz"))
    np.testing.assert_array_equal(found, np.nan_to_num(array))


def test_direction_cosines_with_the_precision_of_a_float_are_accepted(volume: sitk.Image) -> None:
    volume.SetDirection(np.float32(volume.GetDirection()).astype(float).tolist())
    check_volume(volume)


def _big_endian(content: bytes) -> bytes:
    """A little-endian NIfTI-1 file with every number's bytes swapped."""
    header, voxels = bytearray(content[:352]), np.frombuffer(content[352:], dtype="<i2")
    widths = [(0, 4, 1), (32, 4, 1), (36, 2, 1), (40, 2, 8), (56, 4, 3), (68, 2, 4), (76, 4, 8), (108, 4, 3)]
    widths += [(120, 2, 1), (124, 4, 4), (140, 4, 2), (252, 2, 2), (256, 4, 18)]
    for start, width, count in widths:
        for n in range(count):
            at = start + n * width
            header[at : at + width] = header[at : at + width][::-1]
    return bytes(header) + voxels.astype(">i2").tobytes()
