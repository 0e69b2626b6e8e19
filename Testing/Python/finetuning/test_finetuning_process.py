"""The process of a job: killed, stopped or orphaned at any moment, it leaves nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import priority
import pytest
from finetuning_factory import QUICK, corrected_case, installed_with_cases, quick_job
from paths import REPOSITORY
from patience import limit, wait_for

from LightMedSegLib.finetuning import __main__ as process_main
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.job.description import JobDescription
from LightMedSegLib.finetuning.job.job import run_job
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage import atomic_files

ENDLESS = FinetuneSettings(steps=100_000, checkpoint_seconds=0.2)
PROGRAM = f"{priority.KEEP}import runpy; runpy.run_module('LightMedSegLib.finetuning', run_name='__main__')"
"""``python -m LightMedSegLib.finetuning``."""
SLOW = JobDescription("test-model", device="cpu", threads=1, settings=ENDLESS)

pytestmark = [
    pytest.mark.usefixtures("nothing_shipped"),
    pytest.mark.skipif(os.name == "nt", reason="signals and fork are those of POSIX"),
]


def killed_at_write(number: int, work: Callable[[], Any]) -> bool:
    """Do work in a forked process, killed as it brings its write of this number to the disk; False if it ended."""
    child = os.fork()
    if child == 0:
        count = 0
        original = atomic_files.sync

        def sync(path: Path) -> None:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            original(path)

        atomic_files.sync = sync
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def leftovers(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if atomic_files.is_temporary(path)]


@pytest.mark.parametrize("number", [1, 13, 27, 34, 36, 38, 39, 40, 41])
def test_a_job_killed_at_any_write_leaves_a_valid_store_and_goes_on(tmp_path: Path, number: int) -> None:
    store, cases, model = installed_with_cases(tmp_path)
    job, folder = (
        quick_job(settings=QUICK.__class__(**{**vars(QUICK), "steps": 2}), adopt="if_better"),
        tmp_path / "job",
    )
    assert killed_at_write(number, lambda: run_job(job, folder)), "the job has fewer writes: lower the number"
    assert store.find("test-model@1.0.0").weights().keys() == model.weights().keys()
    assert all(entry.problem is None for entry in [*ModelStore().verify(), *cases.list()])
    result = run_job(job, folder)
    assert result.candidate == "test-model@1.1.0-tuned.1"
    assert store.find("test-model").card.identifier == (result.candidate if result.adopted else "test-model@1.0.0")
    assert not leftovers(store.user, cases.folder, folder)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_adding_a_case_killed_at_any_write_adds_it_whole_or_not_at_all(tmp_path: Path, number: int) -> None:
    _, cases, model = installed_with_cases(tmp_path)
    case = corrected_case(model, 5)
    killed = killed_at_write(number, lambda: cases.add(case))
    assert killed or number == 5
    for entry in CaseStore().list():
        assert entry.problem is None
        cases.load(entry.case_id)
    cases.clean()
    assert not leftovers(cases.folder)


def start(folder: Path, *options: str, **keywords: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder / "job.json"), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **keywords)


def events_until(process: subprocess.Popen[str], kind: str) -> list[dict[str, Any]]:
    """All events up to the first of this kind."""
    events = []
    assert process.stdout is not None
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == kind:
            return events
    raise AssertionError(f"no {kind!r} in {events[-3:]}")


@pytest.mark.slow
def test_a_process_reports_json_lines_stops_at_the_stop_file_resumes_and_ends_with_its_parent(tmp_path: Path) -> None:
    installed_with_cases(tmp_path)
    SLOW.write(tmp_path / "job")
    process = start(tmp_path / "job")
    events = events_until(process, "step")
    assert events[0]["event"] == "start" and events[0]["elapsed"] >= 0
    (tmp_path / "job" / "stop").touch()
    events += events_until(process, "cancelled")
    last = [event for event in events if event["event"] == "step"][-1]
    assert process.wait(timeout=limit(30)) == 130
    assert not (tmp_path / "job" / "stop").exists()
    process = start(tmp_path / "job", "--watch-input", stdin=subprocess.PIPE)
    resumed = events_until(process, "step")
    assert resumed[0]["resumed"] is True
    assert resumed[-1]["step"] == last["step"] + 1
    assert process.stdin is not None
    process.stdin.close()  # as it is when the parent ends
    assert events_until(process, "cancelled")
    assert process.wait(timeout=limit(30)) == 130


def test_an_orphan_ends_by_itself(tmp_path: Path) -> None:
    installed_with_cases(tmp_path)
    SLOW.write(tmp_path / "job")
    log = tmp_path / "log"
    code = (
        "import subprocess, sys, time\n"
        "process = subprocess.Popen([sys.executable, '-c', *sys.argv[2:]], stdout=open(sys.argv[1], 'w'))\n"
        "print(process.pid, flush=True)\n"
        "while 'step' not in open(sys.argv[1]).read(): time.sleep(0.05)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    parent = subprocess.run(
        [sys.executable, "-c", code, str(log), PROGRAM, str(tmp_path / "job" / "job.json")],
        env=environment, capture_output=True, text=True, timeout=limit(60), check=True,
    )  # fmt: skip
    wait_for(lambda: '"cancelled"' in log.read_text(), what=f"the end of process {parent.stdout.strip()}")
    assert '"cancelled"' in log.read_text().splitlines()[-1]


def test_a_job_lets_other_programs_go_first() -> None:
    code = (
        "import os; from LightMedSegLib.core.child_process import lower_priority; lower_priority(); print(os.nice(0))"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == min(os.nice(0) + 10, 19)


def test_a_mistake_in_the_job_is_one_event_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process_main, "lower_priority", lambda: None)
    quick_job(model="unknown-model").write(tmp_path / "job")
    assert process_main.main([str(tmp_path / "job" / "job.json")]) == 2
    (event,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert event["event"] == "failed" and "unknown-model" in event["message"]
