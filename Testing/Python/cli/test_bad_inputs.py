"""Every kind of bad input ends with code 2, one sentence that names the cause, and no partial output."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from volumes_on_disk import cut_to, dicom_series, metaimage, nifti_with, plain_volume

from LightMedSegLib.cli import main
from LightMedSegLib.io import segmentation_files


@dataclass
class Place:
    """Where a case builds its input, and what it may change there."""

    folder: Path
    model: Path
    patch: pytest.MonkeyPatch

    @property
    def scan(self) -> Path:
        """A sound scan."""
        return self.write(plain_volume(), "scan.nii.gz")

    def write(self, image: sitk.Image, name: str) -> Path:
        """Write an image into the folder."""
        path = self.folder / name
        sitk.WriteImage(image, str(path), True)
        return path

    def content(self, name: str, content: bytes) -> Path:
        """Write bytes into the folder."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def change_card(self, **changes: object) -> None:
        """Replace items of the model's card."""
        path = self.model / "model.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    @property
    def weights(self) -> Path:
        """The model's weights file."""
        return self.model / "weights.safetensors"


@dataclass
class Case:
    """One kind of bad input: its name, how it is made, what the sentence must contain, further arguments.

    make returns the scan to segment, or None for a sound one.
    """

    name: str
    make: Callable[[Place], Path | None]
    says: str
    options: list[str] = field(default_factory=list)
    output: str = "out/result.seg.nrrd"


def float_volume(bad: float) -> sitk.Image:
    array = np.random.default_rng(0).random((12, 12, 12), dtype=np.float32)
    array[3, 4, 5] = bad
    return sitk.GetImageFromArray(array)


def with_spacing(*spacing: float) -> sitk.Image:
    image = plain_volume()
    image.SetSpacing(spacing)
    return image


def full_disk(place: Place) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("write error: no space left on device")

    place.patch.setattr(segmentation_files.sitk, "WriteImage", fail)


def failing_network(place: Place, error: str) -> None:
    """Every forward pass raises what torch raises; the model itself stays as it is."""
    import torch

    from LightMedSegLib.network import LightMedSeg
    from LightMedSegLib.network.cpu import FastLightMedSeg

    def fail(*arguments: object, **options: object) -> None:
        raise torch.OutOfMemoryError(error)

    place.patch.setattr(LightMedSeg, "forward", fail)
    for method in ("forward", "stream"):
        place.patch.setattr(FastLightMedSeg, method, fail)


def swap_bytes(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


def escaping_zip(place: Place) -> None:
    with zipfile.ZipFile(place.folder / "model.zip", "w") as archive:
        archive.writestr("../model.json", "{}")


def card_without(place: Place, key: str) -> None:
    path = place.model / "model.json"
    card = json.loads(path.read_text())
    del card[key]
    path.write_text(json.dumps(card))


CASES = [
    # Files
    Case("missing file", lambda p: p.folder / "nothing.nii.gz", "nothing.nii.gz does not exist"),
    Case("empty file", lambda p: p.content("empty.nii.gz", b""), "empty.nii.gz is an empty file"),
    Case("truncated .nii", lambda p: cut_to(p.write(plain_volume(), "cut.nii"), 0.6), "cut.nii is cut short"),
    Case("truncated .nii.gz", lambda p: cut_to(p.write(plain_volume(), "cut.nii.gz"), 0.6), "damaged or incomplete"),
    Case("truncated .nrrd", lambda p: cut_to(p.write(plain_volume(), "cut.nrrd"), 0.6), "cut.nrrd cannot be read"),
    Case("truncated .mha", lambda p: cut_to(p.write(plain_volume(), "cut.mha"), 0.6), "cut.mha cannot be read"),
    Case("truncated header", lambda p: cut_to(p.write(plain_volume(), "cut.nii"), 0.01), "damaged or incomplete"),
    Case("text called .nii.gz", lambda p: p.content("notes.nii.gz", b"no image" * 99), "not a NIfTI file"),
    Case("text called .nrrd", lambda p: p.content("notes.nrrd", b"no image" * 99), "notes.nrrd cannot be read"),
    Case("unknown format", lambda p: p.content("scan.jpg", b"\xff\xd8"), "scan.jpg has no known volume format"),
    Case("header without data file", lambda p: metaimage(p.folder / "scan.mha", DimSize="9999 9999 9999"), "scan.mha"),
    Case("unknown sample", lambda p: Path("sample:liver"), "There is no sample 'liver'"),
    # Layout
    Case("2D image", lambda p: p.write(plain_volume()[:, :, 3], "slice.nrrd"), "slice.nrrd is 2D"),
    Case("single slice", lambda p: p.write(plain_volume()[:, :, 3:4], "slice.nrrd"), "is a single slice"),
    Case("4D series", lambda p: p.write(sitk.JoinSeries([plain_volume()] * 3), "time.nii.gz"), "time.nii.gz is 4D"),
    Case("RGB volume", lambda p: p.write(sitk.Compose([plain_volume()] * 3), "color.nrrd"), "3 components"),
    Case("complex voxels", lambda p: p.write(sitk.Cast(plain_volume(), sitk.sitkComplexFloat32), "c.mha"), "c.mha"),
    Case("one voxel", lambda p: p.write(plain_volume((1, 1, 1)), "dot.nrrd"), "has 1 voxel(s)"),
    # Values
    Case("NaN", lambda p: p.write(float_volume(np.nan), "nan.nrrd"), "1 voxel(s) that are NaN or infinite"),
    Case("infinity", lambda p: p.write(float_volume(np.inf), "inf.mha"), "1 voxel(s) that are NaN or infinite"),
    Case("empty volume", lambda p: p.write(plain_volume() * 0, "air.nrrd"), "every voxel has the value 0"),
    # Geometry
    Case("zero spacing, NIfTI", lambda p: nifti_with(p.folder / "z.nii", "f", 80, 0.0), "spacing (0, 1, 1) mm"),
    Case("NaN spacing, NIfTI", lambda p: nifti_with(p.folder / "z.nii", "f", 84, float("nan")), "(1, nan, 1) mm"),
    Case("zero spacing, MHA", lambda p: metaimage(p.folder / "z.mha", ElementSpacing="0 1 1"), "spacing of zero"),
    Case(
        "sheared axes",
        lambda p: metaimage(p.folder / "shear.mha", TransformMatrix="1 0 0 0.4 1 0 0 0 1"),
        "axes that are not at right angles",
    ),
    Case(
        "parallel axes",
        lambda p: metaimage(p.folder / "flat.mha", TransformMatrix="1 0 0 1 0 0 0 0 1"),
        "axes that are not at right angles",
    ),
    Case("1 mm x 10 mm slices", lambda p: p.write(with_spacing(1, 1, 10), "thick.nrrd"), "too coarse for this model"),
    Case("region outside", lambda p: None, "region", ["--roi", "100,120,0,5,0,5"]),
    Case("empty region", lambda p: None, "region", ["--roi", "5,5,0,5,0,5"]),
    # DICOM
    Case("folder without DICOM", lambda p: p.folder / "out", "folder without DICOM images"),
    Case("one DICOM file", lambda p: p.content("slice.dcm", b"DICM"), "give the folder that holds the whole series"),
    Case(
        "missing DICOM slice",
        lambda p: dicom_series(p.folder / "series", [(0.0, 0.0, 2.0 * n) for n in (0, 1, 3, 4)]),
        "slices are missing",
    ),
    Case(
        "two DICOM series",
        lambda p: dicom_series(dicom_series(p.folder / "series", series=1), series=2),
        "2 DICOM series; choose one",
    ),
    # Model
    Case("unknown model", lambda p: None, "There is no model 'liver-ct'", ["--model", "liver-ct"]),
    Case("no model at all", lambda p: None, "No installed model takes 1 volume(s)", ["--model", ""]),
    Case(
        "wrong channel count",
        lambda p: p.change_card(input=two_channels(p)),
        "reads 2 volumes (T1, T2), but 1 was given",
    ),
    Case("truncated weights", lambda p: cut_to(p.weights, 0.9) and None, "truncated"),
    Case("tampered weights", lambda p: swap_bytes(p.weights, -1), "SHA-256 is not the one in the card"),
    Case("missing weights", lambda p: p.weights.unlink(), "weights.safetensors"),
    Case("card is no JSON", lambda p: (p.model / "model.json").write_text("{") and None, "model card cannot be read"),
    Case("card lacks labels", lambda p: card_without(p, "labels"), "labels"),
    Case("newer card", lambda p: p.change_card(schema_version=99), "schema_version 99"),
    Case("unknown network", lambda p: p.change_card(network={"name": "unet9", "arguments": {}}), "unet9"),
    Case("zip that leaves its folder", lambda p: escaping_zip(p), "model.zip", ["--model", "{folder}/model.zip"]),
    # Output
    Case("unknown output format", lambda p: None, "no known segmentation format", output="out/result.jpg"),
    Case("missing output folder", lambda p: None, "does not exist", output="nowhere/result.nrrd"),
    Case("output is a folder", lambda p: None, "cannot be written: it is a folder", output="folder.nrrd"),
    Case("output over input", lambda p: None, "is an input and would be overwritten", output="scan.nii.gz"),
    Case("one name twice", lambda p: None, "need different names", ["--json", "{folder}/out/result.seg.nrrd"]),
    Case("doubt over the result", lambda p: None, "different names", ["--uncertainty", "{folder}/out/result.seg.nrrd"]),
    Case(
        "doubt as segments", lambda p: None, "let its name end in .nrrd", ["--uncertainty", "{folder}/out/d.seg.nrrd"]
    ),
    Case("montage is no PNG", lambda p: None, "let it end in .png", ["--montage", "{folder}/out/m.gif"]),
    Case("full disk", full_disk, "the disk is full"),
    # Device
    Case("unknown device", lambda p: None, "The device 'tpu' is unknown", ["--device", "tpu"]),
    Case("absent device", lambda p: None, "'cuda:97' is not available", ["--device", "cuda:97"]),
    Case("out of memory", lambda p: failing_network(p, "out of memory"), "ran out of memory"),
]


def two_channels(place: Place) -> dict[str, object]:
    spec = json.loads((place.model / "model.json").read_text())["input"]
    return {**spec, "channels": [{**spec["channels"][0], "name": name} for name in ("T1", "T2")]}


@pytest.fixture
def place(tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch, nothing_shipped: None) -> Place:
    (tmp_path / "out").mkdir()
    (tmp_path / "folder.nrrd").mkdir()
    shutil.copytree(package, tmp_path / "model")
    return Place(tmp_path, tmp_path / "model", monkeypatch)


def test_at_least_25_kinds_of_bad_input_are_tried() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input_ends_with_one_sentence_and_no_output(
    case: Case, place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    sound = place.scan
    scan = case.make(place) or sound
    options = [option.format(folder=place.folder) for option in case.options]
    if "--model" not in options:
        options += ["--model", str(place.model)]
    before = everything_below(place.folder)
    capfd.readouterr()

    code = main(["segment", str(scan), str(place.folder / case.output), *options])

    printed = capfd.readouterr()
    assert code == 2, printed
    assert printed.out == ""
    message = printed.err.removeprefix("lightmedseg: ")
    assert case.says in message
    assert message.count("\n") == 1
    assert message.endswith(".\n"), message
    assert "Traceback" not in message
    assert everything_below(place.folder) == before


@pytest.mark.parametrize(
    "words", [["segment", "", "out.nrrd"], ["segment", "a.nii", ""], ["auto", " "], ["evaluate", "", "b"]]
)
def test_an_empty_name_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It was taken for the present folder."""
    assert main(words) == 2
    assert ": the name is empty; see" in capsys.readouterr().err


def test_a_name_that_begins_with_a_dash_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    hint = "write -- before names that begin with a dash"
    for words in (["segment", "-a.nii", "out.nrrd"], ["segment", "-a.nii", "b.nii", "out.nrrd"]):
        assert main(words) == 2
        assert hint in capsys.readouterr().err
    for words in (["segment", "a.nii"], ["segment", "--over=0.5", "--strict", "a.nii"], ["segment", "--", "-a.nii"]):
        assert main(words) == 2
        assert hint not in capsys.readouterr().err
    assert main(["segment", "--", "-a.nii", "out.nrrd"]) == 2
    assert "-a.nii does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "shown"), [("a\nb.nii", r"a\nb.nii"), ("\x1b[2Ja.nii", r"\x1b[2Ja.nii")])
def test_control_characters_of_a_name_are_escaped(name: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", name, "out.nrrd"]) == 2
    assert capsys.readouterr().err == f"lightmedseg: {shown} does not exist.\n"
    assert main(["segment", "a.nii", "out.nrrd", f"--{name}"]) == 2
    assert f"--{shown}" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_a_line_of_a_folders_scan_stays_one_line(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.folder / "scans").mkdir()
    (place.folder / "scans" / "a\nb.nii").write_bytes(b"no volume")
    assert main(["segment", str(place.folder / "scans"), str(place.folder / "out"), "--model", str(place.model)]) == 2
    assert r"a\nb" in capsys.readouterr().out


def test_a_sound_input_passes_the_same_test_bench(place: Place) -> None:
    """Otherwise every case above could fail for one and the same reason."""
    words = ["segment", str(place.scan), str(place.folder / "out/result.seg.nrrd"), "--model", str(place.model)]
    assert main(words) == 0
    assert (place.folder / "out/result.seg.nrrd").is_file()


@pytest.mark.skipif(os.name == "nt" or (hasattr(os, "geteuid") and os.geteuid() == 0), reason="root may write anywhere")
def test_a_folder_without_permission_is_named(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.folder / "out").chmod(0o500)
    words = ["segment", str(place.scan), str(place.folder / "out/result.nrrd"), "--model", str(place.model)]
    assert main(words) == 2
    assert "no permission to write there" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/sys is Linux's")
def test_a_place_where_even_root_may_not_write_is_named(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(place.scan), "/sys/result.nrrd", "--model", str(place.model)]) == 2
    assert "no permission to write there" in capsys.readouterr().err


def test_what_was_done_otherwise_than_asked_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """That CUDA out of memory leads to the CPU and to this note is a test of the engine."""
    from LightMedSegLib.inference import segmentation

    real = segmentation.segment_with

    def with_note(*arguments: Any, **options: Any) -> Any:
        return replace(real(*arguments, **options), notes=["CUDA ran out of memory; the CPU was used."])

    place.patch.setattr(segmentation, "segment_with", with_note)
    words = ["segment", str(place.scan), str(place.folder / "out/result.nrrd"), "--model", str(place.model)]
    assert main(words) == 0
    assert "CUDA ran out of memory; the CPU was used." in capsys.readouterr().out


def everything_below(folder: Path) -> dict[str, int]:
    """Every path below folder, with the size of files."""
    return {str(path.relative_to(folder)): path.stat().st_size if path.is_file() else -1 for path in folder.rglob("*")}
