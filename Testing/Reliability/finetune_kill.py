"""A fine-tuning job, or the program that started it, is killed at random moments: nothing is lost or left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Reliability.surroundings import child_environment, own_folder
from Reliability.tally import Tally, main

# The line above puts the tests' own folder on the path.
from finetuning_factory import QUICK, installed_with_cases, quick_job  # isort: skip
from patience import Patience  # isort: skip

from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.job.folders import clean_up, jobs_folder, last_result
from LightMedSegLib.gui.finetune.process import LocalProcess
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage.atomic_files import is_temporary

ROW, COUNT = "finetune_kill", 20

_STARTER = (
    "import sys, time; from pathlib import Path; from LightMedSegLib.gui.finetune.process import LocalProcess; "
    "process = LocalProcess(Path(sys.argv[1])); print('started', flush=True); time.sleep(600)"
)
_LONGEST_END = 60.0


def check(count: int, seed: int) -> Tally:
    """count kills, every other of the starting program instead of the job; then the job must come to its verdict."""
    tally, rng = Tally(), random.Random(seed)
    with own_folder() as folder:
        installed_with_cases(folder)
        job = jobs_folder() / "test-model@1.0.0"
        duration = _undisturbed(job)
        for number in range(count):
            if rng.random() < 0.5:
                shutil.rmtree(job, ignore_errors=True)
            _one_kill(job, rng.uniform(0.0, duration), number % 2 == 1, tally)
        before = _versions()
        _write_job(job)
        process = LocalProcess(job)
        _wait(lambda: not process.running())
        tally.expect((last_result(job) or {}).get("accepted") is not None, "the job comes to a verdict at the end")
        tally.expect(len(_versions() - before) <= 1, "with one new version, or one that a killed job had installed")
    return tally


def _one_kill(job: Path, moment: float, starter: bool, tally: Tally) -> None:
    before = _versions()
    _write_job(job)
    if starter:
        parent = subprocess.Popen(
            [sys.executable, "-c", _STARTER, str(job)], env=child_environment(), stdout=subprocess.PIPE
        )
        assert parent.stdout is not None
        parent.stdout.readline()
        time.sleep(moment)
        parent.kill()
        parent.wait()
        parent.stdout.close()
    else:
        process = LocalProcess(job)
        time.sleep(moment)
        if process.running():
            os.kill(process.pid, signal.SIGKILL)
        _wait(lambda: not process.running())
        process.end()
    what = f"after {moment:.1f} s, {'the starting program' if starter else 'the job'} killed"
    problems = _problems(job, before)
    if problems:
        tally.failed(f"{what}: {'; '.join(problems)}")
    else:
        tally.passed("the starting program killed" if starter else "the job killed")


def _problems(job: Path, before: set[str]) -> list[str]:
    """What is not as it must be."""
    found = []
    if not _wait(lambda: not _living(job)):
        found.append("a process lives on")
    store, cases = ModelStore(), CaseStore()
    found += [entry.problem for entry in [*store.verify(), *cases.list()] if entry.problem]
    for entry in cases.list():
        cases.load(entry.case_id)
    if not before <= _versions():
        found.append(f"versions are gone: {sorted(before - _versions())}")
    store.find("test-model")
    clean_up(jobs_folder(), store, cases)
    found += [f"left behind: {path.name}" for path in user_data_folder().rglob("*") if is_temporary(path)]
    return found


def _undisturbed(job: Path) -> float:
    """Seconds of a job that nobody kills."""
    _write_job(job)
    started = time.monotonic()
    process = LocalProcess(job)
    _wait(lambda: not process.running())
    duration = time.monotonic() - started
    assert last_result(job) is not None, process.last_words()
    return duration


def _write_job(job: Path) -> None:
    quick_job(model="test-model@1.0.0", adopt="if_better", threads=1, settings=QUICK).write(job)


def _versions() -> set[str]:
    return {entry.identifier for entry in ModelStore().list()}


def _living(job: Path) -> list[int]:
    """Processes whose command names the job."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command, state = (place / "cmdline").read_bytes(), (place / "stat").read_text()
        except OSError:
            continue
        if str(job).encode() in command and " Z " not in state:
            found.append(int(place.name))
    return found


def _wait(condition: Callable[[], bool]) -> bool:
    """Whether condition() holds before long."""
    patience = Patience(_LONGEST_END)
    while not condition():
        if patience.over():
            return False
        time.sleep(0.05)
    return True


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
