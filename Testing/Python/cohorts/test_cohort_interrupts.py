"""Ctrl+C in a terminal, which every process of the command receives: one line, whole files, and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from hostile_surroundings import PROGRAM, environment
from paths import REPOSITORY
from patience import Patience, limit
from process_group import members
from volumes_on_disk import plain_volume

from LightMedSegLib.cohorts.task import ScanTask

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks into /proc")]

SCANS = 40


def begun(package: Path, folder: Path) -> subprocess.Popen[str]:
    """A command with two workers in a session of its own, which has told its first result."""
    (folder / "scans").mkdir()
    for number in range(SCANS):
        sitk.WriteImage(plain_volume((48, 48, 48)), str(folder / "scans" / f"{number:02d}.nii.gz"))
    words = ["--model", str(package), "--jobs", "2", "--device", "cpu", "--log-file", str(folder / "run.log")]
    process = subprocess.Popen(
        [*PROGRAM, "segment", str(folder / "scans"), str(folder / "results"), *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    while ": segmented" not in process.stdout.readline():
        assert process.poll() is None, process.communicate()
    return process


def test_an_interrupt_ends_all_processes_and_leaves_whole_files(package: Path, no_leftovers: Path) -> None:
    process = begun(package, no_leftovers)
    results, log = no_leftovers / "results", no_leftovers / "run.log"
    assert len(members(process.pid)) >= 3
    os.killpg(process.pid, signal.SIGINT)
    out, told = process.communicate(timeout=limit(30))
    assert process.returncode == 130
    assert told == ("lightmedseg: Interrupted: finished results stay, and the same command goes on with the rest.\n")
    patience = Patience(10, "the end of all processes")
    while members(process.pid):
        patience.check()
    whole = list(results.iterdir())
    assert 0 < len(whole) < SCANS
    # The interrupt may come after a result is written and before its line is printed; the log has it all the same.
    assert len(whole) - (out.count(": segmented") + 1) in (0, 1)
    assert {sitk.ReadImage(str(path)).GetSize() for path in whole} == {(48, 48, 48)}
    assert f"{len(whole)} segmented, {SCANS - len(whole)} not started" in log.read_text().splitlines()[-1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere workers are new interpreters")
def test_the_command_leaves_pytorch_to_its_workers(tasks: list[ScanTask], package: Path) -> None:
    """It can be interrupted at once then, and what it does not load, it does not wait for."""
    task = tasks[0]
    words = ["segment", str(task.scan.images[0].parent), str(task.output), "--model", str(package), "--jobs", "2"]
    code = "import sys; from LightMedSegLib.cli import main; print(main(sys.argv[1:]), 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment(), capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.stdout.splitlines()[-1] == "2 False", done
    assert done.stdout.count(": segmented") == 3


def test_workers_end_when_the_command_is_killed(package: Path, tmp_path: Path) -> None:
    process = begun(package, tmp_path)
    process.kill()
    process.communicate()
    patience = Patience(30, "the end of the workers")
    while members(process.pid):
        patience.check()
