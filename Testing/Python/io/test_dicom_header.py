"""Header values that archives hold: written as DICOM asks for, left empty, or refused at the start; never told."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hostile_surroundings import is_one_sentence
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_factory import make_card
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.valuerep import validate_value
from volumes_on_disk import dicom_series

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.export.dicom_header import tidy
from LightMedSegLib.export.dicom_seg import DicomSegWriter
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.model.card import ModelCard

UIDS = {"0020|0052": "1.2.826.0.1.3680043.2.1125.7"}
TEXTS = {"PatientName": "PN", "PatientID": "LO", "PatientBirthDate": "DA", "PatientSex": "CS", "PatientAge": "AS",
         "PatientWeight": "DS", "StudyDate": "DA", "StudyTime": "TM", "StudyID": "SH", "AccessionNumber": "SH",
         "StudyDescription": "LO", "ReferringPhysicianName": "PN"}  # fmt: skip


@pytest.fixture
def plain_series(tmp_path: Path) -> Path:
    return dicom_series(tmp_path / "series", more_tags=UIDS)


@pytest.fixture
def anything_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """pydicom writes whatever it is given, as scanners and archives do."""
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)


def with_header(folder: Path, raw: dict[str, bytes]) -> Path:
    """Put raw bytes into every file of a series, the character set first: else pydicom translates the others."""
    for path, name in itertools.product(folder.iterdir(), sorted(raw, key=lambda name: name != "SpecificCharacterSet")):
        one, value = pydicom.dcmread(path), raw[name]
        tag = pydicom.tag.Tag(pydicom.datadict.tag_for_keyword(name))
        value += b" " * (len(value) % 2)
        vr = pydicom.datadict.dictionary_VR(tag)
        one._dict[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(value), value, 0, False, True)
        one.save_as(path)
    return folder


@pytest.mark.usefixtures("anything_goes")
@pytest.mark.parametrize(
    ("name", "raw", "written", "note"),
    [
        ("PatientBirthDate", b"1970-01-01", "19700101", "PatientBirthDate written in the form"),
        ("PatientBirthDate", b"1970/01/31", "19700131", "PatientBirthDate written in the form"),
        ("PatientBirthDate", b"1970.01.01", "19700101", "PatientBirthDate written in the form"),
        ("PatientBirthDate", b"01.02.1970", "", "PatientBirthDate left empty"),
        ("PatientBirthDate", b"19700230", "", "PatientBirthDate left empty"),
        ("PatientBirthDate", b"00000000", "", "PatientBirthDate left empty"),
        ("PatientBirthDate", b"1970", "", "PatientBirthDate left empty"),
        ("PatientSex", b"W", "", "PatientSex left empty"),
        ("PatientSex", b"f", "F", "PatientSex written in the form"),
        ("PatientSex", b"Male", "M", "PatientSex written in the form"),
        ("PatientSex", b"O", "O", ""),
        ("PatientAge", b"45", None, "PatientAge left empty"),
        ("PatientAge", b"045Y", "045Y", ""),
        ("PatientWeight", b"80,5", None, "PatientWeight left empty"),
        ("PatientWeight", b"80.5", "80.5", ""),
        ("PatientID", b"4711" * 20, "", "PatientID left empty"),
        ("AccessionNumber", b"ACC-2020-0000000000000001", "", "AccessionNumber left empty"),
        ("StudyDate", b"2020-05-06", "20200506", "StudyDate written in the form"),
        ("StudyTime", b"12:30:45.123", "123045", "StudyTime written in the form"),
        ("StudyTime", b"noon", "", "StudyTime left empty"),
        ("StudyDescription", b"HEAD\\NECK", None, "StudyDescription left empty"),
        ("PatientName", b"M\xfcller^J\xf6rg", "Müller^Jörg", ""),
        ("PatientName", b"Doe", "Doe", ""),
    ],
)
def test_a_value_is_written_as_dicom_asks_for_or_left_empty_with_a_note(
    name: str, raw: bytes, written: str | None, note: str, plain_series: Path, tmp_path: Path,
    package: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.WARNING)
    with_header(plain_series, {"SpecificCharacterSet": b"ISO_IR 100", name: raw})
    recwarn.clear()
    words = ["segment", str(plain_series), str(tmp_path / "out.dcm"), "--model", str(package), "--threads", "1"]
    assert main(words) == 0
    printed = capfd.readouterr()
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert made.SpecificCharacterSet == "ISO_IR 192"
    assert (str(made[name].value) if name in made else None) == written
    assert (note in printed.out) if note else ("The DICOM segmentation has" not in printed.out)
    shown = printed.out + printed.err + caplog.text + "".join(str(one.message) for one in recwarn)
    assert raw.decode("latin-1") not in shown or len(raw) < 4


@pytest.mark.usefixtures("anything_goes")
@pytest.mark.parametrize(
    ("declared", "raw", "name"),
    [
        (b"ISO_IR 100", b"M\xfcller^J", "Müller^J"),
        (b"ISO-IR 100", b"M\xfcller^J", "Müller^J"),
        (b"", b"M\xfcller^J", "Müller^J"),
        (b"ISO_IR 192", "Müller^J".encode(), "Müller^J"),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎"),
        (b"ISO_IR 144", "Люк^".encode("iso8859_5"), "Люк^"),
        (b"ISO_IR 192", b"M\xfcller^J", ""),
        (b"KLINGON", b"Doe^J", "Doe^J"),
    ],
)
def test_names_survive_every_character_set(declared: bytes, raw: bytes, name: str, plain_series: Path) -> None:
    with_header(plain_series, {"SpecificCharacterSet": declared, "PatientName": raw})
    one = pydicom.dcmread(sorted(plain_series.iterdir())[0])
    tidy(one)
    buffer = pydicom.filebase.DicomBytesIO()
    one.save_as(buffer)
    buffer.seek(0)
    assert str(pydicom.dcmread(buffer).PatientName) == name


@pytest.mark.usefixtures("anything_goes")
@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("FrameOfReferenceUID", b"", "a slice has no FrameOfReferenceUID"),
        ("StudyInstanceUID", b"1.2.03.4", "a slice has a StudyInstanceUID that DICOM does not allow"),
        ("StudyInstanceUID", b"Doe.Jane", "a slice has a StudyInstanceUID that DICOM does not allow"),
        ("SOPClassUID", b"1.2.3.4", "its header is not as DICOM asks for"),
    ],
)
def test_what_no_object_can_refer_to_is_refused_before_the_computing(
    name: str, raw: bytes, reason: str, plain_series: Path, tmp_path: Path, package: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(Engine, "segment", lambda *_, **__: pytest.fail("it computes before it refuses"))
    with_header(plain_series, {name: raw})
    assert main(["segment", str(plain_series), str(tmp_path / "out.dcm"), "--model", str(package)]) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told) and reason in told and "Doe" not in told
    assert told.endswith("let the output's name end in .seg.nrrd.\n")


def header(name: str, text: str) -> Dataset:
    """A data set with one attribute, as it comes from a file."""
    made = Dataset()
    tag = pydicom.tag.Tag(pydicom.datadict.tag_for_keyword(name))
    value = text.encode("utf-8")
    made._dict[tag] = pydicom.dataelem.RawDataElement(tag, TEXTS[name], len(value), value, 0, False, True)
    made.SpecificCharacterSet = "ISO_IR 192"
    return made


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(TEXTS)), text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=90))
def test_whatever_a_header_holds_becomes_allowed_and_is_never_told(name: str, text: str, anything_goes: None) -> None:
    one = header(name, text)
    note = tidy(one)
    for value in _values(one.get(name)):
        validate_value(TEXTS[name], value, config.RAISE)
        if name == "PatientSex":
            assert value in ("M", "F", "O", "")
        if name in ("PatientBirthDate", "StudyDate"):
            pydicom.valuerep.DA(value)
    assert note in (
        "",
        f"The DICOM segmentation has {name} written in the form that DICOM asks for.",
        f"The DICOM segmentation has {name} left empty, because DICOM does not allow what the series has.",
    )


def _values(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, (list, pydicom.multival.MultiValue)) else [str(value)]


def test_a_whole_header_in_order_brings_no_note(plain_series: Path, tmp_path: Path) -> None:
    card = ModelCard.from_json(make_card())
    assert DicomSegWriter(tmp_path / "out.dcm", card, plain_series).note == ""


def test_a_series_that_highdicom_refuses_for_any_reason_names_no_value(
    plain_series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import highdicom

    def refuse(*_arguments: object, **_options: object) -> None:
        raise ValueError("Value of PatientName is 'Doe^Jane', which is wrong.")

    monkeypatch.setattr(highdicom.seg, "Segmentation", refuse)
    with pytest.raises(InputImageError, match="its PatientName is missing or not as DICOM asks for") as caught:
        DicomSegWriter(tmp_path / "out.dcm", ModelCard.from_json(make_card()), plain_series)
    assert "Doe" not in str(caught.value) and caught.value.__cause__ is None
