"""Fine-tuned versions: candidates, adopting, going back."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from finetuning_factory import tiny_model
from model_factory import make_card, make_model

from LightMedSegLib.core.errors import ModelPackageError, ModelStoreError, OutputError
from LightMedSegLib.finetuning.gate.reference_set import encode_reference, read_reference, rehearsed_and_checked
from LightMedSegLib.finetuning.versions import (
    adopt,
    candidate_card,
    install,
    list_versions,
    next_version,
    roll_back,
    write_candidate,
)
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.model.active_versions import choose_version, remove_leftovers
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.package import Model, save_model
from LightMedSegLib.model.package_folder import REFERENCE_FILE
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage.atomic_files import TEMPORARY_PREFIX
from LightMedSegLib.storage.file_lock import LockedError, exclusive
from LightMedSegLib.storage.safetensors_file import write_tensors

pytestmark = pytest.mark.usefixtures("nothing_shipped")

ACCEPTED = {"accepted": True, "reasons": []}
REJECTED = {"accepted": False, "reasons": ["It is not better."]}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore()
    store.add(tiny_model(tmp_path / "package").folder)
    return store


def candidate(store: ModelStore, parent: Model, folder: Path, report: dict[str, object]) -> Model:
    card = candidate_card(parent, next_version(store, parent.card), parent.card.labels, 2, report, {"steps": 6})
    tensors = {name: value.astype(np.float16) for name, value in parent.weights().items()}
    return install(write_candidate(folder, parent, card, tensors).folder, store)


def test_a_version_with_new_labels_averages_no_mirror_images(store: ModelStore) -> None:
    """Left and right of new structures are no pair of the card, so the mean would mix both."""
    parent = store.find("test-model")
    parent = replace(parent, card=replace(parent.card, test_time_mirroring=("x",)))
    known = parent.card.labels
    new = replace(known[0], value=len(known) + 1, name="New structure")
    cards = [candidate_card(parent, "1.1.0-tuned.1", labels, 1, {}, {}) for labels in (known, (*known, new))]
    assert [tuple(card["test_time_mirroring"]) for card in cards] == [("x",), ()]


def test_a_candidate_is_not_used_until_it_is_adopted_and_names_its_parent(store: ModelStore, tmp_path: Path) -> None:
    parent = store.find("test-model")
    tuned = candidate(store, parent, tmp_path / "candidate", ACCEPTED)
    assert tuned.card.identifier == "test-model@1.1.0-tuned.1"
    assert tuned.card.parent is not None and tuned.card.parent.weights_sha256 == parent.card.weights.sha256
    assert tuned.card.training["cases"]["train"] == 2
    assert "user" in tuned.card.licenses["data_notice"]
    assert store.find("test-model").card.version == "1.0.0"
    assert not (tmp_path / "candidate").exists()
    adopt(store, tuned.card.identifier)
    assert store.find("test-model").card.version == "1.1.0-tuned.1"
    assert ModelStore().find("test-model").card.version == "1.1.0-tuned.1"
    assert store.find("test-model@1.0.0").card.version == "1.0.0"


def test_rolling_back_goes_to_the_parent_step_by_step(store: ModelStore, tmp_path: Path) -> None:
    first = candidate(store, store.find("test-model"), tmp_path / "a", ACCEPTED)
    adopt(store, first.card.identifier)
    second = candidate(store, store.find("test-model"), tmp_path / "b", ACCEPTED)
    assert second.card.version == "1.1.0-tuned.2"
    adopt(store, second.card.identifier)
    assert roll_back(store, "test-model").card.version == "1.1.0-tuned.1"
    assert roll_back(store, "test-model").card.version == "1.0.0"
    lines = list_versions(store, "test-model")
    assert [(line.card.version, line.active, line.accepted) for line in lines] == [
        ("1.0.0", True, None),
        ("1.1.0-tuned.1", False, True),
        ("1.1.0-tuned.2", False, True),
    ]


def test_rolling_back_without_a_parent_goes_to_the_newest_release(store: ModelStore, tmp_path: Path) -> None:
    tuned = candidate(store, store.find("test-model"), tmp_path / "a", ACCEPTED)
    adopt(store, tuned.card.identifier)
    store.add(make_model(tmp_path / "newer", version="1.2.0", seed=3).folder)
    store.remove("test-model@1.0.0")
    assert store.find("test-model").card.version == "1.1.0-tuned.1"
    assert roll_back(store, "test-model").card.version == "1.2.0"
    assert store.chosen("test-model") is None


def test_a_rejected_version_is_adopted_only_against_the_gate(store: ModelStore, tmp_path: Path) -> None:
    tuned = candidate(store, store.find("test-model"), tmp_path / "a", REJECTED)
    with pytest.raises(ModelStoreError, match="It is not better"):
        adopt(store, tuned.card.identifier)
    assert store.find("test-model").card.version == "1.0.0"
    adopt(store, tuned.card.identifier, against_the_gate=True)
    assert store.find("test-model").card.version == "1.1.0-tuned.1"


def test_a_removed_version_in_use_falls_back_and_its_number_is_not_given_again(
    store: ModelStore, tmp_path: Path
) -> None:
    parent = store.find("test-model")
    tuned = candidate(store, parent, tmp_path / "a", ACCEPTED)
    adopt(store, tuned.card.identifier)
    store.remove(tuned.card.identifier)
    assert store.find("test-model").card.version == "1.0.0"
    assert next_version(store, parent.card) == "1.1.0-tuned.2"


@pytest.mark.parametrize("content", ["", "nonsense", "../../etc", "9.9.9", "1.0.0\n1.1.0"])
def test_a_choice_that_means_nothing_is_ignored(store: ModelStore, content: str) -> None:
    (store.user / "test-model.active").write_text(content)
    assert store.find("test-model").card.version == "1.0.0"
    assert all(entry.problem is None for entry in store.list())


def test_a_version_that_is_not_there_cannot_be_chosen(store: ModelStore) -> None:
    with pytest.raises(ModelPackageError, match="no model"):
        store.choose("test-model", "3.0.0")


def test_installing_the_same_candidate_again_changes_nothing(store: ModelStore, tmp_path: Path) -> None:
    tuned = candidate(store, store.find("test-model"), tmp_path / "a", ACCEPTED)
    shutil.copytree(tuned.folder, tmp_path / "again")
    assert install(tmp_path / "again", store).folder == tuned.folder
    assert not (tmp_path / "again").exists()


def test_what_a_crash_left_of_a_choice_is_removed(store: ModelStore) -> None:
    leftover = store.user / f"{TEMPORARY_PREFIX}0123.active"
    importing = store.user / f"{TEMPORARY_PREFIX}4567"
    for _ in range(2):
        leftover.touch()
        importing.mkdir(exist_ok=True)
        remove_leftovers(store.user)
        assert not leftover.exists() and importing.exists()
        choose_version(store.user, "test-model", None)


def test_a_lock_is_held_by_one_at_a_time_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    with exclusive(path), pytest.raises(LockedError, match="another process"), exclusive(path, wait_seconds=0.0):
        pass
    with exclusive(path, wait_seconds=0.0):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(OutputError), exclusive(tmp_path / "file" / ".lock"):
        pass


def reference_cases() -> list[PreparedCase]:
    random = np.random.default_rng(0)
    return [
        PreparedCase(
            str(number), random.normal(0, 2, (1, 5, 6, 7)).astype(np.float16), np.full((5, 6, 7), number, "u1")
        )
        for number in range(3)
    ]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("0.labelled", np.ones((2, 2), np.uint8)),
        ("0.scale", np.ones(3, np.float32)),
        ("0.image", np.zeros((1, 4, 4), np.uint8)),
        ("0.labels", np.zeros((4, 4), np.uint8)),
    ],
)
def test_a_reference_set_with_arrays_of_a_wrong_form_is_refused(
    store: ModelStore, tmp_path: Path, name: str, array: np.ndarray
) -> None:
    write_tensors(tmp_path / REFERENCE_FILE, {**encode_reference(reference_cases(), 2), name: array})
    content = (tmp_path / REFERENCE_FILE).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    entry = {"cases": 3, "data": "None.", "license": "CC0-1.0", "sha256": digest, "bytes": len(content)}
    card = {**make_card(name="with-reference"), "reference": entry}
    weights = store.find("test-model").weights()
    model = save_model(tmp_path / "with", card, weights, {REFERENCE_FILE: content})
    with pytest.raises(ModelPackageError, match=r"reference\.safetensors is damaged"):
        read_reference(model)


def test_a_reference_set_comes_back_within_its_eight_bits_and_follows_a_model_to_its_versions(
    store: ModelStore, tmp_path: Path
) -> None:
    cases = reference_cases()
    write_tensors(tmp_path / REFERENCE_FILE, encode_reference(cases, 2))
    content = (tmp_path / REFERENCE_FILE).read_bytes()
    entry = {
        "cases": 3,
        "data": "Random numbers.",
        "license": "CC0-1.0",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    parent = store.find("test-model")
    card = {**make_card(name="with-reference"), "reference": entry}
    model = save_model(tmp_path / "with", card, parent.weights(), {REFERENCE_FILE: content})
    assert ModelCard.from_json(model.card.to_text()) == model.card
    for case, decoded in zip(cases, read_reference(model), strict=True):
        step = float(np.ptp(case.image.astype(np.float32))) / 255
        np.testing.assert_allclose(decoded.image.astype(np.float32), case.image.astype(np.float32), atol=0.6 * step)
        np.testing.assert_array_equal(decoded.labels, case.labels)
        assert decoded.labelled == (1, 2)
    rehearsed, checked = rehearsed_and_checked(cases)
    assert [case.name for case in rehearsed] == ["0", "2"] and [case.name for case in checked] == ["1"]
    tuned = candidate(store, model, tmp_path / "tuned", ACCEPTED)
    assert len(read_reference(tuned)) == 3
    assert not read_reference(parent)
    path = tuned.folder / REFERENCE_FILE
    path.write_bytes(content[:-1] + b"\x00" if content[-1:] != b"\x00" else content[:-1] + b"\x01")
    with pytest.raises(ModelPackageError, match="not the file of the card"):
        read_reference(tuned)
