"""The catalogue of models: what is listed and found, and immutable versions that are added and removed."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_packages import identifiers, package

from LightMedSegLib.core.errors import ModelPackageError, ModelStoreError, OutputError
from LightMedSegLib.model import store as model_store
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage.atomic_files import is_temporary


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- listing and finding


def test_shipped_models_come_first_then_names_and_versions_in_order(store: ModelStore, made: Path) -> None:
    for version in ("1.10.0", "1.9.0", "1.9.0-rc.1"):
        store.add(package(made, "liver-ct", version).folder)
    store.add(package(made, "aorta-ct").folder)
    assert identifiers(store) == [
        *("brain-mr@1.0.0", "aorta-ct@1.0.0"),
        *("liver-ct@1.9.0-rc.1", "liver-ct@1.9.0", "liver-ct@1.10.0"),
    ]
    assert [entry.shipped for entry in store.list()] == [True, False, False, False, False]


def test_without_a_version_the_newest_release_is_found(store: ModelStore, made: Path) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
        store.add(package(made, "liver-ct", version).folder)
    assert store.find("liver-ct").card.version == "1.10.0"
    assert store.find("liver-ct@1.9.0").card.version == "1.9.0"
    assert store.find("liver-ct@2.0.0-rc.1").card.version == "2.0.0-rc.1"


def test_a_candidate_is_found_by_name_where_there_is_no_release(store: ModelStore, made: Path) -> None:
    store.add(package(made, "liver-ct", "0.1.0-rc.9").folder)
    store.add(package(made, "liver-ct", "0.1.0-rc.10").folder)
    assert store.find("liver-ct").card.version == "0.1.0-rc.10"


def test_a_users_newer_version_of_a_shipped_model_is_found_and_the_shipped_one_stays(
    store: ModelStore, made: Path
) -> None:
    store.add(package(made, "brain-mr", "1.1.0", 1.0).folder)
    assert store.find("brain-mr").card.version == "1.1.0"
    assert store.find("brain-mr@1.0.0").card.version == "1.0.0"


def test_the_cards_in_use_are_those_of_the_models_that_plain_names_mean_and_no_weights_are_read(
    store: ModelStore, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
        store.add(package(made, "liver-ct", version).folder)
    found = {name: store.find(name).card for name in ("brain-mr", "liver-ct")}
    monkeypatch.setattr(model_store, "load_model", None)
    assert {card.name: card for card in store.cards_in_use()} == found
    monkeypatch.undo()
    store.choose("liver-ct", "2.0.0-rc.1")
    assert [card.version for card in store.cards_in_use()] == ["1.0.0", "2.0.0-rc.1"]


@pytest.mark.parametrize("identifier", ["heart", "brain-mr@9.0.0", "", "brain-mr@", "../shipped/brain-mr", "BRAIN-MR"])
def test_an_unknown_name_is_refused_with_what_there_is(store: ModelStore, identifier: str) -> None:
    with pytest.raises(ModelPackageError) as caught:
        store.find(identifier)
    assert str(caught.value) == f"There is no model {identifier!r}; available: brain-mr@1.0.0."


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "none", tmp_path / "nothing")
    assert store.list() == []
    with pytest.raises(ModelPackageError, match="available: none"):
        store.find("brain-mr")


def test_a_broken_model_is_listed_with_its_problem_and_hides_no_other(store: ModelStore, made: Path) -> None:
    for name in ("aorta-ct", "liver-ct", "spleen-ct"):
        store.add(package(made, name).folder)
    (store.user / "aorta-ct@1.0.0" / "model.json").write_text("{")
    (store.user / "liver-ct@1.0.0" / "weights.safetensors").write_bytes(b"short")
    (store.user / "not-a-model").mkdir()
    (store.user / "stray-file.txt").touch()
    problems = {entry.identifier: entry.problem or "" for entry in store.list()}
    assert "not valid JSON" in problems.pop("aorta-ct@1.0.0")
    assert "truncated" in problems.pop("liver-ct@1.0.0")
    assert "model.json" in problems.pop("not-a-model")
    assert problems == {"brain-mr@1.0.0": "", "spleen-ct@1.0.0": ""}
    with pytest.raises(ModelPackageError, match="truncated"):
        store.find("liver-ct@1.0.0")
    with pytest.raises(ModelPackageError, match="not valid JSON"):
        store.find("aorta-ct")


def test_an_older_sound_version_serves_where_the_newest_is_broken(store: ModelStore, made: Path) -> None:
    store.add(package(made, "liver-ct", "1.0.0").folder)
    store.add(package(made, "liver-ct", "1.1.0").folder)
    (store.user / "liver-ct@1.1.0" / "model.json").unlink()
    assert store.find("liver-ct").card.version == "1.0.0"


def test_a_model_copied_there_by_hand_under_another_name_is_a_problem(store: ModelStore, made: Path) -> None:
    shutil.copytree(package(made, "brain-mr", "9.9.9").folder, store.user / "liver-ct@1.0.0")
    problem = store.list()[-1].problem
    assert problem is not None
    assert "import it instead" in problem
    assert store.find("brain-mr").card.version == "1.0.0"


def test_verify_finds_the_bit_that_a_list_does_not_see(store: ModelStore, made: Path) -> None:
    store.add(package(made, "liver-ct").folder)
    path = store.user / "liver-ct@1.0.0" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [entry.problem for entry in store.list()] == [None, None]
    shipped, damaged = store.verify()
    assert shipped.problem is None
    assert damaged.problem is not None
    assert "changed or damaged" in damaged.problem


# --- adding and removing


def test_an_added_model_is_a_copy_of_the_packages_files_only(store: ModelStore, made: Path) -> None:
    source = package(made)
    (source.folder / "README.md").write_text("read me")
    (source.folder / "patient.nii").write_text("private")
    model = store.add(source.folder)
    shutil.rmtree(source.folder)
    assert model.folder == store.user / "liver-ct@1.0.0"
    assert {path.name for path in model.folder.iterdir()} == {"model.json", "weights.safetensors", "README.md"}
    np.testing.assert_array_equal(store.find("liver-ct").weights()["w"], np.zeros(50))


def test_a_model_moves_from_one_store_to_another_as_a_zip(store: ModelStore, made: Path, tmp_path: Path) -> None:
    store.export("brain-mr", tmp_path / "model.zip")
    other = ModelStore(tmp_path / "none", tmp_path / "other")
    assert other.add(tmp_path / "model.zip").card == store.find("brain-mr").card
    with pytest.raises(OutputError, match="does not exist"):
        store.export("brain-mr", tmp_path / "gone" / "model.zip")


def test_adding_the_same_package_again_changes_nothing(store: ModelStore, made: Path, tmp_path: Path) -> None:
    store.add(package(made).folder)
    before = snapshot(store.user)
    store.add(package(made).folder)
    store.add(store.export("liver-ct", tmp_path / "model.zip"))
    assert snapshot(store.user) == before


@pytest.mark.parametrize("changes", [{"value": 1.0}, {"title": "Another title"}, {"metrics": {"test": {"dice": 1.0}}}])
def test_a_version_never_changes(store: ModelStore, made: Path, changes: dict[str, Any]) -> None:
    store.add(package(made).folder)
    before = snapshot(store.user)
    with pytest.raises(ModelStoreError, match=r"liver-ct@1\.0\.0 is there already with other content"):
        store.add(package(made, **changes).folder)
    assert snapshot(store.user) == before


def test_a_stranger_cannot_replace_a_shipped_model(store: ModelStore, made: Path) -> None:
    assert store.shipped is not None
    before = snapshot(store.shipped)
    with pytest.raises(ModelStoreError, match=r"brain-mr@1\.0\.0 is there already with other content"):
        store.add(package(made, "brain-mr", "1.0.0", 6.66).folder)
    assert snapshot(store.shipped) == before
    assert identifiers(store) == ["brain-mr@1.0.0"]


def test_adding_a_shipped_model_gives_the_shipped_one(store: ModelStore, made: Path) -> None:
    assert store.shipped is not None
    assert store.add(package(made, "brain-mr").folder).folder == store.shipped / "brain-mr"
    assert not store.user.exists()


def test_a_damaged_version_must_be_removed_before_it_is_added_again(store: ModelStore, made: Path) -> None:
    source = package(made)
    store.add(source.folder)
    (store.user / "liver-ct@1.0.0" / "weights.safetensors").unlink()
    with pytest.raises(ModelStoreError, match="remove it first"):
        store.add(source.folder)
    store.remove("liver-ct@1.0.0")
    store.add(source.folder)
    assert store.find("liver-ct").weights().keys() == {"w"}


def test_only_sound_packages_are_added(store: ModelStore, made: Path) -> None:
    source = package(made)
    (source.folder / "weights.safetensors").write_bytes(b"x" * source.card.weights.bytes)
    with pytest.raises(ModelPackageError, match="changed or damaged"):
        store.add(source.folder)
    assert not store.user.exists()


def test_a_model_of_the_user_is_removed_and_nothing_else(store: ModelStore, made: Path) -> None:
    store.add(package(made, "liver-ct", "1.0.0").folder)
    store.add(package(made, "liver-ct", "1.1.0").folder)
    store.remove("liver-ct@1.0.0")
    assert identifiers(store) == ["brain-mr@1.0.0", "liver-ct@1.1.0"]
    assert [path.name for path in store.user.iterdir()] == ["liver-ct@1.1.0"]


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("brain-mr@1.0.0", "it came with the program"),
        ("liver-ct", "no such name and version"),
        ("../user", "no such name and version"),
        (".", "no such name and version"),
        ("", "no such name and version"),
    ],
)
def test_nothing_else_can_be_removed(store: ModelStore, made: Path, identifier: str, reason: str) -> None:
    store.add(package(made).folder)
    with pytest.raises(ModelStoreError, match=reason):
        store.remove(identifier)
    assert identifiers(store) == ["brain-mr@1.0.0", "liver-ct@1.0.0"]


@pytest.mark.parametrize(("holder", "call"), [(os, "fsync"), (Path, "rename"), (Path, "mkdir")])
def test_a_full_disk_is_explained_and_leaves_the_store_as_it_was(
    store: ModelStore, made: Path, monkeypatch: pytest.MonkeyPatch, holder: object, call: str
) -> None:
    source = package(made)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(holder, call, full)
    with pytest.raises(ModelStoreError, match="the disk is full") as caught:
        store.add(source.folder)
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert not snapshot(store.user)
    assert not [path for path in store.user.glob("*") if not is_temporary(path)]
    store.add(source.folder)
