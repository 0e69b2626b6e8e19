"""A package that is written in place of an older one."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_factory import make_model

from LightMedSegLib.core.errors import ModelPackageError, OutputError
from LightMedSegLib.model.package import load_model
from LightMedSegLib.training.packaging import record_metrics, update_package


def test_the_old_package_stays_until_the_new_one_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_model(tmp_path / "model").folder
    rename = Path.rename

    def refused(source: Path, target: Path) -> Path:
        if target == folder and load_model(source).card.metrics.get("test"):
            raise OSError(5, "Input/output error")
        return rename(source, target)

    with monkeypatch.context() as patched, pytest.raises(OutputError, match="Input/output error"):
        patched.setattr(Path, "rename", refused)
        record_metrics(folder, "test", {"cases": 1})
    assert "test" not in load_model(folder).card.metrics
    record_metrics(folder, "test", {"cases": 1})
    assert load_model(folder).card.metrics["test"] == {"cases": 1}


def test_a_refused_card_and_a_folder_called_new_beside_it_change_nothing(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model").folder
    (tmp_path / "model.new").mkdir()
    (tmp_path / "model.new" / "mine.txt").touch()
    with pytest.raises(ModelPackageError):
        update_package(folder, postprocessing=[{"operation": "paint it red", "labels": [1]}])
    record_metrics(folder, "test", {"cases": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.new"]
    assert (tmp_path / "model.new" / "mine.txt").exists()
