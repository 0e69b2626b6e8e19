"""A new model from a few segmented scans: its draft, and the job that trains and tests its first version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from finetuning_factory import scans_in_files, slabs, tiny_model
from promptable_factory import make_promptable

from LightMedSegLib.core.errors import ModelPackageError, ModelStoreError, TrainingDataError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.finetuning.job.from_files import finetune
from LightMedSegLib.finetuning.job.job import JobResult
from LightMedSegLib.finetuning.new_model.draft import install_draft, make_draft, refuse_known_name
from LightMedSegLib.inference.segmentation import segment
from LightMedSegLib.interaction.encoding import CHANNELS
from LightMedSegLib.learning.own_models import make_label, model_name
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.training.planning.scan_facts import ScanFacts, scan_facts

pytestmark = pytest.mark.usefixtures("nothing_shipped")

LABELS = (make_label(1, "Low"), make_label(2, "High"))
NAMES = tuple(label.name for label in LABELS)


@pytest.fixture
def promptable(tmp_path: Path) -> Model:
    return make_promptable(tmp_path / "promptable", name="prompts")


def facts(seed: int = 0) -> ScanFacts:
    image, labelmap = slabs(seed)
    array, labels = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(labelmap)
    return scan_facts(array, Grid.of(image), labels, (1, 2))


def run(promptable: Model, data: Path, out: Path, **changes: object) -> JobResult:
    settings = {"steps": 6, "learning_rate": 1e-2, "averaging": 0.5, "warmup_steps": 2, "seed": 3} | changes
    return finetune(promptable, data, out, device="cpu", new_labels=NAMES, new_model="My layers", **settings)  # type: ignore[arg-type]


def test_a_draft_computes_what_the_promptable_model_does_with_nothing_marked(promptable: Model, tmp_path: Path) -> None:
    draft = make_draft(tmp_path / "draft", "My layers", LABELS, [facts()], promptable)
    assert draft.card.identifier == "my-layers@1.0.0-draft" and is_draft(draft.card)
    assert [label.name for label in draft.card.labels] == ["Low", "High"]
    image = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    seen = torch.cat([image, torch.zeros(1, len(CHANNELS) - 1, 16, 16, 16)], dim=1)
    features = []
    with torch.no_grad():
        for model, given in ((draft, image), (promptable, seen)):
            network = model.build_network()
            network.head.classify.register_forward_pre_hook(lambda _, arguments: features.append(arguments[0]))
            network(given)
        torch.testing.assert_close(features[0], features[1])
        assert not draft.build_network()(image).any(), "nothing is preferred before the training"


def test_a_draft_segments_nothing_and_is_suggested_for_nothing(promptable: Model, tmp_path: Path) -> None:
    store = ModelStore()
    draft = install_draft(store, make_draft(tmp_path / "draft", "My layers", LABELS, [facts()], promptable))
    with pytest.raises(ModelPackageError, match=r"my-layers is not trained yet; add scans"):
        segment(slabs()[0], "my-layers", "cpu")
    assert store.find("my-layers").card == draft.card
    assert store.cards_in_use() == []
    with pytest.raises(ModelStoreError, match="a model my-layers already"):
        refuse_known_name(store, "My  Layers!")


def test_a_promptable_model_of_another_form_and_a_useless_name_are_refused(promptable: Model, tmp_path: Path) -> None:
    from LightMedSegLib.finetuning.new_model.draft import draft_weights

    with pytest.raises(ModelPackageError, match="its network is another one"):
        draft_weights(promptable.weights(), len(CHANNELS) - 1, 3)
    with pytest.raises(ModelPackageError, match="starts from a promptable model such as interactive, and test-model@"):
        make_draft(tmp_path / "draft", "My layers", LABELS, [facts()], tiny_model(tmp_path / "other"))
    with pytest.raises(TrainingDataError, match="needs a name with Latin letters"):
        model_name(" ?! ")
    assert model_name("Left kidney (T2)") == "left-kidney-t2"


@pytest.mark.slow
def test_three_scans_give_a_first_version_that_is_tested_by_turns(promptable: Model, tmp_path: Path) -> None:
    data = scans_in_files(tmp_path / "data", 3)
    result = run(promptable, data, tmp_path / "out", adopt=True)
    assert result.verdict.accepted and result.adopted, result.verdict
    assert result.candidate == "my-layers@1.0.0-tuned.1"
    assert [row.name for row in result.verdict.held_out] == ["Low", "High"]
    assert all(np.isnan(row.before) and row.after > 0.5 for row in result.verdict.held_out)
    assert "Each of the 3 scans was tested by a training on the others." in " ".join(result.verdict.notes)
    store = ModelStore()
    model = store.find("my-layers")
    assert model.card.version == "1.0.0-tuned.1" and model.card.metrics["fine_tuning"]["held_out"]["before"] is None
    image, labelmap = slabs(7)
    found, truth = (sitk.GetArrayFromImage(each) for each in (segment(image, model, "cpu").labelmap, labelmap))
    assert (found == truth).mean() > 0.8
    # Without the trained version the name means the draft again.
    from LightMedSegLib.finetuning.versions import roll_back

    assert is_draft(roll_back(store, "my-layers").card)


def test_one_scan_says_what_was_not_tested(promptable: Model, tmp_path: Path) -> None:
    result = run(promptable, scans_in_files(tmp_path / "data", 1), tmp_path / "out", steps=4)
    notes = " ".join(result.verdict.notes)
    assert "one half of its structures was tested on the other half" in notes
    assert "How well it does on other scans is not known." in notes


def test_what_was_not_learnt_is_not_adopted(promptable: Model, tmp_path: Path) -> None:
    data, random = scans_in_files(tmp_path / "data", 2), np.random.default_rng(1)
    for path in (data / "images").iterdir():
        noise = sitk.GetImageFromArray(random.normal(size=(16, 16, 16)).astype(np.float32))
        sitk.WriteImage(noise, str(path))
    result = run(promptable, data, tmp_path / "out", steps=1, install=True)
    assert not result.verdict.accepted and not result.adopted
    assert "It is not of use yet: Dice" in result.verdict.reasons[0]
    assert "Add scans until there are at least 3" in result.verdict.next_steps[-1]
    assert is_draft(ModelStore().find("my-layers").card), "its name does not mean a version that was not accepted"


def test_an_interrupted_run_goes_on_with_its_draft(promptable: Model, tmp_path: Path) -> None:
    from LightMedSegLib.core.errors import CancelledError
    from LightMedSegLib.core.progress import CancelToken

    data, cancel = scans_in_files(tmp_path / "data", 2), CancelToken()

    def stop(step: int, steps: int, message: str) -> None:
        cancel.cancel()

    with pytest.raises(CancelledError):
        run(promptable, data, tmp_path / "out", steps=3, progress=stop, cancel=cancel)
    written = (tmp_path / "out" / "draft" / "model.json").stat().st_mtime_ns
    assert run(promptable, data, tmp_path / "out", steps=3).candidate is not None
    assert (tmp_path / "out" / "draft" / "model.json").stat().st_mtime_ns == written
