"""Where a model is looked for: its name, folder or zip, and the folders of the user and of the program."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stored_packages import made_folder, package

from LightMedSegLib.core import user_folders
from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.model.store import ModelStore, resolve_model


def test_a_model_is_resolved_from_itself_its_folder_its_zip_and_its_name(
    store: ModelStore, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = store.add(package(made).folder)
    zip_path = store.export("liver-ct", tmp_path / "liver.zip")
    monkeypatch.chdir(store.user)
    for given in (model, model.folder, str(model.folder), zip_path, str(zip_path), "liver-ct", "liver-ct@1.0.0"):
        assert resolve_model(given, store).card == model.card
    assert resolve_model(model, store) is model


def test_the_name_of_an_installed_model_goes_before_a_folder_of_that_name(
    store: ModelStore, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made_folder(tmp_path / "work"))
    package(made, "brain-mr", "6.6.6").folder.rename(tmp_path / "work" / "brain-mr")
    package(made, "liver-ct", "5.0.0").folder.rename(tmp_path / "work" / "liver-ct")
    assert resolve_model("brain-mr", store).card.version == "1.0.0"
    assert resolve_model("./brain-mr", store).card.version == "6.6.6"
    assert resolve_model("liver-ct", store).card.version == "5.0.0"


def test_an_unknown_name_and_a_missing_path_are_refused(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(ModelPackageError, match="There is no model 'heart'"):
        resolve_model("heart", store)
    for path in (tmp_path / "gone", str(tmp_path / "gone"), "gone.zip"):
        with pytest.raises(ModelPackageError, match="There is no model package at"):
            resolve_model(path, store)


def test_the_users_folder_follows_the_platform_and_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LIGHTMEDSEG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert user_folders.user_models_folder() == tmp_path / ".local" / "share" / "LightMedSeg" / "models"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert user_folders.user_models_folder() == tmp_path / "xdg" / "LightMedSeg" / "models"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_folders.user_models_folder() == (
        tmp_path / "Library" / "Application Support" / "LightMedSeg" / "models"
    )
    monkeypatch.setattr(sys, "platform", "win32")
    assert user_folders.user_models_folder() == tmp_path / "Local" / "LightMedSeg" / "models"
    monkeypatch.setenv("LIGHTMEDSEG_HOME", str(tmp_path / "chosen place"))
    assert ModelStore(tmp_path).user == tmp_path / "chosen place" / "models"


def test_shipped_models_are_found_in_the_source_tree_in_a_wheel_and_in_the_share_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = made_folder(tmp_path / "site" / "LightMedSegLib")
    monkeypatch.setattr(user_folders, "__file__", str(library / "core" / "user_folders.py"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    assert user_folders.shipped_models_folder() is None
    for folder in (
        tmp_path / "prefix" / "share" / "lightmedseg" / "Models",
        tmp_path / "site" / "Resources" / "Models",
        library / "_resources" / "Models",
    ):
        made_folder(folder)
        assert user_folders.shipped_models_folder() == folder
