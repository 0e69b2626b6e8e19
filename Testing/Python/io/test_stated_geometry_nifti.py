"""A NIfTI file whose sform, qform, pixdim and unit disagree is read by the standard's rule, with a note, or refused."""

from __future__ import annotations

import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import stub_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stated_files import LPS_FROM_RAS, affines, assert_placed, far_apart, lengths, matrix_of, nifti_file, voxels

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.inference.segmentation import segment
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.io.volume_notes import notes_of

often = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
codes = st.integers(1, 5)
names = st.sampled_from(("scan.nii", "scan.nii.gz"))
orders = st.sampled_from("<>")
signs = st.tuples(*[st.sampled_from((1.0, -1.0))] * 3)


def lengths_of(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.norm(matrix[:, :3], axis=0)


@often
@given(sform=affines(), qform=affines(), pixdim=lengths, flips=signs, both=st.tuples(codes, codes), name=names,
       order=orders)  # fmt: skip
def test_the_sform_decides_against_any_qform_and_pixdim_and_a_note_says_so(
    tmp_path: Path, sform: np.ndarray, qform: np.ndarray, pixdim: tuple[float, ...], flips: tuple[float, ...],
    both: tuple[int, int], name: str, order: str,
) -> None:  # fmt: skip
    stated = np.multiply(pixdim, flips)
    path = nifti_file(tmp_path / name, sform=sform, qform=qform, codes=both, pixdim=tuple(stated), order=order)
    image = read_volume(path)
    assert_placed(image, LPS_FROM_RAS @ sform)
    assert_placed(image, LPS_FROM_RAS @ nibabel.load(path).affine[:3])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels())
    other = np.column_stack([qform[:, :3] / lengths_of(qform) * pixdim, qform[:, 3]])
    if far_apart(other, sform) or min(stated) < 0:
        assert ["contradicts itself" in note for note in notes_of(image)] == [True]


@often
@given(place=affines(), both=st.sampled_from(((1, 0), (0, 1), (1, 1), (1, 4), (2, 3))), name=names, order=orders)
def test_sources_that_agree_give_no_note(
    tmp_path: Path, place: np.ndarray, both: tuple[int, int], name: str, order: str
) -> None:
    path = nifti_file(
        tmp_path / name, sform=place, qform=place, codes=both, pixdim=tuple(lengths_of(place)), order=order
    )
    image = read_volume(path)
    assert_placed(image, LPS_FROM_RAS @ place)
    assert_placed(image, LPS_FROM_RAS @ nibabel.load(path).affine[:3])
    assert notes_of(image) == []


@often
@given(sform=affines(), qform=affines(), pixdim=lengths, both=st.sampled_from(((1, 0), (0, 1), (0, 0))))
def test_what_a_code_of_zero_switches_off_does_not_matter(
    tmp_path: Path, sform: np.ndarray, qform: np.ndarray, pixdim: tuple[float, ...], both: tuple[int, int]
) -> None:
    image = read_volume(nifti_file(tmp_path / "a.nii", sform=sform, qform=qform, codes=both, pixdim=pixdim))
    if both == (0, 1):
        assert_placed(image, LPS_FROM_RAS @ sform)
        return
    np.testing.assert_allclose(image.GetSpacing(), pixdim, rtol=1e-5)
    if both == (1, 0):
        turned = np.column_stack([qform[:, :3] / lengths_of(qform) * pixdim, qform[:, 3]])
        assert_placed(image, LPS_FROM_RAS @ turned)
        assert notes_of(image) == []
    else:
        assert ["does not say how the scan lies" in note for note in notes_of(image)] == [True]


@often
@given(place=affines(), both=st.sampled_from(((1, 0), (0, 1), (1, 1))), unit=st.sampled_from((0, 1, 2, 3, 10)))
def test_lengths_in_metres_and_micrometres_become_mm_with_a_note(
    tmp_path: Path, place: np.ndarray, both: tuple[int, int], unit: int
) -> None:
    factor = {1: 1000.0, 3: 0.001}.get(unit, 1.0)
    stated = place / factor
    path = nifti_file(
        tmp_path / "a.nii", sform=stated, qform=stated, codes=both, pixdim=tuple(lengths_of(stated)), unit=unit
    )
    image = read_volume(path)
    assert_placed(image, LPS_FROM_RAS @ place)
    assert ["converted to mm" in note for note in notes_of(image)] == ([True] if factor != 1.0 else [])


@pytest.mark.parametrize(("unit", "length"), [(1, 1.0), (3, 1.0), (2, 0.001), (2, 0.01), (2, 1e5)])
def test_a_unit_that_makes_a_scan_of_a_flea_or_of_a_house_is_refused(tmp_path: Path, unit: int, length: float) -> None:
    place = np.column_stack([np.eye(3) * length, np.zeros(3)])
    path = nifti_file(tmp_path / "a.nii", sform=place, codes=(0, 1), pixdim=(length,) * 3, unit=unit)
    # 0.2 m, as a head has it, would be 200 m in metres.
    content = bytearray(path.read_bytes())
    struct.pack_into("<3h", content, 42, 200, 200, 200)
    path.write_bytes(bytes(content) + bytes(2 * 200**3))
    with pytest.raises(InputImageError, match="which no scan of a body is"):
        read_volume(path)


@often
@given(place=affines(), axis=st.integers(0, 2), amount=st.sampled_from((-0.5, 0.05, 0.3)), code=codes)
def test_a_sheared_sform_is_refused_however_straight_the_qform_is(
    tmp_path: Path, place: np.ndarray, axis: int, amount: float, code: int
) -> None:
    sheared = place.copy()
    sheared[:, axis] += amount * place[:, (axis + 1) % 3]
    path = nifti_file(tmp_path / "a.nii", sform=sheared, qform=place, codes=(1, code), pixdim=tuple(lengths_of(place)))
    with pytest.raises(InputImageError, match="not at right angles"):
        read_volume(path)


@often
@given(place=affines(), flips=signs.filter(lambda flips: min(flips) < 0), code=st.integers(0, 5))
def test_a_negative_pixdim_without_an_sform_is_refused(
    tmp_path: Path, place: np.ndarray, flips: tuple[float, ...], code: int
) -> None:
    pixdim = tuple(np.multiply(lengths_of(place), flips))
    with pytest.raises(InputImageError, match="every spacing must be positive"):
        read_volume(nifti_file(tmp_path / "a.nii", qform=place, codes=(code, 0), pixdim=pixdim))


@pytest.mark.parametrize("flat", [np.zeros((3, 4)), np.outer([1.0, 2, 3], [1.0, 1, 1, 0])])
def test_an_sform_that_flattens_space_is_refused(tmp_path: Path, flat: np.ndarray) -> None:
    with pytest.raises(InputImageError):
        read_volume(nifti_file(tmp_path / "a.nii", sform=flat, codes=(0, 1)))


def test_a_quaternion_that_is_no_rotation_is_refused_or_overruled_by_the_sform(tmp_path: Path) -> None:
    place = np.column_stack([np.eye(3), np.zeros(3)])
    for codes_, name in (((1, 0), "q.nii"), ((1, 1), "both.nii")):
        content = bytearray(nifti_file(tmp_path / name, sform=place, codes=codes_).read_bytes())
        struct.pack_into("<3f", content, 256, 2.0, 1.0, 0.5)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputImageError, match="qform is no rotation"):
        read_volume(tmp_path / "q.nii")
    image = read_volume(tmp_path / "both.nii")
    assert_placed(image, LPS_FROM_RAS @ place)
    assert "contradicts itself" in notes_of(image)[0]


@pytest.mark.parametrize("offset", [252, 254])
def test_a_code_that_the_standard_does_not_know_is_refused(tmp_path: Path, offset: int) -> None:
    content = bytearray(nifti_file(tmp_path / "a.nii", codes=(0, 1), sform=np.eye(3, 4)).read_bytes())
    struct.pack_into("<h", content, offset, -1)
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(InputImageError, match="impossible qform or sform code"):
        read_volume(tmp_path / "a.nii")


def test_an_analyze_header_is_not_taken_for_nifti(tmp_path: Path) -> None:
    content = bytearray(nifti_file(tmp_path / "a.nii", codes=(0, 1), sform=np.eye(3, 4)).read_bytes())
    content[344:348] = bytes(4)
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(InputImageError, match="is not a NIfTI file"):
        read_volume(tmp_path / "a.nii")


def test_the_note_about_a_file_is_a_note_of_the_result(tmp_path: Path) -> None:
    sform = np.column_stack([np.diag((2.0, 2.0, 2.0)), np.zeros(3)])
    image = read_volume(nifti_file(tmp_path / "a.nii", sform=sform, codes=(0, 1)))
    result = segment(image, stub_model(), "cpu")
    assert result.notes[:1] == [
        "The NIfTI header contradicts itself: voxels of 2 x 2 x 2 mm by its sform, of 1 x 1 x 1 mm by its pixdim; the "
        "sform was used."
    ]
    np.testing.assert_allclose(matrix_of(result.labelmap), matrix_of(image))
