"""``lightmedseg cases`` and ``lightmedseg models use``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from finetuning_factory import installed_with_cases, quick_job

from LightMedSegLib.cli import main
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.job.job import run_job
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.model.store import ModelStore

pytestmark = pytest.mark.usefixtures("nothing_shipped")

Captured = pytest.CaptureFixture[str]


def test_cases_are_listed_with_their_size_and_deleted_by_number_or_identifier(tmp_path: Path, capsys: Captured) -> None:
    assert main(["cases"]) == 0
    assert "no corrected cases" in capsys.readouterr().out
    installed_with_cases(tmp_path, cases=4)
    first, second, third, fourth = (entry.case_id for entry in CaseStore().list())
    assert main(["cases", "list"]) == 0
    printed = capsys.readouterr().out
    line = rf"^ *1 +{first} +\d{{4}}-\d\d-\d\d +test-model@1\.0\.0 +2 labels, 100% +0\.000 +0\.0$"
    assert re.search(line, printed, re.MULTILINE), printed
    assert printed.splitlines()[-1] == "4 cases, 0.1 MB."
    assert main(["cases", "delete", "2", third]) == 0
    assert [entry.case_id for entry in CaseStore().list()] == [first, fourth]
    assert main(["cases", "delete", "1", "7"]) == 2
    assert "There is no case 7; there are: 1, 4." in capsys.readouterr().err
    assert len(CaseStore().list()) == 2, "all or nothing"
    assert main(["cases", "delete", "all"]) == 0
    assert CaseStore().list() == [] and second not in {path.name for path in CaseStore().folder.iterdir()}


def test_a_damaged_case_is_listed_with_the_reason_and_can_be_deleted(tmp_path: Path, capsys: Captured) -> None:
    _, cases, _ = installed_with_cases(tmp_path)
    (entry,) = cases.list()
    (cases.folder / entry.case_id / "0001" / "case.json").write_text("{}")
    assert main(["cases"]) == 0
    assert f"The case {entry.case_id} is damaged" in capsys.readouterr().out
    assert main(["cases", "delete", entry.case_id]) == 0
    assert cases.list() == []


def test_another_version_is_used_and_the_newest_release_again(tmp_path: Path, capsys: Captured) -> None:
    torch.set_num_threads(1)
    installed_with_cases(tmp_path, cases=3)
    tuned = run_job(quick_job(), tmp_path / "job").candidate
    assert tuned is not None
    assert main(["models", "use", tuned]) == 0
    assert capsys.readouterr().out == f"test-model now means {tuned}.\n"
    assert ModelStore().find("test-model").card.identifier == tuned
    assert main(["models", "list"]) == 0
    assert re.search(r"1\.1\.0-tuned\.1 +segmentation +MR +2 +user, in use ", capsys.readouterr().out)
    assert main(["models", "use", "test-model@1.0.0"]) == 0
    assert ModelStore().find("test-model").card.version == "1.0.0"
    assert main(["models", "use", tuned]) == 0
    assert main(["models", "use", "test-model"]) == 0
    assert ModelStore().chosen("test-model") is None
    assert main(["models", "use", "test-model@9.9.9"]) == 2
    assert "There is no model 'test-model@9.9.9'" in capsys.readouterr().err


def test_a_version_that_its_tests_did_not_accept_is_used_only_by_force(tmp_path: Path, capsys: Captured) -> None:
    torch.set_num_threads(1)
    installed_with_cases(tmp_path)
    strict = FinetuneSettings(steps=1, minimum_gain=1.0)
    tuned = run_job(quick_job(settings=strict), tmp_path / "job").candidate
    assert tuned is not None
    assert main(["models", "use", tuned]) == 2
    assert "was not adopted" in capsys.readouterr().err
    assert ModelStore().find("test-model").card.version == "1.0.0"
    assert main(["models", "use", tuned, "--force"]) == 0
    assert ModelStore().find("test-model").card.identifier == tuned
