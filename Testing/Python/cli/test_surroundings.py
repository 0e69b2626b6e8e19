"""Accounts without a home, places that cannot be read or written, long names, closed streams: one sentence or done."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import SimpleITK as sitk
from hostile_surroundings import PROGRAM, as_somebody, environment, is_one_sentence, leftovers, run, with_closed_streams
from patience import limit
from volumes_on_disk import dicom_series, plain_volume

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import ModelPackageError, OutputError
from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.finetuning.job.description import JobDescription
from LightMedSegLib.finetuning.job.folders import jobs_folder
from LightMedSegLib.model import package as model_package
from LightMedSegLib.model.package import export_zip, load_model

only_posix = pytest.mark.skipif(os.name == "nt", reason="file permissions of POSIX")


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that is in no list, as containers have: Python finds no home folder."""
    for name in ("LIGHTMEDSEG_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)

    def homeless(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    monkeypatch.setattr(Path, "home", lambda: homeless(Path()))


@pytest.fixture
def public(scan: Path, package: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder that any account of the computer may use, unlike pytest's own; it holds scan.nii.gz and model."""
    assert main(["segment", str(scan), str(tmp_path / "first.nii.gz"), "--model", str(package), "--threads", "1"]) == 0
    folder = Path(tempfile.mkdtemp(prefix="lightmedseg-test-"))
    folder.chmod(0o777)
    shutil.copy(scan, folder / "scan.nii.gz")
    shutil.copytree(package, folder / "model")
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o777)
    shutil.rmtree(folder)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_there_are_no_models_of_the_user_s_and_segmenting_works(
    scan: Path, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["models"], ["models", "list"], ["models", "verify"], ["cases"]):
        assert main(words) == 0
    assert main(["segment", str(scan), str(tmp_path / "out.nii.gz"), "--model", str(package)]) == 0
    assert (tmp_path / "out.nii.gz").exists()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_what_must_be_kept_there_is_refused_with_the_way_out(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "import", str(package)]) == 2
    told = capsys.readouterr().err
    assert is_one_sentence(told)
    assert "this account has no home folder; set LIGHTMEDSEG_HOME" in told
    assert not user_data_folder().exists()


@only_posix
def test_a_home_of_another_s_is_as_good_as_none(public: Path) -> None:
    (public / "home").mkdir(mode=0o700)
    (public / "home" / ".local").mkdir()
    if os.geteuid() != 0:
        (public / "home").chmod(0)
    told = as_somebody(["models"], public, public / "home")
    assert (told.returncode, told.stderr) == (0, "")
    words = ["segment", "scan.nii.gz", "out.nii.gz", "--model", "./model", "--threads", "1"]
    told = as_somebody(words, public, public / "home")
    assert (told.returncode, told.stderr) == (0, "")
    told = as_somebody(["models", "import", "model"], public, public / "home")
    assert told.returncode == 2 and is_one_sentence(told.stderr), told.stderr
    told = as_somebody(["cases"], public, public / "home")
    assert told.returncode == 2 and is_one_sentence(told.stderr), told.stderr


@pytest.mark.parametrize("variable", ["LIGHTMEDSEG_HOME", "HOME"])
def test_a_tilde_that_is_nobody_s_home_is_a_plain_name(
    variable: str, scan: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "~nobody-of-that-name")
    words = ["segment", str(scan), "~nobody-of-that-name/out.nii.gz", "--model", str(package)]
    assert main(words) == 2
    assert is_one_sentence(told := capsys.readouterr().err) and "does not exist" in told
    (tmp_path / "~nobody-of-that-name").mkdir()
    assert main(words) == 0


@only_posix
@pytest.mark.parametrize("what", ["lost+found", "a patient"])
def test_the_scans_beside_an_unreadable_folder_are_segmented(public: Path, what: str) -> None:
    drive = public / "drive"
    (drive / what).mkdir(parents=True)
    shutil.copy(public / "scan.nii.gz", drive)
    (drive / what).chmod(0o700 if os.geteuid() == 0 else 0)
    told = as_somebody(["segment", "drive", "out", "--model", "./model", "--threads", "1"], public, public)
    assert "scan.nii.gz: segmented" in told.stdout
    assert [path.name for path in (public / "out").iterdir()] == ["scan.nii.gz"]
    if what == "lost+found":
        assert (told.returncode, told.stderr) == (0, "")
    else:
        assert told.returncode == 2 and is_one_sentence(told.stderr)
        assert "a patient.nii.gz: failed: a patient cannot be read (Permission denied)" in told.stdout


@only_posix
@pytest.mark.parametrize("what", ["folder", "file in it", "slice", "file", "output folder", "report"])
def test_what_may_not_be_read_or_written_is_named_in_one_sentence(public: Path, what: str) -> None:
    closed = public / "closed"
    dicom_series(closed)
    inputs = {"folder": "closed", "file in it": "closed/x.nii.gz", "slice": "closed", "file": "scan.nii.gz"}
    output = "closed/out.nii.gz" if what == "output folder" else "out.nii.gz"
    words = ["segment", inputs.get(what, "scan.nii.gz"), output, "--model", "./model", "--threads", "1"]
    words += ["--json", "closed/report.json"] if what == "report" else []
    shut = {"slice": sorted(closed.iterdir())[-1], "file": public / "scan.nii.gz"}.get(what, closed)
    shut.chmod(0)
    told = as_somebody(words, public, public)
    assert told.returncode == 2 and told.stdout == "", told.stderr
    assert is_one_sentence(told.stderr), told.stderr
    assert shut.name in told.stderr and ("ermission" in told.stderr)
    assert not (public / "out.nii.gz").exists()


@only_posix
def test_a_folder_for_results_that_cannot_be_written_is_refused_once(public: Path) -> None:
    for name in ("a", "b"):
        (public / "scans").mkdir(exist_ok=True)
        shutil.copy(public / "scan.nii.gz", public / "scans" / f"{name}.nii.gz")
    (public / "out").mkdir(mode=0o755 if os.geteuid() == 0 else 0o555)
    told = as_somebody(["segment", "scans", "out", "--model", "./model"], public, public)
    assert told.returncode == 2 and told.stdout == "" and is_one_sentence(told.stderr)


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".mha", ".with a dot and a long last part.nii"])
@pytest.mark.parametrize("length", [200, 222, 223, 238, 239, 240, 255, 256, 259, 300, 5000])
def test_a_name_of_any_length_is_written_or_refused_in_one_sentence(
    scan: Path, package: Path, no_leftovers: Path, capsys: pytest.CaptureFixture[str], suffix: str, length: int
) -> None:
    output = no_leftovers / ("p" * (length - len(suffix)) + suffix)
    code = main(["segment", str(scan), str(output), "--model", str(package), "--threads", "1"])
    if length <= 255:
        assert code == 0 and output.exists()
    else:
        assert code == 2
        assert is_one_sentence(told := capsys.readouterr().err) and "its name is too long for the disk" in told


@pytest.mark.parametrize("option", ["--json", "--montage", "INPUT", "FOLDER", "IN A FOLDER"])
def test_a_long_name_anywhere_is_refused_in_one_sentence(
    scan: Path, package: Path, no_leftovers: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    long = "p" * 300
    words = {
        "--json": [str(scan), "out.nii.gz", "--json", f"{long}.json"],
        "--montage": [str(scan), "out.nii.gz", "--montage", f"{long}.png"],
        "INPUT": [f"{long}.nii.gz", "out.nii.gz"],
        "FOLDER": [str(scan.parent), long],
        "IN A FOLDER": [str(scan), f"{long}/out.nii.gz"],
    }[option]
    assert main(["segment", *words, "--model", str(package)]) == 2
    assert is_one_sentence(capsys.readouterr().err)


def test_a_scan_whose_result_would_have_a_name_too_long_does_not_stop_the_others(
    scan: Path, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scans").mkdir()
    sitk.WriteImage(plain_volume(), str(tmp_path / "scans" / "x.nii"))
    shutil.copy(tmp_path / "scans" / "x.nii", tmp_path / "scans" / ("p" * 251 + ".nii"))
    words = ["segment", str(tmp_path / "scans"), str(tmp_path / "out"), "--model", str(package), "--threads", "1"]
    assert main(words) == 2
    printed = capsys.readouterr()
    assert "p.nii.gz: failed: " in printed.out and "x.nii.gz: segmented" in printed.out
    assert is_one_sentence(printed.err)


def test_no_place_for_temporary_files_is_said_where_one_is_needed(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = export_zip(load_model(package), tmp_path / "model.zip")

    def nowhere(**_options: object) -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(model_package.tempfile, "mkdtemp", nowhere)
    with pytest.raises(ModelPackageError, match=r"no temporary folder can be made .*; set TMPDIR to a folder"):
        load_model(archive)


@pytest.mark.parametrize(
    "problem",
    [
        PermissionError(errno.EACCES, "Permission denied", "/some/where"),
        OSError(errno.EIO, "Input/output error", b"/some/where"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("something"),
    ],
    ids=repr,
)
def test_what_the_system_refuses_anywhere_is_one_sentence(
    problem: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing() -> None:
        raise problem

    monkeypatch.setattr("LightMedSegLib.cli.models.ModelStore", failing)
    assert main(["models"]) == 2
    assert is_one_sentence(told := capsys.readouterr().err)
    assert ("/some/where" in told) == bool(problem.filename)


@only_posix
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (1, 2)], ids=str)
def test_closed_streams_are_no_trouble_and_nothing_is_printed_into_a_file(
    closed: tuple[int, ...], scan: Path, package: Path, tmp_path: Path
) -> None:
    words = ["segment", str(scan), "out.nii.gz", "--json", "out.json", "--model", str(package), "--threads", "1"]
    done = with_closed_streams(words, tmp_path, closed)
    assert done.returncode == 0, done.stderr
    assert_whole(tmp_path)
    assert with_closed_streams(["segment", "nothing.nii", "out.nii"], tmp_path, closed).returncode == 2


@only_posix
def test_a_process_that_is_started_with_all_streams_closed_does_the_same(
    scan: Path, package: Path, tmp_path: Path
) -> None:
    words = ["segment", str(scan), "out.nii.gz", "--json", "out.json", "--model", str(package), "--threads", "1"]
    assert run(words, tmp_path, "<&- >&- 2>&-").returncode == 0
    assert_whole(tmp_path)
    assert run(["segment", "nothing.nii", "out.nii"], tmp_path, "<&- >&- 2>&-").returncode == 2


def assert_whole(folder: Path) -> None:
    """The labelmap and the report in folder have nothing of another's in them."""
    assert sitk.ReadImage(str(folder / "out.nii.gz")).GetSize() == (20, 18, 16)
    assert (folder / "out.json").read_text().startswith("{")


@only_posix
@pytest.mark.parametrize(
    "words", [["models"], ["--help"], ["models", "show", "hippocampus-t1-mr", "--json"]], ids=" ".join
)
def test_a_reader_that_goes_away_is_a_silent_end(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '{ "$@"; echo "code $?" >&2; } | true', "sh", *PROGRAM, *words],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=limit(60),
        check=True,
    )
    assert done.stderr == "code 141\n"


@only_posix
def test_a_reader_that_goes_away_leaves_a_folder_run_in_order(scan: Path, package: Path, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for name in "ab":
        shutil.copy(scan, tmp_path / "scans" / f"{name}.nii.gz")
    words = ["segment", "scans", "out", "--model", str(package), "--threads", "1"]
    done = run(words, tmp_path, "2>&1 | true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not leftovers(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_behind_standard_output_is_one_sentence(tmp_path: Path) -> None:
    done = run(["models"], tmp_path, "> /dev/full")
    assert done.returncode == 2
    assert done.stderr == "lightmedseg: Standard output cannot be written: No space left on device.\n"


@only_posix
def test_a_folder_that_was_deleted_under_the_program_is_one_sentence(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *PROGRAM, "models"]
    done = subprocess.run(
        command, cwd=gone, env=environment(), capture_output=True, text=True, timeout=limit(60), check=False
    )
    assert done.returncode == 2
    assert done.stderr == "lightmedseg: The current folder does not exist any more; change to another one.\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX only")
def test_a_process_forked_after_a_run_segments_instead_of_hanging(scan: Path, package: Path, tmp_path: Path) -> None:
    program = tmp_path / "forking.py"
    program.write_text(
        "import os, sys, SimpleITK\n"
        "from LightMedSegLib import segment\n"
        "scan, package = SimpleITK.ReadImage(sys.argv[1]), sys.argv[2]\n"
        "first = segment(scan, package, 'cpu')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    again = segment(scan, package, 'cpu')\n"
        "    same = bytes(SimpleITK.GetArrayViewFromImage(again.labelmap)) == "
        "bytes(SimpleITK.GetArrayViewFromImage(first.labelmap))\n"
        "    os._exit(0 if same and 'forked' in again.notes[-1] else 1)\n"
        "code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "sys.exit(code or bool(segment(scan, package, 'cpu').notes))\n"
    )
    words = [str(scan), str(package)]
    done = run(words, tmp_path, program=(sys.executable, str(program)), OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_a_job_of_the_panel_is_refused_in_words() -> None:
    description = JobDescription(model="test-model@1.0.0")
    with pytest.raises(OutputError, match="this account has no home folder; set LIGHTMEDSEG_HOME"):
        description.write(jobs_folder() / "test-model@1.0.0")
