"""Ctrl+C and requests to end, at any moment: exit code 130, one line at most, and nothing half written."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import SimpleITK as sitk
from hostile_surroundings import environment, is_one_sentence, leftovers
from patience import Patience, limit

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

AT_EVENT = """
import os, runpy, signal, sys
kind, what, number = sys.argv[1].split("|")
seen = []
def hook(event, arguments):
    if event == kind and what in str(arguments[0]) and not seen:
        seen.append(1)
        os.kill(os.getpid(), int(number))
sys.addaudithook(hook)
sys.argv = ["lightmedseg", *sys.argv[2:]]
runpy.run_module("LightMedSegLib", run_name="__main__", alter_sys=True)
"""
"""Runs the program, and sends it a signal the first time that Python's audit names kind and what."""

READY = """
import runpy, sys
def hook(event, arguments):
    if event == "import" and arguments[0] == "LightMedSegLib.cli":
        print("ready", flush=True)
sys.addaudithook(hook)
sys.argv = ["lightmedseg", *sys.argv[1:]]
runpy.run_module("LightMedSegLib", run_name="__main__", alter_sys=True)
"""
"""Runs the program, and says on standard output when the interpreter has begun with it."""


def start(program: str, words: list[str], folder: Path) -> subprocess.Popen[str]:
    """The program as a terminal starts it: Ctrl+C is not ignored, even where the tests run in the background."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_deaf_no_more,
    )


def _deaf_no_more() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def words(scan: Path, package: Path) -> list[str]:
    return ["segment", str(scan), "out.nii.gz", "--json", "out.json", "--model", str(package), "--threads", "1"]


IMPORTS = ("argparse", "LightMedSegLib.cli", "numpy", "numpy.linalg", "SimpleITK", "SimpleITK._SimpleITK",
           "LightMedSegLib.model.package")  # fmt: skip
LATER_IMPORTS = ("torch", "LightMedSegLib.inference.engine", "LightMedSegLib.inference.postprocessing")


@pytest.mark.parametrize(
    "moment",
    [
        *(f"import|{name}" for name in IMPORTS),
        *(pytest.param(f"import|{name}", marks=pytest.mark.slow) for name in LATER_IMPORTS),
        "import|torch._C",
        "open|weights.safetensors",
        "open|scan.nii.gz",
        "open|.lightmedseg-tmp-",
        "os.rename|.lightmedseg-tmp-",
    ],
)
def test_an_interrupt_at_any_import_and_any_file_ends_in_order(
    moment: str, scan: Path, package: Path, no_leftovers: Path
) -> None:
    process = start(AT_EVENT, [f"{moment}|{int(signal.SIGINT)}", *words(scan, package)], no_leftovers)
    out, told = process.communicate(timeout=limit(120))
    assert process.returncode == 130, told
    assert told == "lightmedseg: interrupted; no file is half written.\n"
    assert out == ""
    assert not (no_leftovers / "out.nii.gz").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_request_to_end_is_an_interrupt_with_its_own_code(
    name: str, scan: Path, package: Path, no_leftovers: Path
) -> None:
    number = getattr(signal, name)
    process = start(AT_EVENT, [f"open|.lightmedseg-tmp-|{int(number)}", *words(scan, package)], no_leftovers)
    told = process.communicate(timeout=limit(120))[1]
    assert process.returncode == 128 + number
    assert is_one_sentence(told)


@pytest.mark.slow
def test_an_interrupt_at_random_moments_leaves_a_whole_result_or_none(
    scan: Path, package: Path, no_leftovers: Path
) -> None:
    output = no_leftovers / "out.nii.gz"
    began = time.monotonic()
    process = start(READY, words(scan, package), no_leftovers)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    began = time.monotonic()
    assert "Structure 1" in process.communicate(timeout=limit(120))[0]
    whole = time.monotonic() - began
    moments = random.Random(0)
    codes = []
    for part in range(3):
        for path in (output, no_leftovers / "out.json"):
            path.unlink(missing_ok=True)
        process = start(READY, words(scan, package), no_leftovers)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(whole * (part + moments.random()) / 3)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=limit(60))[1]
        codes.append(process.returncode)
        assert process.returncode in (0, 130), told
        assert told == "" or (process.returncode == 130 and is_one_sentence(told)), told
        assert not leftovers(no_leftovers)
        if output.exists():
            assert sitk.ReadImage(str(output)).GetSize() == (20, 18, 16)
        else:
            assert process.returncode == 130
    assert 130 in codes


def test_an_interrupt_where_python_swallows_it_comes_again(no_leftovers: Path) -> None:
    """In a destructor Python prints the exception and goes on."""
    program = (
        "import os, signal, time\n"
        "from LightMedSegLib.core.process import interruption\n"
        "interruption.end_at_once(); interruption.unwind()\n"
        "class Mean:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT); sum(range(1000))\n"
        "try:\n"
        "    Mean()\n"
        "    for second in range(600): time.sleep(0.1)\n"
        "except KeyboardInterrupt:\n"
        "    raise SystemExit(interruption.exit_code())\n"
    )
    process = start(program, [], no_leftovers)
    assert process.communicate(timeout=limit(30))[1] == ""
    assert process.returncode == 130


def test_a_second_interrupt_ends_what_does_not_unwind(no_leftovers: Path) -> None:
    program = (
        "import time\n"
        "from LightMedSegLib.core.process import interruption\n"
        "interruption.end_at_once(); interruption.unwind()\n"
        "while True:\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        while True: time.sleep(0.05)\n"
        "    except KeyboardInterrupt: pass\n"
    )
    process = start(program, [], no_leftovers)
    patience = Patience(30, "the end")
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        patience.check()
        time.sleep(0.2)
    assert process.returncode == 130
    assert is_one_sentence(process.communicate()[1])


def test_signals_that_are_ignored_from_the_start_stay_ignored(scan: Path, package: Path, no_leftovers: Path) -> None:
    moment = f"import|SimpleITK|{int(signal.SIGINT)}"
    process = subprocess.Popen(
        [sys.executable, "-c", AT_EVENT, moment, *words(scan, package)],
        cwd=no_leftovers,
        env=environment(),
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN) and None,
    )
    assert process.wait(timeout=limit(120)) == 0
    assert (no_leftovers / "out.nii.gz").exists()
