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
from forked import Forked
from hostile_surroundings import environment, is_one_sentence, leftovers
from patience import Patience, limit, wait_for
from volumes_on_disk import plain_volume

from LightMedSegLib import __main__ as program
from LightMedSegLib import cli

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

AT_EVENT = """
import os, runpy, signal, sys
kind, what, number, count = sys.argv[1].split("|")
seen = []
def hook(event, arguments):
    if event == kind and what in str(arguments[0]):
        seen.append(1)
        if len(seen) == int(count):
            os.kill(os.getpid(), int(number))
sys.addaudithook(hook)
sys.argv = ["lightmedseg", *sys.argv[2:]]
runpy.run_module("LightMedSegLib", run_name="__main__", alter_sys=True)
"""
"""Runs the program, and sends it a signal as often as told that Python's audit names kind and what."""


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
           "LightMedSegLib.model.package", "torch._C")  # fmt: skip
LATER_IMPORTS = ("torch", "LightMedSegLib.inference.engine", "LightMedSegLib.inference.postprocessing")


def assert_interrupted(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """The process in folder said so in one line, with the code of Ctrl+C, and wrote no result."""
    assert done.returncode == 130, done.stderr
    assert done.stderr == "lightmedseg: interrupted; no file is half written.\n"
    assert done.stdout == ""
    assert not (folder / "out.nii.gz").exists()


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, told = process.communicate(timeout=limit(120))
    return subprocess.CompletedProcess(process.args, process.returncode, out, told)


@pytest.mark.parametrize("moment", [*IMPORTS, *(pytest.param(name, marks=pytest.mark.slow) for name in LATER_IMPORTS)])
def test_an_interrupt_at_any_import_ends_in_order(moment: str, scan: Path, package: Path, no_leftovers: Path) -> None:
    at = f"import|{moment}|{int(signal.SIGINT)}|1"
    assert_interrupted(ended(start(AT_EVENT, [at, *words(scan, package)], no_leftovers)), no_leftovers)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_an_interrupt_at_a_random_import_ends_in_order(
    seed: int, scan: Path, package: Path, no_leftovers: Path
) -> None:
    """Most of them are of torch."""
    at = f"import||{int(signal.SIGINT)}|{random.Random(seed).randrange(100, 1200)}"
    assert_interrupted(ended(start(AT_EVENT, [at, *words(scan, package)], no_leftovers)), no_leftovers)


@pytest.fixture(scope="module")
def warm(package: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One run has imported all that a run imports, so that forked processes need not."""
    folder = tmp_path_factory.mktemp("warm")
    sitk.WriteImage(plain_volume(), str(folder / "scan.nii.gz"))
    given = words(folder / "scan.nii.gz", package)
    given[2], given[4] = str(folder / "out.nii.gz"), str(folder / "out.json")
    assert cli.main(given) == 0


def begin(words: list[str], folder: Path, event: str = "", what: str = "", number: int = 0) -> Forked:
    """The program in a forked process, in which nothing has to be imported any more after the fixture warm.

    It gets a signal of this number the first time that Python's audit names event and what.
    """
    seen = []

    def hook(kind: str, arguments: tuple[object, ...]) -> None:
        if kind == event and what in str(arguments[0]) and not seen:
            seen.append(1)
            os.kill(os.getpid(), number)

    def work() -> int:
        _deaf_no_more()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["lightmedseg", *words]
        run = cli.main

        def ready() -> int:
            (folder / "ready").touch()
            return run()

        cli.main = ready
        if event:
            sys.addaudithook(hook)
        return program.main()

    return Forked(work, folder)


@pytest.mark.parametrize(
    "moment",
    [
        "open|weights.safetensors",
        "open|scan.nii.gz",
        "open|.lightmedseg-tmp-",
        "os.rename|.lightmedseg-tmp-",
    ],
)
@pytest.mark.usefixtures("warm")
def test_an_interrupt_at_any_file_ends_in_order(moment: str, scan: Path, package: Path, no_leftovers: Path) -> None:
    event, what = moment.split("|")
    process = begin(words(scan, package), no_leftovers, event, what, signal.SIGINT)
    assert_interrupted(process.end(), no_leftovers)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.usefixtures("warm")
def test_a_request_to_end_is_an_interrupt_with_its_own_code(
    name: str, scan: Path, package: Path, no_leftovers: Path
) -> None:
    number = getattr(signal, name)
    done = begin(words(scan, package), no_leftovers, "open", ".lightmedseg-tmp-", number).end()
    assert done.returncode == 128 + number
    assert is_one_sentence(done.stderr)


@pytest.mark.usefixtures("warm")
def test_an_interrupt_at_random_moments_leaves_a_whole_result_or_none(
    scan: Path, package: Path, no_leftovers: Path
) -> None:
    output, ready = no_leftovers / "out.nii.gz", no_leftovers / "ready"

    def begun() -> Forked:
        process = begin(words(scan, package), no_leftovers)
        wait_for(ready.exists)
        ready.unlink()
        return process

    process, began = begun(), time.monotonic()
    assert "Structure 1" in process.end().stdout
    whole = time.monotonic() - began
    moments = random.Random(0)
    codes = []
    for part in range(12):
        for path in (output, no_leftovers / "out.json"):
            path.unlink(missing_ok=True)
        process = begun()
        time.sleep(whole * (part + moments.random()) / 12)
        process.send_signal(signal.SIGINT)
        done = process.end()
        codes.append(done.returncode)
        assert done.returncode in (0, 130), done.stderr
        assert done.stderr == "" or (done.returncode == 130 and is_one_sentence(done.stderr)), done.stderr
        assert not leftovers(no_leftovers)
        if output.exists():
            assert sitk.ReadImage(str(output)).GetSize() == (20, 18, 16)
        else:
            assert done.returncode == 130
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
    moment = f"import|SimpleITK|{int(signal.SIGINT)}|1"
    process = subprocess.Popen(
        [sys.executable, "-c", AT_EVENT, moment, *words(scan, package)],
        cwd=no_leftovers,
        env=environment(),
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN) and None,
    )
    assert process.wait(timeout=limit(120)) == 0
    assert (no_leftovers / "out.nii.gz").exists()
