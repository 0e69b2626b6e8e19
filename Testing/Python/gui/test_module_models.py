"""Importing and exporting models from the panel."""

from __future__ import annotations

from pathlib import Path

import pytest
from panel_bench import Bench


@pytest.fixture
def package(tmp_path: Path, bench: Bench) -> Path:
    """A zip file of a model that the store does not have."""
    from LightMedSegLib.gui.self_test.stand_in_model import save_scenario_model
    from LightMedSegLib.model.package import export_zip, load_model

    identifier = save_scenario_model(tmp_path / "elsewhere", "imported", "2.0.0", title="Imported")
    return export_zip(load_model(tmp_path / "elsewhere" / identifier), tmp_path / "imported.zip")


def test_an_imported_model_is_chosen_and_runs(bench: Bench, package: Path) -> None:
    bench.session.dialogs.answer(str(package))
    bench.ui.importModelButton.click()
    assert bench.parameters.model == "imported@2.0.0"
    assert bench.ui.modelSelector.currentText == "Imported"
    assert bench.ui.modelInfoLabel.text == "2.0.0, added by you"
    bench.choose_volume()
    node = bench.run()
    assert node.GetAttribute("LightMedSeg.Model") == "imported"


def test_a_file_that_is_no_model_is_refused_with_the_reason(bench: Bench, tmp_path: Path) -> None:
    wrong = tmp_path / "holiday.zip"
    wrong.write_text("no zip")
    bench.session.dialogs.answer(str(wrong))
    bench.ui.importModelButton.click()
    message = bench.session.dialogs.texts("error")[0]
    assert message.startswith("The model was not imported.") and "holiday.zip" in message
    assert bench.parameters.model == bench.model


def test_an_exported_model_is_the_same_model(bench: Bench, tmp_path: Path) -> None:
    from LightMedSegLib.model.package import load_model

    bench.session.dialogs.answer(str(tmp_path / "given away"))
    bench.ui.exportModelButton.click()
    assert load_model(tmp_path / "given away.zip").card == bench.panel.models.card


def test_a_folder_that_cannot_be_written_is_said(bench: Bench, tmp_path: Path) -> None:
    bench.session.dialogs.answer(str(tmp_path / "no such folder" / "model.zip"))
    bench.ui.exportModelButton.click()
    assert bench.session.dialogs.texts("error")[0].startswith("The model was not exported.")


def test_giving_up_in_the_file_dialog_changes_nothing(bench: Bench) -> None:
    bench.session.dialogs.answer("", "")
    bench.ui.importModelButton.click()
    bench.ui.exportModelButton.click()
    assert bench.session.dialogs.texts("error") == []


def test_a_broken_model_is_named_and_cannot_be_chosen(bench: Bench) -> None:
    broken = bench.folder / "broken@1.0.0"
    broken.mkdir()
    (broken / "model.json").write_text("{")
    bench.panel.models.reload()
    bench.panel.update()
    assert bench.panel.models.names() == [bench.model]
    assert bench.ui.modelProblemsLabel.text.startswith("broken@1.0.0: ")


def test_without_any_model_the_panel_says_so(bench: Bench) -> None:
    import shutil

    shutil.rmtree(bench.folder / bench.model)
    bench.panel.models.reload()
    bench.parameters.model = ""
    assert "There is no model yet" in bench.ui.modelInfoLabel.text
    assert not bench.ui.exportModelButton.enabled and not bench.ui.segmentButton.enabled


def test_auto_chooses_a_model_and_says_why_until_something_else_is_chosen(bench: Bench) -> None:
    import slicer

    from LightMedSegLib.io.sample_data import sample_path

    bench.parameters.inputVolume = None
    assert not bench.ui.suggestModelButton.enabled
    volume = slicer.util.loadVolume(str(sample_path("head")))
    bench.parameters.inputVolume = volume
    bench.parameters.model = ""
    bench.ui.suggestModelButton.click()
    assert bench.ui.suggestionLabel.visible
    assert bench.ui.suggestionLabel.text.startswith("A suggestion, not a certainty.")
    assert bench.parameters.model == bench.model
    bench.parameters.inputVolume = None
    assert not bench.ui.suggestionLabel.visible


def test_auto_says_when_no_model_suits_and_leaves_the_choice(bench: Bench) -> None:
    import numpy as np
    import slicer

    chosen = bench.parameters.model
    array = np.zeros((20, 20, 20), dtype=np.float32)
    volume = slicer.util.addVolumeFromArray(array, name="Flat")
    bench.parameters.inputVolume = volume
    bench.ui.suggestModelButton.click()
    assert "choose a model yourself" in bench.ui.suggestionLabel.text
    assert bench.parameters.model == chosen
