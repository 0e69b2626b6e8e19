"""Names by position or option, quiet commands, standard output for programs, permissions of files."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from pathlib import Path

import pytest
import SimpleITK as sitk

from LightMedSegLib.cli import main
from LightMedSegLib.cli.printing.volume_tables import write_cohort_volumes


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with which cannot be understood."""
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    return printed.err


def test_input_and_output_are_given_by_position_or_option(scan: Path, installed: str, tmp_path: Path) -> None:
    for number, words in enumerate((["-i", "SCAN", "--output=OUT"], ["-oOUT", "SCAN"])):
        output = tmp_path / f"{number}.nii.gz"
        given = [word.replace("SCAN", str(scan)).replace("OUT", str(output)) for word in words]
        assert main(["segment", *given, "--threads", "1", "-q"]) == 0
        assert output.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("segment a.nii b.nii -o c.nii", "OUTPUT is given with -o, so only one INPUT can be given by its position"),
        ("segment a.nii -i b.nii -o c.nii", "unrecognized arguments: a.nii; you give INPUT with -i and OUTPUT with -o"),
        ("segment -i a.nii b.nii", "required: OUTPUT; give OUTPUT with -o"),
        ("bids DATA OUT participant -o OTHER", "you give OUTPUT_DIR with -o, so not by position too"),
        ("bids -i DATA -o OUT", "required: level"),
        ("export a-model b.onnx -o c.onnx", "unrecognized arguments: b.onnx; you give OUTPUT with -o"),
    ],
)
def test_both_forms_at_once_are_refused(words: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reason in refused(words.split(), capsys)


def test_a_quiet_command_prints_warnings_only(
    scan: Path, installed: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "out.nii.gz")
    assert main(["segment", str(scan), output, "--threads", "1"]) == 0
    warnings = [line for line in capfd.readouterr().out.splitlines() if line.startswith("Warning: ")]
    assert main(["segment", str(scan), output, "--threads", "1", "--quiet"]) == 0
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err.splitlines() == warnings


def test_a_quiet_folder_names_what_failed(
    scan: Path, installed: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scan.with_name("damaged.nii.gz").write_bytes(b"no volume")
    assert main(["segment", str(scan.parent), str(tmp_path / "results"), "--threads", "1", "-q"]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    failed, *more = [line for line in printed.err.splitlines() if "arning" not in line]
    assert failed.startswith("damaged.nii.gz: failed: ")
    assert more == ["lightmedseg: 1 of 2 scans could not be segmented; the lines above say why."]


def test_json_and_csv_go_to_standard_output_and_tables_to_standard_error(
    scan: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["segment", str(scan), str(tmp_path / "out.nii.gz"), "--threads", "1"]
    assert main([*words, "--json", "-", "--csv", str(tmp_path / "volumes.csv")]) == 0
    printed = capsys.readouterr()
    segments = json.loads(printed.out)["segments"]
    assert "Volume (ml)" in printed.err
    assert main([*words, "--csv", "-", "-q"]) == 0
    table = capsys.readouterr().out
    assert table == (tmp_path / "volumes.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["label"], int(row["voxels"])) for row in rows] == [(one["name"], one["voxels"]) for one in segments]
    assert [float(row["volume_ml"]) for row in rows] == pytest.approx([one["ml"] for one in segments])
    reason = refused([*words, "--json", "-", "--csv", "-"], capsys)
    assert "--json and --csv cannot both go to standard output" in reason


def test_figures_of_an_evaluation_go_to_standard_output(
    labelmap: sitk.Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        sitk.WriteImage(labelmap, str(tmp_path / folder / "case.nii.gz"))
    for name in ("", "case.nii.gz"):
        words = ["evaluate", str(tmp_path / "one" / name), str(tmp_path / "other" / name), "--csv", "-"]
        assert main(words) == 0
        printed = capsys.readouterr()
        assert next(csv.DictReader(io.StringIO(printed.out)))["dice"] == "1.00000" and "Dice" in printed.err
        assert main([*words[:-2], "--quiet"]) == 0
        assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_all_files_of_a_result_have_the_permissions_of_new_files(scan: Path, installed: str, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        words = ["--montage", "r.png", "--json", "r.json", "--csv", "r.csv", "--threads", "1", "-q"]
        words = [str(tmp_path / word) if word.startswith("r.") else word for word in words]
        assert main(["segment", str(scan), str(tmp_path / "r.seg.nrrd"), *words]) == 0
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("r.*")}
    assert len(modes) == 4 and set(modes.values()) == {0o640}, modes


def test_a_table_has_the_expected_dice_where_it_was_asked_for(tmp_path: Path) -> None:
    segment = {"value": 1, "name": "One, the first", "voxels": 1500, "ml": 1.5}
    scans = {"old": [segment], "new": [{**segment, "expected_dice": 0.91234}], "empty": []}
    write_cohort_volumes(tmp_path / "all.csv", scans)
    assert (tmp_path / "all.csv").read_text().splitlines() == [
        "case,label,voxels,volume_ml,expected_dice",
        'old,"One, the first",1500,1.5,',
        'new,"One, the first",1500,1.5,0.9123',
    ]
