"""The folders of jobs, cleared after crashes, and how far a job is by its events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from finetuning_factory import installed_with_cases

from LightMedSegLib.finetuning.job import progress as job_progress
from LightMedSegLib.finetuning.job.folders import clean_up, forget_result, jobs_folder, last_result, was_interrupted
from LightMedSegLib.finetuning.job.progress import JobProgress
from LightMedSegLib.storage.file_lock import exclusive

pytestmark = pytest.mark.usefixtures("nothing_shipped")

SCRAP = ".lightmedseg-tmp-0123456789abcdef"
TABLE = {"before": 0.8, "after": 0.9, "labels": {}}


def test_what_a_crash_left_is_removed_and_what_a_living_job_writes_stays(tmp_path: Path) -> None:
    models, cases, model = installed_with_cases(tmp_path)
    dead, living, gone = (jobs_folder() / name for name in (model.card.identifier, "living@1.0.0", "gone@1.0.0"))
    for folder in (dead, living, gone):
        (folder / "work" / "part-1").mkdir(parents=True)
        for place in (folder, folder / "work", folder / "work" / "part-1"):
            (place / SCRAP).write_text("half")
        (folder / "stop").touch()
        (folder / "job.json").write_text("{}")
    (models.user / f"{SCRAP}.active").touch()
    (cases.folder / "0123456789abcdef" / SCRAP).mkdir(parents=True)
    with exclusive(living / ".lock"):
        clean_up(jobs_folder(), models, cases)
    left = [path for path in jobs_folder().parent.rglob("*") if path.name.startswith(SCRAP)]
    assert sorted(left) == sorted([living / SCRAP, living / "work" / SCRAP, living / "work" / "part-1" / SCRAP])
    assert (living / "stop").exists() and not (dead / "stop").exists() and not gone.exists()
    assert was_interrupted(dead), "it can go on"
    assert len(cases.list()) == 1
    clean_up(tmp_path / "no folder yet", models, cases)


def test_a_result_is_shown_until_it_is_forgotten_and_a_spoilt_one_never(tmp_path: Path) -> None:
    assert last_result(tmp_path) is None and not was_interrupted(tmp_path)
    (tmp_path / "job.json").touch()
    (tmp_path / "work").mkdir()
    assert was_interrupted(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"accepted": True}))
    assert last_result(tmp_path) == {"accepted": True} and not was_interrupted(tmp_path)
    for content in ("", "[1]", "{}", '{"accepted": '):
        (tmp_path / "result.json").write_text(content)
        assert last_result(tmp_path) is None
    forget_result(tmp_path)
    forget_result(tmp_path)
    assert not (tmp_path / "result.json").exists()


def test_the_events_tell_how_far_a_job_is_and_how_long_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(job_progress.time, "monotonic", lambda: now[0])
    progress = JobProgress()

    def take(seconds: float, **event: Any) -> None:
        now[0] += seconds
        progress.take(event)

    assert (progress.phase, progress.total, progress.remaining) == ("starting", 0, None)
    take(3, event="start", parts=3, steps=10)
    assert progress.phase == "comparing"
    take(2, event="baseline", held_out={**TABLE, "after": 0.8})
    assert (progress.phase, progress.before, progress.done, progress.total) == ("training", 0.8, 0, 30)
    take(1, event="step", part=1, step=1, loss=0.5)
    assert progress.remaining is None, "one step has no pace"
    take(2, event="step", part=1, step=2, loss=0.4)
    assert progress.remaining == 2 * 28
    take(1, event="part", part=1, held_out=TABLE)
    take(1, event="part", part=2, held_out={**TABLE, "after": None})
    take(1, event="dice", held_out=0.85)
    assert progress.done == 20 and progress.dice == [(10, 0.9), (20, 0.85)]
    take(0, event="testing")
    assert progress.phase == "testing" and progress.elapsed == 11
    take(0, event="an event of a newer program")
    take(0, event="verdict", accepted=False)
    assert progress.phase == "ended" and progress.verdict == {"event": "verdict", "accepted": False}


def test_a_resumed_job_counts_only_its_own_steps_for_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(job_progress.time, "monotonic", lambda: now[0])
    progress = JobProgress()
    progress.take({"event": "start", "parts": 2, "steps": 10})
    for number in (7, 8, 9):
        now[0] += 1.0
        progress.take({"event": "step", "part": 2, "step": number, "loss": 0.1})
    assert progress.done == 19 and progress.remaining == 1.0


def test_a_command_shows_the_steps_of_all_trainings_and_which_one_runs() -> None:
    shown: list[tuple[int, int, str]] = []
    take = job_progress.steps_shown(lambda done, total, message: shown.append((done, total, message)))
    take({"event": "start", "parts": 3, "steps": 10})
    take({"event": "step", "part": 2, "step": 4, "loss": 0.25})
    assert shown == [(14, 30, "training 2 of 3, loss 0.250")]
