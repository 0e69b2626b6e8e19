"""Texts and names as they come: any encoding, any table, any file name, any console, any country."""

from __future__ import annotations

import contextlib
import io
import json
import locale
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import REPOSITORY
from patience import limit
from volumes_on_disk import dicom_series, plain_volume

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import InputImageError, OutputError, TrainingDataError
from LightMedSegLib.io.cases.dataset_description import declared_channels, declared_labels
from LightMedSegLib.io.datasets import find_cases
from LightMedSegLib.io.labelmaps.reading import read_labelmap
from LightMedSegLib.io.segmentation_files import write_segmentation
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.storage.csv_table import read_table
from LightMedSegLib.storage.text_files import decode_text

UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
NAMES = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)


@settings(max_examples=150, deadline=None)
@given(
    separator=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from([*UNICODE, "cp1252"]),
    blanks=st.tuples(st.sampled_from(["", " "]), st.sampled_from(["", "  "])),
    declared=st.booleans(),
    quoted=st.booleans(),
    columns=st.permutations(["case", "image", "labelmap", "labelled"]),
    rows=st.lists(st.tuples(NAMES, NAMES, NAMES, st.sampled_from(["", "1", "1 2"])), min_size=1, max_size=4),
    empty_rows=st.booleans(),
    upper=st.booleans(),
)
def test_a_table_is_read_however_a_spreadsheet_saves_it(
    separator: str,
    line_end: str,
    encoding: str,
    blanks: tuple[str, str],
    declared: bool,
    quoted: bool,
    columns: list[str],
    rows: list[tuple[str, str, str, str]],
    empty_rows: bool,
    upper: bool,
) -> None:
    if encoding == "cp1252":
        rows = [tuple(text.encode("cp1252", "replace").decode("cp1252") for text in row) for row in rows]
    quoted = quoted or any(mark in text for row in rows for text in row for mark in '"' + separator)

    def written(text: str) -> str:
        inner = '"' + text.replace('"', '""') + '"' if quoted else text
        return blanks[0] + inner + blanks[1]

    wanted = [dict(zip(["case", "image", "labelmap", "labelled"], row, strict=True)) for row in rows]
    table = [
        [name.upper() if upper else name for name in columns],
        *([row[name] for name in columns] for row in wanted),
    ]
    lines = [separator.join(map(written, row)) for row in table]
    if empty_rows:
        lines[1:1] = ["", separator * 3]
    if declared:
        lines.insert(0, f"sep={separator}")
    content = (line_end.join(lines) + line_end).encode(encoding)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cases.csv").write_bytes(content)
        found = read_table(Path(folder) / "cases.csv", columns)
    # cp1252 text may happen to be UTF-8 as well, and then is.
    if encoding != "cp1252" or decode_text(content, older=True) == content.decode("cp1252"):
        assert [row for _, row in found] == wanted


def test_a_row_with_more_values_than_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("case,image,labelmap\na,i.nii.gz,l.nii.gz,more\n")
    with pytest.raises(TrainingDataError, match=r"cases\.csv cannot be read: line 2 has more values than columns"):
        find_cases(tmp_path / "cases.csv", "csv", 1)
    (tmp_path / "cases.csv").write_text("name,image\na,i.nii.gz\n")
    with pytest.raises(TrainingDataError, match="has no column 'case' in its first line; it has 'name', 'image'"):
        find_cases(tmp_path / "cases.csv", "csv", 1)


@pytest.mark.parametrize("spelling", ["sub\\{}", ".\\sub\\{}", "sub/{}"])
@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_paths_of_another_system_are_found(tmp_path: Path, spelling: str, forms: tuple[str, str]) -> None:
    (tmp_path / "sub").mkdir()
    on_disk, in_list = (unicodedata.normalize(form, "Müller.nii.gz") for form in forms)
    (tmp_path / "sub" / on_disk).touch()
    row = f"a,{spelling.format(in_list)},{spelling.format(in_list)}"
    (tmp_path / "cases.csv").write_text(f"case,image,labelmap\n{row}\n", encoding="utf-8")
    (case,) = find_cases(tmp_path / "cases.csv", "csv", 1)
    assert case.labelmap.samefile(tmp_path / "sub" / on_disk)


def test_image_and_labelmap_belong_together_however_their_accents_are_encoded(tmp_path: Path) -> None:
    for part, form in (("images", "NFC"), ("labels", "NFD")):
        (tmp_path / part).mkdir()
        (tmp_path / part / f"{unicodedata.normalize(form, 'Zoë')}.nii.gz").touch()
    assert [case.name for case in find_cases(tmp_path, "decathlon", 1)] == ["Zoë"]


@pytest.mark.parametrize(
    ("images", "labels", "reason"),
    [
        (["a.nii.gz", "a.nrrd"], ["a.nii.gz"], r"two files for the case 'a', a\.nii\.gz and a\.nrrd"),
        (["a.nii.gz"], ["a.nii.gz", "a.seg.nrrd"], r"two files for the case 'a', a\.nii\.gz and a\.seg\.nrrd"),
        (["a.nii.gz", "a_0000.nii.gz"], ["a.nii.gz"], r"two images, a\.nii\.gz and a_0000\.nii\.gz"),
        (["a_0000.nii.gz"], ["a.nii.gz", "a_0000.nii.gz"], r"a\.nii\.gz and a_0000\.nii\.gz would both belong to"),
    ],
)
def test_two_files_for_one_case_are_refused_by_name(
    tmp_path: Path, images: list[str], labels: list[str], reason: str
) -> None:
    for part, names in (("images", images), ("labels", labels)):
        (tmp_path / part).mkdir()
        for name in names:
            (tmp_path / part / name).touch()
    with pytest.raises(TrainingDataError, match=reason):
        find_cases(tmp_path, "decathlon", 1)


@settings(max_examples=60, deadline=None)
@given(encoding=st.sampled_from(UNICODE), names=st.lists(NAMES, max_size=4, unique=True))
def test_a_dataset_description_is_read_in_every_unicode_encoding(encoding: str, names: list[str]) -> None:
    labels = {f"part {number}{name}": number for number, name in enumerate(names, start=1)}
    content = {"labels": labels, "channel_names": {"0": "CT"}}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dataset.json").write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
        assert declared_labels(Path(folder)) == labels
        assert declared_channels(Path(folder)) == 1


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"a": 1.7}, "a name with a whole number"),
        ({"a": True}, "a name with a whole number"),
        ({"a": 1, "b": 1}, "contradicts itself: 'a' has the value 1, 'b' the value 1"),
        ({"Left kidney": 1, "left-kidney": 2}, "contradicts itself"),
        ({"1": "liver", "2": "liver"}, "contradicts itself"),
    ],
)
def test_a_dataset_description_that_contradicts_itself_is_refused(tmp_path: Path, labels: object, reason: str) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    with pytest.raises(InputImageError, match=reason):
        declared_labels(tmp_path)
    (tmp_path / "dataset.json").write_bytes("{'labels': 'Müller'".encode("cp1252"))
    with pytest.raises(InputImageError, match="it is not UTF-8 text"):
        declared_labels(tmp_path)


LATIN_1 = os.fsdecode(b"M\xfcller.nii.gz")


@pytest.fixture
def latin_1(tmp_path: Path) -> Path:
    """A folder of three scans, one of them with a name that is not UTF-8."""
    scans = tmp_path / "scans"
    scans.mkdir()
    sitk.WriteImage(plain_volume(), str(scans / "a.nii.gz"))
    try:
        shutil.copy(scans / "a.nii.gz", scans / LATIN_1)
    except OSError:
        pytest.skip("this file system knows UTF-8 names only")
    shutil.copy(scans / "a.nii.gz", scans / "z.nii.gz")
    return scans


@pytest.mark.usefixtures("nothing_shipped")
def test_a_scan_whose_name_is_no_text_fails_in_words_and_the_others_are_segmented(
    latin_1: Path, installed: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert main(["segment", str(latin_1), str(tmp_path / "results"), "--json", str(report)]) == 2
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["a.nii.gz", "z.nii.gz"]
    assert (
        "M\\udcfcller.nii.gz: failed: M\\udcfcller.nii.gz has a name or a folder in its path that is not UTF-8"
        in capfd.readouterr().out
    )
    assert "M\\udcfcller.nii.gz" in [row["file"] for row in json.loads(report.read_text())["scans"]]


@pytest.mark.usefixtures("nothing_shipped")
def test_a_result_may_have_a_name_that_is_no_text_but_not_a_folder(
    latin_1: Path, installed: str, tmp_path: Path, labelmap: sitk.Image
) -> None:
    assert main(["segment", str(latin_1 / "a.nii.gz"), str(tmp_path / LATIN_1)]) == 0
    assert (tmp_path / LATIN_1).is_file()
    folder = tmp_path / LATIN_1.removesuffix(".nii.gz")
    folder.mkdir()
    with pytest.raises(OutputError, match="not UTF-8 text; rename it"):
        write_segmentation(folder / "result.nii.gz", labelmap, [])
    dicom_series(tmp_path / "series").rename(folder / "series")
    for scan in (folder / "series", latin_1 / LATIN_1):
        with pytest.raises(InputImageError, match="not UTF-8 text; rename it"):
            read_volume(scan)


def test_dicom_slices_with_names_that_are_no_text_are_refused_in_words(tmp_path: Path) -> None:
    series = dicom_series(tmp_path / "series")
    slices = sorted(series.iterdir())
    try:
        slices[2].rename(series / os.fsdecode(b"M\xfcller.dcm"))
    except OSError:
        pytest.skip("this file system knows UTF-8 names only")
    with pytest.raises(InputImageError, match=r"ller\.dcm has a name or a folder in its path that is not UTF-8 text"):
        read_volume(series)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8", "latin-1", "cp437"])
def test_names_that_the_console_lacks_are_shown_as_escapes(encoding: str) -> None:
    program = (
        "import sys; from LightMedSegLib.core.console import print_every_character as p; p(); "
        "print('Łukasz 山田 \\udcfc'); print('Łukasz 山田 \\udcfc', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(REPOSITORY)},
        timeout=limit(60),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for stream in (done.stdout, done.stderr):
        text = stream.decode(encoding)
        assert text.strip() == "Łukasz 山田 \\udcfc".encode(encoding, "backslashreplace").decode(encoding)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_goes_on_where_the_console_lacks_a_name(
    installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scans").mkdir()
    for name in ("Łukasz", "山田", "zz"):
        sitk.WriteImage(plain_volume(), str(tmp_path / "scans" / f"{name}.nii.gz"))
    console = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", console)
    report = tmp_path / "report.json"
    assert main(["segment", str(tmp_path / "scans"), str(tmp_path / "results"), "--json", str(report)]) == 0
    assert len(json.loads(report.read_text())["scans"]) == 3
    console.flush()
    assert b"\\u5c71\\u7530.nii.gz: segmented" in console.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def comma_locale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A locale with decimal commas, of the system or made here."""
    own, before = tmp_path_factory.mktemp("locales"), locale.setlocale(locale.LC_NUMERIC)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("de_DE.UTF-8", "German_Germany.1252", "xx_XX.UTF-8"):
            if name.startswith("xx") and shutil.which("localedef"):
                command = ["localedef", "-c", "-i", "de_DE", "-f", "UTF-8", str(own / name)]
                subprocess.run(command, capture_output=True, timeout=limit(60), check=False)
                patch.setenv("LOCPATH", str(own))
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_NUMERIC, name)
                locale.setlocale(locale.LC_NUMERIC, before)
                yield name
                return
    pytest.skip("this system has no locale with decimal commas")


@pytest.fixture
def decimal_comma(comma_locale: str) -> Iterator[str]:
    """The numbers of a country with decimal commas, in this process."""
    before = locale.setlocale(locale.LC_NUMERIC)
    yield locale.setlocale(locale.LC_NUMERIC, comma_locale)
    locale.setlocale(locale.LC_NUMERIC, before)


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz", ".mha", ".seg.nrrd"])
def test_numbers_of_files_are_the_same_in_a_country_with_decimal_commas(
    decimal_comma: str, tmp_path: Path, volume: sitk.Image, labelmap: sitk.Image, ending: str
) -> None:
    locale.setlocale(locale.LC_NUMERIC, "C")
    sitk.WriteImage(volume, str(tmp_path / f"scan{ending}"))
    locale.setlocale(locale.LC_NUMERIC, decimal_comma)
    found = read_volume(tmp_path / f"scan{ending}")
    write_segmentation(tmp_path / f"labels{ending}", labelmap, [])
    again = read_labelmap(tmp_path / f"labels{ending}").image
    assert locale.setlocale(locale.LC_NUMERIC) == decimal_comma
    locale.setlocale(locale.LC_NUMERIC, "C")
    for image in (found, again, sitk.ReadImage(str(tmp_path / f"labels{ending}"))):
        np.testing.assert_allclose(image.GetSpacing(), volume.GetSpacing(), rtol=1e-6)
        np.testing.assert_allclose(image.GetOrigin(), volume.GetOrigin(), rtol=1e-6)
        np.testing.assert_allclose(image.GetDirection(), volume.GetDirection(), atol=1e-6)
