"""DICOM series made with pydicom: sound ones as scanners and archives vary them, and such as must be refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from engine_stubs import rotation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from Reliability.image_mutations import EITHER, REFUSED, SAME, Spoiled, sound_array

CT_IMAGE, ROOT = "1.2.840.10008.5.1.4.1.1.2", "1.2.826.0.1.3680043.2.1125"
SPACING = 1.0


@dataclass
class Series:
    """Slices in the order of their position; axes: row, column and normal of the slices as columns, LPS."""

    slices: list[Dataset]
    axes: np.ndarray
    folder: Path
    rng: random.Random

    def write(self) -> None:
        """Write every slice, under names that say nothing about the order."""
        numbers = list(range(len(self.slices)))
        self.rng.shuffle(numbers)
        for number, one in zip(numbers, self.slices, strict=True):
            _save(one, self.folder / f"IM{number:04d}")


ORIGIN = np.array((-20.0, 35.0, -12.0))


def spoiled_series(folder: Path, rng: random.Random) -> tuple[Spoiled, np.ndarray]:
    """A folder with a series, and its axes; the truth is sound_array at ORIGIN along these axes."""
    folder.mkdir()
    axes = rotation(tuple(rng.choice((0.0, 90.0, 180.0, rng.uniform(-40, 40))) for _ in range(3)))
    series = Series([_slice(number, axes, rng) for number in range(len(sound_array()))], axes, folder, rng)
    change, expected = rng.choice(_CHANGES)
    change(series)
    return Spoiled(folder, f"DICOM: {change.__name__.strip('_')}", expected), axes


def _slice(number: int, axes: np.ndarray, rng: random.Random) -> Dataset:
    array = sound_array()[number]
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = CT_IMAGE
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = f"{ROOT}.1.{number + 1}"
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = f"{ROOT}.7", f"{ROOT}.8", f"{ROOT}.9"
    one.PatientName, one.PatientID, one.Modality = "Doe^Jane", "MRN123", "CT"
    one.SeriesNumber, one.InstanceNumber = 3, number + 1
    one.ImagePositionPatient = _decimals(ORIGIN + axes[:, 2] * number * SPACING)
    one.ImageOrientationPatient = _decimals([*axes[:, 0], *axes[:, 1]])
    one.PixelSpacing, one.SliceThickness = [SPACING, SPACING], SPACING
    one.Rows, one.Columns = array.shape
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation = 15, 1
    one.RescaleSlope, one.RescaleIntercept = 1, 0
    one.PixelData = array.tobytes()
    return one


def _decimals(values: Any) -> list[str]:
    return [f"{value:.9f}"[:16] for value in values]


def _save(one: Dataset, path: Path) -> None:
    syntax = one.file_meta.TransferSyntaxUID
    little, implicit = syntax != ExplicitVRBigEndian, syntax == ImplicitVRLittleEndian
    pydicom.dcmwrite(path, one, enforce_file_format=True, little_endian=little, implicit_vr=implicit)


# --- as scanners and archives vary


def _sound(series: Series) -> None:
    series.write()


def _instance_numbers_reversed(series: Series) -> None:
    for number, one in enumerate(series.slices):
        one.InstanceNumber = len(series.slices) - number
    series.write()


def _instance_numbers_missing(series: Series) -> None:
    for one in series.slices:
        del one.InstanceNumber
    series.write()


def _thickness_differs_from_the_distance(series: Series) -> None:
    for one in series.slices:
        one.SliceThickness, one.SpacingBetweenSlices = 5.0, 2.5
    series.write()


def _rescaled(series: Series) -> None:
    for one in series.slices:
        one.RescaleSlope, one.RescaleIntercept = 2, -1024
        one.PixelData = ((pixels(one) + 1024) // 2).astype(np.int16).tobytes()
    series.write()


def _rescaled_slice_by_slice(series: Series) -> None:
    for number, one in enumerate(series.slices):
        one.RescaleSlope = 1 + number % 2
        one.PixelData = (pixels(one) // int(one.RescaleSlope)).astype(np.int16).tobytes()
    series.write()


def _twelve_bits_unsigned(series: Series) -> None:
    for one in series.slices:
        one.BitsStored, one.HighBit, one.PixelRepresentation = 12, 11, 0
    series.write()


def _implicit_syntax(series: Series) -> None:
    for one in series.slices:
        one.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    series.write()


def _run_length_compressed(series: Series) -> None:
    for one in series.slices:
        one.compress(RLELossless, generate_instance_uid=False)
    series.write()


def _compressed_by(compressor: str) -> Callable[[Series], None]:
    def compressed(series: Series) -> None:
        series.write()
        for path in series.folder.iterdir():
            reader, writer = sitk.ImageFileReader(), sitk.ImageFileWriter()
            reader.SetFileName(str(path))
            reader.LoadPrivateTagsOn()
            plane = reader.Execute()
            writer.SetFileName(str(path.with_suffix(".dcm")))
            writer.KeepOriginalImageUIDOn()
            writer.SetUseCompression(True)
            writer.SetCompressor(compressor)
            writer.Execute(plane)
            path.unlink()

    compressed.__name__ = f"compressed as {compressor}"
    return compressed


def _other_files_beside(series: Series) -> None:
    series.write()
    (series.folder / "README.txt").write_text("no image")
    (series.folder / "DICOMDIR").write_bytes(bytes(200))
    (series.folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))


def _a_scout_beside(series: Series) -> None:
    series.write()
    scout = _slice(0, series.axes[:, [2, 0, 1]], series.rng)
    scout.SeriesInstanceUID, scout.SOPInstanceUID = f"{ROOT}.88", f"{ROOT}.88.1"
    scout.file_meta.MediaStorageSOPInstanceUID = scout.SOPInstanceUID
    _save(scout, series.folder / "SCOUT")


def _names_in_other_alphabets(series: Series) -> None:
    for one in series.slices:
        one.SpecificCharacterSet, one.PatientName = "ISO_IR 192", "Müller^Зоя 山田"
    series.write()


# --- not a volume


def _a_slice_missing(series: Series) -> None:
    del series.slices[series.rng.randrange(2, len(series.slices) - 2)]
    series.write()


def _two_time_points(series: Series) -> None:
    for number in range(len(series.slices)):
        again = _slice(number, series.axes, series.rng)
        again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.2.{number + 1}"
        again.InstanceNumber = len(sound_array()) + number + 1
        series.slices.append(again)
    series.write()


def _one_position_twice(series: Series) -> None:
    series.slices[5].ImagePositionPatient = series.slices[4].ImagePositionPatient
    series.write()


def _two_series(series: Series) -> None:
    for number in range(len(series.slices)):
        other = _slice(number, series.axes, series.rng)
        other.SeriesInstanceUID = f"{ROOT}.18"
        other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.3.{number + 1}"
        series.slices.append(other)
    series.write()


def _two_orientations(series: Series) -> None:
    for one in series.slices[6:]:
        one.ImageOrientationPatient = _decimals([*series.axes[:, 1], *series.axes[:, 2]])
    series.write()


def _gantry_tilted(series: Series) -> None:
    tilt = np.tan(np.deg2rad(series.rng.choice((-20.0, 3.0, 12.0))))
    for number, one in enumerate(series.slices):
        position = ORIGIN + series.axes[:, 2] * number * SPACING + series.axes[:, 1] * number * SPACING * tilt
        one.ImagePositionPatient = _decimals(position)
    series.write()


def _uneven_distances(series: Series) -> None:
    for number, one in enumerate(series.slices):
        distance = number * SPACING + (0.6 if number > 6 else 0.0)
        one.ImagePositionPatient = _decimals(ORIGIN + series.axes[:, 2] * distance)
    series.write()


def _one_slice_of_another_size(series: Series) -> None:
    one = series.slices[series.rng.randrange(len(series.slices))]
    one.PixelData = pixels(one)[:-2].tobytes()
    one.Rows -= 2
    series.write()


def _one_slice_of_another_pixel_spacing(series: Series) -> None:
    series.slices[series.rng.randrange(len(series.slices))].PixelSpacing = [2.0, 2.0]
    series.write()


def _pixel_spacing_missing(series: Series) -> None:
    for one in series.slices:
        del one.PixelSpacing
    series.write()


def _position_missing(series: Series) -> None:
    for one in series.rng.choice((series.slices, series.slices[4:5])):
        del one.ImagePositionPatient
    series.write()


def _orientation_missing(series: Series) -> None:
    for one in series.slices:
        del one.ImageOrientationPatient
    series.write()


def _color(series: Series) -> None:
    for one in series.slices:
        gray = np.clip(pixels(one) // 10, 0, 255).astype(np.uint8)
        one.SamplesPerPixel, one.PhotometricInterpretation, one.PlanarConfiguration = 3, "RGB", 0
        one.BitsAllocated = one.BitsStored = 8
        one.HighBit, one.PixelRepresentation = 7, 0
        one.PixelData = np.stack([gray] * 3, axis=-1).tobytes()
    series.write()


def _all_frames_in_one_file(series: Series) -> None:
    one = series.slices[0]
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    one.NumberOfFrames = len(series.slices)
    one.PixelData = sound_array().tobytes()
    series.slices = [one]
    series.write()


def _a_file_cut_short(series: Series) -> None:
    series.write()
    path = series.rng.choice(sorted(series.folder.iterdir()))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - series.rng.randrange(10, 400)])


def _bytes_changed(series: Series) -> None:
    from Reliability.package_mutations import flipped

    series.write()
    for path in series.rng.sample(sorted(series.folder.iterdir()), 2):
        content = path.read_bytes()
        path.write_bytes(content[:132] + flipped(content[132:700], series.rng) + content[700:])


def _big_endian(series: Series) -> None:
    for one in series.slices:
        one.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        one.PixelData = pixels(one).astype(">i2").tobytes()
    series.write()


def _only_one_slice(series: Series) -> None:
    del series.slices[1:]
    series.write()


def pixels(one: Dataset) -> np.ndarray:
    """The stored int16 values."""
    return np.frombuffer(one.PixelData, dtype="<i2").reshape(one.Rows, one.Columns).astype(int)


_CHANGES: tuple[tuple[Callable[[Series], None], str], ...] = (
    (_sound, SAME), (_instance_numbers_reversed, SAME), (_instance_numbers_missing, SAME),
    (_thickness_differs_from_the_distance, SAME), (_rescaled, SAME), (_rescaled_slice_by_slice, SAME),
    (_twelve_bits_unsigned, SAME), (_implicit_syntax, SAME), (_run_length_compressed, SAME),
    (_compressed_by("JPEG"), SAME), (_compressed_by("JPEG2000"), SAME), (_other_files_beside, SAME),
    (_a_scout_beside, SAME), (_names_in_other_alphabets, SAME), (_big_endian, SAME), (_a_slice_missing, REFUSED),
    (_two_time_points, REFUSED), (_one_position_twice, REFUSED), (_two_series, REFUSED), (_two_orientations, REFUSED),
    (_gantry_tilted, REFUSED), (_uneven_distances, REFUSED), (_one_slice_of_another_size, REFUSED),
    (_one_slice_of_another_pixel_spacing, REFUSED), (_pixel_spacing_missing, REFUSED), (_position_missing, REFUSED),
    (_orientation_missing, REFUSED), (_color, REFUSED), (_all_frames_in_one_file, REFUSED),
    (_a_file_cut_short, REFUSED),
    (_only_one_slice, REFUSED), (_bytes_changed, EITHER),
)  # fmt: skip
