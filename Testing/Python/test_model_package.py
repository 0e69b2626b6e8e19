"""Model packages: folders and zip files, sound and hostile."""

from __future__ import annotations

import errno
import gc
import json
import os
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_factory import make_card, make_model, use_stub_network

from LightMedSegLib import model_package
from LightMedSegLib.errors import DependencyError, ModelPackageError, OutputError
from LightMedSegLib.model_card import ModelCard
from LightMedSegLib.model_package import Model, export_zip, load_model, save_model
from LightMedSegLib.package_folder import FILE_LIMITS
from LightMedSegLib.tensor_file import write_tensors

TENSORS = {"head.weight": np.ones((3, 1, 1, 1, 1), np.float32), "head.bias": np.arange(3, dtype=np.float32)}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return make_model(tmp_path / "package", "stub", tensors=TENSORS)


def refusal(source: Path) -> str:
    with pytest.raises(ModelPackageError) as caught:
        load_model(source)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def edit_card(model: Model, **items: Any) -> None:
    card = json.loads((model.folder / "model.json").read_text(encoding="utf-8"))
    (model.folder / "model.json").write_text(json.dumps({**card, **items}), encoding="utf-8")


def write_raw_zip(path: Path, entries: list[tuple[str | zipfile.ZipInfo, bytes]], compression: int = 8) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def sound_entries(model: Model) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    return [(name, (model.folder / name).read_bytes()) for name in ("model.json", "weights.safetensors")]


# --- folders


def test_what_is_saved_is_loaded_again(model: Model) -> None:
    loaded = load_model(model.folder)
    assert loaded.card == model.card
    assert loaded.card.weights.bytes == (model.folder / "weights.safetensors").stat().st_size
    found = loaded.weights()
    assert found.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(found[name], array)


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

    monkeypatch.setattr(model_package, "write_tensors", full)
    with pytest.raises(OutputError, match="the disk is full"):
        make_model(tmp_path / "m", "stub", tensors=TENSORS)
    assert not list(tmp_path.iterdir())


def _delete(name: str) -> Callable[[Model], None]:
    return lambda model: (model.folder / name).unlink()


def _flip_last_byte(model: Model) -> None:
    path = model.folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


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
    "one flipped bit": (_flip_last_byte, "weights.safetensors was changed or damaged"),
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


# --- the network


def test_the_network_is_built_in_evaluation_mode_with_these_weights(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stub_network(monkeypatch)
    network = model.build_network()
    assert not network.training
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), TENSORS[name])


def test_half_precision_weights_are_loaded_as_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stub_network(monkeypatch)
    halves = {name: array.astype(np.float16) for name, array in TENSORS.items()}
    state = make_model(tmp_path / "m", "stub", tensors=halves).build_network().state_dict()
    assert {str(tensor.dtype) for tensor in state.values()} == {"torch.float32"}
    np.testing.assert_array_equal(state["head.bias"].numpy(), TENSORS["head.bias"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"head.bias": None}, "tensor 'head.bias' is missing"),
        ({"tail.bias": np.zeros(1, np.float32)}, "tensor 'tail.bias' is unknown"),
        ({"head.bias": np.zeros(4, np.float32)}, "tensor 'head.bias' has shape (4,) instead of (3,)"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    use_stub_network(monkeypatch)
    tensors = {name: array for name, array in {**TENSORS, **changes}.items() if array is not None}
    model = make_model(tmp_path / "m", "stub", tensors=tensors)
    with pytest.raises(ModelPackageError) as caught:
        model.build_network()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "arguments"), [("unheard-of", {}), ("lightmedseg-tiny", {"wings": 2})])
def test_a_network_that_this_program_lacks_is_named(tmp_path: Path, name: str, arguments: dict[str, Any]) -> None:
    model = make_model(tmp_path / "m", name, arguments=arguments, tensors=TENSORS)
    with pytest.raises(ModelPackageError, match=f"test-model@1.0.0 needs the network '{name}'.*cannot build") as caught:
        model.build_network()
    assert not str(caught.value).endswith("..")


def test_a_card_that_asks_for_a_huge_network_is_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LightMedSegLib import network

    built = []

    def build_network(*arguments: Any, **overrides: Any) -> Any:
        built.append(real(*arguments, **overrides))
        return built[-1]

    real = network.build_network
    monkeypatch.setattr(network, "build_network", build_network)
    arguments = {"encoder_channels": [1024] * 8, "decoder_channels": [1024] * 7}
    with pytest.raises(ModelPackageError, match="the weights do not fit the network"):
        make_model(tmp_path / "huge", arguments=arguments, tensors=TENSORS).build_network()
    assert {parameter.device.type for parameter in built[0].parameters()} == {"meta"}
    assert len(built) == 1


def test_without_torch_the_network_asks_for_it(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DependencyError, match="PyTorch is not installed"):
        model.build_network()


def test_a_real_network_gives_the_same_output_after_the_package(tmp_path: Path) -> None:
    import torch

    torch.set_num_threads(1)
    first = make_model(tmp_path / "a", labels=2, channels=2, seed=5)
    second = make_model(tmp_path / "b", labels=2, channels=2, seed=5)
    other = make_model(tmp_path / "c", labels=2, channels=2, seed=6)
    assert first.card.weights == second.card.weights
    assert first.card.weights != other.card.weights
    network = first.build_network()
    assert not network.training
    volume = torch.zeros(1, 2, 16, 32, 16)
    with torch.inference_mode():
        expected = network(volume)
        assert expected.shape == (1, 3, 16, 32, 16)
        assert torch.equal(load_model(export_zip(second, tmp_path / "b.zip")).build_network()(volume), expected)
        assert not torch.equal(other.build_network()(volume), expected)


# --- zip files


def test_a_package_survives_the_way_through_a_zip(model: Model, tmp_path: Path) -> None:
    (model.folder / "README.md").write_text("read me", encoding="utf-8")
    (model.folder / "notes-of-patient.txt").write_text("private", encoding="utf-8")
    path = export_zip(model, tmp_path / "model.zip")
    with zipfile.ZipFile(path) as archive:
        top = "test-model-1.0.0/"
        assert archive.namelist() == [top + "README.md", top + "model.json", top + "weights.safetensors"]
    loaded = load_model(path)
    assert loaded.card == model.card
    assert (loaded.folder / "README.md").read_text(encoding="utf-8") == "read me"
    loaded.weights()


def test_equal_packages_give_equal_zips_whenever_they_are_written(model: Model, tmp_path: Path) -> None:
    first = export_zip(model, tmp_path / "a.zip").read_bytes()
    for file in model.folder.iterdir():
        os.utime(file, (1e9, 1e9))
    assert export_zip(model, tmp_path / "b.zip").read_bytes() == first


def test_the_unpacked_files_live_as_long_as_the_model_and_no_longer(model: Model, tmp_path: Path) -> None:
    loaded = load_model(export_zip(model, tmp_path / "model.zip"))
    folder = loaded.folder
    assert folder.is_dir()
    del loaded
    gc.collect()
    assert not folder.exists()


def test_a_damaged_model_is_not_exported(model: Model, tmp_path: Path) -> None:
    _flip_last_byte(model)
    with pytest.raises(ModelPackageError, match="changed or damaged"):
        export_zip(model, tmp_path / "model.zip")
    assert not (tmp_path / "model.zip").exists()


def test_an_export_that_cannot_be_written_is_explained(model: Model, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        export_zip(model, tmp_path / "gone" / "model.zip")


@pytest.mark.parametrize("prefix", ["", "any-folder/"])
def test_files_at_the_root_or_in_one_folder_are_found_and_desktop_junk_is_ignored(
    model: Model, tmp_path: Path, prefix: str
) -> None:
    entries = [(prefix + str(name), content) for name, content in sound_entries(model)]
    if prefix:
        entries.insert(0, (prefix, b""))
    entries += [("__MACOSX/any-folder/._model.json", b"junk"), (prefix + ".DS_Store", b"junk")]
    loaded = load_model(write_raw_zip(tmp_path / "a.zip", [*entries]))
    assert loaded.card == model.card
    assert {path.name for path in loaded.folder.iterdir()} == {"model.json", "weights.safetensors"}


def _link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


HOSTILE_ENTRIES: dict[str, tuple[list[tuple[str | zipfile.ZipInfo, bytes]], str]] = {
    "absolute": ([("/etc/model.json", b"x")], "'/etc/model.json' has an absolute or malformed name"),
    "drive": ([("C:/model.json", b"x")], "has an absolute or malformed name"),
    "drive-relative": ([("C:model.json", b"x")], "has an absolute or malformed name"),
    "stream": ([("README.md:hidden", b"x")], "has an absolute or malformed name"),
    "backslash": ([("..\\README.md", b"x")], "has an absolute or malformed name"),
    "parent": ([("../README.md", b"x")], "would leave the package's folder"),
    "parent inside": ([("a/../../README.md", b"x")], "would leave the package's folder"),
    "dot": ([("./README.md", b"x")], "would leave the package's folder"),
    "link": ([(_link("README.md"), b"/etc/passwd")], "is a link or another special file"),
    "twice": ([("model.json", b"x")], "'model.json' occurs twice"),
    "other case": ([("Model.json", b"x")], "'Model.json' is not a file of a model package"),
    "script": ([("setup.py", b"x")], "'setup.py' is not a file of a model package"),
    "pickle": ([("weights.pt", b"x")], "'weights.pt' is not a file of a model package"),
    "deep": ([("a/b/README.md", b"x")], "is not a file of a model package"),
    "two folders": ([("a/README.md", b"x")], "lie in more than one folder"),
    "too large": ([("README.md", b"x" * (FILE_LIMITS["README.md"] + 1))], "more than the 1048576 allowed"),
    "bomb": ([("reference.safetensors", bytes(40_000_000))], "looks like a zip bomb"),
    "many": ([(f"file{index}", b"") for index in range(70)], "it has 72 entries, more than 64"),
}


@pytest.mark.parametrize("kind", HOSTILE_ENTRIES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_entry_is_refused_and_nothing_is_unpacked(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    extra, words = HOSTILE_ENTRIES[kind]
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(model_package.tempfile, "tempdir", str(tmp_path / "temporary"))
    path = write_raw_zip(tmp_path / "evil.zip", [*sound_entries(model), *extra])
    before = sorted(tmp_path.rglob("*"))
    message = refusal(path)
    assert message.startswith("evil.zip is refused: ")
    assert words in message
    assert sorted(tmp_path.rglob("*")) == before


def test_every_truncation_of_a_zip_is_refused(model: Model, tmp_path: Path) -> None:
    content = export_zip(model, tmp_path / "model.zip").read_bytes()
    for length in range(0, len(content), 37):
        (tmp_path / "cut.zip").write_bytes(content[:length])
        assert "cut.zip is not a sound zip file" in refusal(tmp_path / "cut.zip")


def test_every_flipped_byte_of_a_zip_is_refused_or_harmless(model: Model, tmp_path: Path) -> None:
    content = export_zip(model, tmp_path / "model.zip").read_bytes()
    refused = 0
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        (tmp_path / "bad.zip").write_bytes(damaged)
        try:
            assert load_model(tmp_path / "bad.zip").card == model.card
        except ModelPackageError:
            refused += 1
    assert refused > len(content) // 10


def test_a_zip_that_lies_about_a_size_is_refused(model: Model, tmp_path: Path) -> None:
    big = b"x" * (FILE_LIMITS["README.md"] + 1)
    path = write_raw_zip(tmp_path / "liar.zip", [*sound_entries(model), ("README.md", big)], zipfile.ZIP_DEFLATED)
    content = path.read_bytes().replace(len(big).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(content)
    assert "liar.zip is" in refusal(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_compression_is_refused(model: Model, tmp_path: Path, compression: int) -> None:
    path = write_raw_zip(tmp_path / "odd.zip", sound_entries(model), compression)
    assert "has an unusual compression" in refusal(path)


def test_an_encrypted_zip_is_refused(model: Model, tmp_path: Path) -> None:
    content = bytearray(write_raw_zip(tmp_path / "secret.zip", sound_entries(model)).read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        position = content.find(signature)
        while position >= 0:
            content[position + offset] |= 1
            position = content.find(signature, position + 1)
    (tmp_path / "secret.zip").write_bytes(content)
    assert "'model.json' is encrypted" in refusal(tmp_path / "secret.zip")


def test_an_empty_zip_is_no_model(tmp_path: Path) -> None:
    assert refusal(write_raw_zip(tmp_path / "empty.zip", [])) == (
        "empty.zip is not a model package: it has no model.json."
    )
