"""Several processes in one store, and fine-tuning processes that are killed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from finetuning_factory import QUICK

from LightMedSegLib.finetuning.job.description import JobDescription
from LightMedSegLib.finetuning.job.job import run_job
from Reliability import places
from Reliability.household import NAME, Household, Supplies
from Reliability.places import DONE
from Reliability.surroundings import child_environment
from Reliability.tally import Tally

PROCESSES, ACTIONS = 4, 15


def processes_share_the_store(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """Four processes add, remove, choose, list, export and add cases at random in one folder at the same time."""
    tally = Tally()
    for turn in range(count):
        home = Household(folder / f"home{turn}", supplies).furnish()
        errors = folder / f"errors{turn}"
        pids = [_fork(home, random.Random(f"{seed} {turn} {number}"), errors) for number in range(PROCESSES)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        told = errors.read_text() if errors.exists() else ""
        ok = codes == [0] * PROCESSES and not told
        tally.expect(ok, "shared store: no process fails", told)
        problem = home.problem()
        tally.expect(problem == "", "shared store: whole afterwards", problem)
        tally.expect(not home.leftovers(), "shared store: nothing unfinished is left")
    return tally


def _fork(home: Household, rng: random.Random, errors: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for _ in range(ACTIONS):
            _act(home, rng, errors)
        code = 0
    finally:
        os._exit(code)


def _act(home: Household, rng: random.Random, errors: Path) -> None:
    """One action; a refusal is right where another process was quicker, anything else is written down."""
    from LightMedSegLib.core.errors import ModelPackageError, ModelStoreError

    store = home.store
    actions = (
        lambda: store.add(home.supplies.newer.folder),
        lambda: store.remove(f"{NAME}@1.1.0"),
        lambda: store.choose(NAME, rng.choice(("1.0.0", "1.1.0", None))),
        lambda: [entry.problem for entry in store.verify()],
        lambda: store.find(NAME).weights(),
        lambda: store.export(NAME, home.folder / "results" / "model.zip"),
        lambda: home.cases.add(home.supplies.case),
        lambda: [home.cases.load(entry.case_id) for entry in home.cases.list()],
    )
    try:
        rng.choice(actions)()
    except (ModelStoreError, ModelPackageError):
        return
    except Exception as error:
        with errors.open("a") as stream:
            stream.write(f"{type(error).__name__}: {error}\n")


def finetuning_is_killed(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """SIGKILL at a random moment of a job's process: everything is whole, and the job goes on to its end."""
    tally = Tally()
    rng = random.Random(seed)
    for turn in range(count):
        home = Household(folder / f"home{turn}", supplies).furnish()
        description = JobDescription(
            NAME, device="cpu", threads=1, settings=replace(QUICK, steps=60), adopt="if_better",
            cases_folder=str(home.cases.folder), models_folder=str(home.store.user),
        )  # fmt: skip
        job = home.folder / "tuning"
        description.write(job)
        command = [sys.executable, "-m", "LightMedSegLib.finetuning", str(job / "job.json")]
        process = subprocess.Popen(command, env=child_environment(), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] in ("start", "step"):
                break
        time.sleep(rng.uniform(0, 3))
        process.kill()
        process.communicate()
        problem = home.problem()
        tally.expect(problem == "", "killed fine-tuning: everything is whole", problem)
        outcome, text = places.in_a_process(lambda description=description, job=job: run_job(description, job))
        problem = "" if outcome == DONE else text or outcome
        tally.expect(not problem, "killed fine-tuning: the job goes on to its end", problem)
        problem = home.problem()
        tally.expect(problem == "", "killed fine-tuning: whole after going on", problem)
        names = [entry.identifier for entry in home.store.list()]
        tally.expect(names == [f"{NAME}@1.0.0", f"{NAME}@1.1.0-tuned.1"], "killed fine-tuning: one new version")
    return tally
