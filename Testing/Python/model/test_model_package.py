"""Model packages as folders: saved and loaded again, refused when they are damaged."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaged_packages import TENSORS, flip_last_byte, refusal
from model_factory import make_card, make_model

from LightMedSegLib.core.errors import ModelPackageError, OutputError
from LightMedSegLib.model import package
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.package import Model, load_model, save_model
from LightMedSegLib.model.package_folder import read_card
from LightMedSegLib.storage.safetensors_file import write_tensors


def edit_card(model: Model, **items: Any) -> None:
    card = json.loads((model.folder / "model.json").read_text(encoding="utf-8"))
    (model.folder / "model.json").write_text(json.dumps({**card, **items}), encoding="utf-8")


def test_what_is_saved_is_loaded_again(model: Model) -> None:
    loaded = load_model(model.folder)
    assert loaded.card == model.card
    assert loaded.card.weights.bytes == (model.folder / "weights.safetensors").stat().st_size
    found = loaded.weights()
    assert found.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_card_is_checked_again_only_if_its_file_has_changed(model: Model) -> None:
    first = read_card(model.folder)
    assert read_card(model.folder) is first
    edit_card(model, title="Another")
    assert read_card(model.folder).title == "Another"
    edit_card(model, title=3)
    with pytest.raises(ModelPackageError, match="title must be a text"):
        read_card(model.folder)


def test_the_saved_card_is_the_given_one_but_for_the_weights_entry(tmp_path: Path) -> None:
    given = make_card(metrics={"note": "größer"})
    saved = save_model(tmp_path / "m", given, TENSORS)
    text = (tmp_path / "m" / "model.json").read_text(encoding="utf-8")
    assert "größer" in text
    assert {**json.loads(text), "weights": given["weights"]} == given
    again = save_model(tmp_path / "m2", ModelCard.from_json(given), TENSORS)
    assert again.card == saved.card


def test_extra_files_are_kept_and_unknown_ones_refused(tmp_path: Path) -> None:
    (tmp_path / "curve.png").write_bytes(b"png")
    extras = {"README.md": "# Größe\n", "training.toml": b"a = 1\n", "training-curve.png": tmp_path / "curve.png"}
    save_model(tmp_path / "m", make_card(), TENSORS, extras)
    assert (tmp_path / "m" / "README.md").read_text(encoding="utf-8") == "# Größe\n"
    assert (tmp_path / "m" / "training-curve.png").read_bytes() == b"png"
    for name in ("run.py", "../README.md", "weights.safetensors", "model.json"):
        with pytest.raises(ModelPackageError, match="is not an optional file"):
            save_model(tmp_path / "other", make_card(), TENSORS, {name: "x"})
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("card", "tensors", "words"),
    [
        (make_card(version="one"), TENSORS, "version does not have the required form"),
        (make_card(), {"w": np.array([1.0, np.nan], np.float32)}, "tensor 'w' has NaN or infinite values"),
        (make_card(), {"w": np.array([np.inf], np.float16)}, "tensor 'w' has NaN or infinite values"),
        (make_card(), {"w": np.zeros(2, complex)}, "tensor 'w' has type complex128"),
        (make_card(), {"w": np.array([None])}, "tensor 'w' has type object"),
    ],
)
def test_an_unusable_model_is_not_saved(tmp_path: Path, card: dict[str, Any], tensors: Any, words: str) -> None:
    with pytest.raises(ModelPackageError, match=words):
        save_model(tmp_path / "m", card, tensors)
    assert not list(tmp_path.iterdir())


def test_an_existing_package_is_never_overwritten(model: Model) -> None:
    before = (model.folder / "weights.safetensors").read_bytes()
    with pytest.raises(ModelPackageError, match="exists already"):
        save_model(model.folder, make_card(), {"other": np.zeros(1, np.float32)})
    assert (model.folder / "weights.safetensors").read_bytes() == before


def test_a_full_disk_while_saving_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(package, "write_tensors", full)
    with pytest.raises(OutputError, match="the disk is full"):
        make_model(tmp_path / "m", "stub", tensors=TENSORS)
    assert not list(tmp_path.iterdir())


def _delete(name: str) -> Callable[[Model], None]:
    return lambda model: (model.folder / name).unlink()


def _cut(name: str, count: int) -> Callable[[Model], None]:
    def damage(model: Model) -> None:
        content = (model.folder / name).read_bytes()
        (model.folder / name).write_bytes(content[:-count])

    return damage


def _replace_weights(model: Model) -> None:
    write_tensors(model.folder / "weights.safetensors", {name: array + 1 for name, array in TENSORS.items()})


def _claim_wrong_hash(model: Model) -> None:
    edit_card(model, weights={**vars(model.card.weights), "sha256": "0" * 64})


def _pickle_with_matching_hash(model: Model) -> None:
    import hashlib
    import pickle

    content = pickle.dumps({"w": [1.0]})
    (model.folder / "weights.safetensors").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_card(model, weights={"file": "weights.safetensors", "sha256": digest, "bytes": len(content)})


DAMAGES: dict[str, tuple[Callable[[Model], Any], str]] = {
    "no card": (_delete("model.json"), "package is not a model package: it has no model.json"),
    "no weights": (_delete("weights.safetensors"), "package is not complete: it has no weights.safetensors"),
    "truncated card": (_cut("model.json", 20), "package: The model card cannot be read: it is not valid JSON"),
    "truncated weights": (_cut("weights.safetensors", 1), "it is truncated or not the file of this card"),
    "one flipped bit": (flip_last_byte, "weights.safetensors was changed or damaged"),
    "other weights": (_replace_weights, "weights.safetensors was changed or damaged"),
    "wrong hash": (_claim_wrong_hash, "weights.safetensors was changed or damaged"),
    "newer card": (lambda model: edit_card(model, schema_version=2), "update LightMedSeg to use this model"),
    "wrong card": (lambda model: edit_card(model, labels=[]), "package: The model card is not valid: labels has 0"),
    "huge card": (lambda model: edit_card(model, limits="x" * 2**21), "model.json has 2"),
    "pickled weights": (_pickle_with_matching_hash, "is not a sound safetensors file"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_package_is_refused_with_the_item_and_the_reason(model: Model, kind: str) -> None:
    damage, words = DAMAGES[kind]
    damage(model)
    assert words in refusal(model.folder)


def test_weights_that_change_after_loading_are_noticed(model: Model) -> None:
    _replace_weights(model)
    with pytest.raises(ModelPackageError, match="was changed or damaged"):
        model.weights()


def test_a_missing_or_foreign_path_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone") == f"There is no model package at {tmp_path / 'gone'}."
    assert "has no model.json" in refusal(tmp_path)
    (tmp_path / "scan.nii").write_bytes(b"not a zip")
    assert refusal(tmp_path / "scan.nii").startswith("scan.nii is not a sound zip file")
