"""Model packages as zip files: sound, damaged and hostile."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import gc
import os
import stat
import zipfile
from pathlib import Path

import pytest
from damaged_packages import flip_last_byte, refusal

from LightMedSegLib.core.errors import ModelPackageError, OutputError
from LightMedSegLib.model import package
from LightMedSegLib.model.package import Model, export_zip, load_model
from LightMedSegLib.model.package_folder import FILE_LIMITS


def write_raw_zip(path: Path, entries: list[tuple[str | zipfile.ZipInfo, bytes]], compression: int = 8) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def sound_entries(model: Model) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    return [(name, (model.folder / name).read_bytes()) for name in ("model.json", "weights.safetensors")]


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
    flip_last_byte(model)
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
    monkeypatch.setattr(package.tempfile, "tempdir", str(tmp_path / "temporary"))
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
