"""A run replaces what an earlier one left in its folder, and nothing else, whatever its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from finetuning_factory import corrected_case, installed_with_cases, quick_job, scans_in_files, tiny_model

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.cases.stored_case import StoredCase
from LightMedSegLib.finetuning.job.from_files import finetune
from LightMedSegLib.finetuning.job.job import run_job
from LightMedSegLib.finetuning.new_model.from_files import draft_of_files
from LightMedSegLib.model.package import Model, load_model

pytestmark = pytest.mark.usefixtures("nothing_shipped")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    scans_in_files(tmp_path / "data", 2)
    return tiny_model(tmp_path / "package")


def tuned(model: Model, out: Path) -> None:
    finetune(model.folder, out.parent / "data", out, device="cpu", threads=1, steps=2, learning_rate=0.01, seed=1)


def a_project(folder: Path) -> Path:
    (folder / "thesis").mkdir(parents=True)
    (folder / "thesis" / "notes.txt").write_text("years of work")
    return folder / "thesis" / "notes.txt"


@pytest.mark.parametrize("name", ["cases", "candidate", "work"])
def test_a_folder_that_no_run_made_is_refused_in_one_sentence_and_stays(
    name: str, model: Model, tmp_path: Path
) -> None:
    notes = a_project(tmp_path / "out" / name)
    with pytest.raises(TrainingDataError) as refused:
        tuned(model, tmp_path / "out")
    assert str(refused.value) == (
        f"{tmp_path / 'out' / name} would be replaced, and nothing shows that a fine-tuning made it; move it away, "
        "or choose another folder."
    )
    assert notes.read_text() == "years of work"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@pytest.mark.parametrize("name", ["candidate", "work"])
def test_so_it_is_where_somebody_put_a_job_beside_their_own_folders(name: str, tmp_path: Path) -> None:
    installed_with_cases(tmp_path)
    quick_job().write(tmp_path / "mine")
    notes = a_project(tmp_path / "mine" / name)
    with pytest.raises(TrainingDataError, match="nothing shows that a fine-tuning made it"):
        run_job(quick_job(), tmp_path / "mine")
    assert notes.read_text() == "years of work"


def test_the_user_s_own_cases_and_models_are_none_of_a_run(model: Model, tmp_path: Path) -> None:
    CaseStore(tmp_path / "out" / "cases").add(corrected_case(model))
    with pytest.raises(TrainingDataError, match="cases would be replaced"):
        tuned(model, tmp_path / "out")
    assert len(CaseStore(tmp_path / "out" / "cases").list()) == 1
    (tmp_path / "other").mkdir()
    tiny_model(tmp_path / "other" / "candidate")
    with pytest.raises(TrainingDataError, match="candidate would be replaced"):
        tuned(model, tmp_path / "other")
    assert load_model(tmp_path / "other" / "candidate").card.version == "1.0.0"


def test_a_run_that_was_stopped_while_it_stored_its_cases_begins_again(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = CaseStore.add

    def stopped(store: CaseStore, case: StoredCase, replaces: str | None = None) -> CaseRecord:
        if store.list():
            raise KeyboardInterrupt
        return add(store, case, replaces)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(CaseStore, "add", stopped)
        tuned(model, tmp_path / "out")
    assert len(CaseStore(tmp_path / "out" / "cases").list()) == 1
    tuned(model, tmp_path / "out")
    assert len(CaseStore(tmp_path / "out" / "cases").list()) == 2


def test_a_run_done_again_replaces_its_own_candidate(model: Model, tmp_path: Path) -> None:
    tuned(model, tmp_path / "out")
    first = load_model(tmp_path / "out" / "candidate").card
    with pytest.raises(TrainingDataError, match="holds a finished run"):
        tuned(model, tmp_path / "out")
    (tmp_path / "out" / "result.json").unlink()
    tuned(model, tmp_path / "out")
    assert load_model(tmp_path / "out" / "candidate").card.weights == first.weights
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".lightmedseg-tmp-")]


def test_a_folder_in_the_place_of_a_draft_stays_too(model: Model, tmp_path: Path) -> None:
    notes = a_project(tmp_path / "out" / "draft")
    with pytest.raises(TrainingDataError, match="draft is in the way"):
        draft_of_files(model, "My layers", tmp_path / "data", tmp_path / "out", ["Low", "High"])
    assert notes.read_text() == "years of work"
