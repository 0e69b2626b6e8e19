"""The fine-tune section after a job: versions that are tried, adopted, rolled back and deleted."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import json

from finetune_bench import table_texts
from scripted_finetuning import START, Finetune, verdict


def test_versions_are_used_rolled_back_and_deleted(finetune: Finetune) -> None:
    import qt

    ui, store, dialogs = finetune.ui, finetune.bench.panel.logic.store, finetune.bench.session.dialogs
    assert not ui.versionsGroup.visible, "nothing to choose from"
    first = finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    second = finetune.install("1.1.0-tuned.2", accepted=False, parent=first)
    rows = table_texts(ui.versionsTable)
    assert [row[0] for row in rows] == ["1.1.0-tuned.2", "1.1.0-tuned.1", "1.0.0"]
    assert [row[3] for row in rows] == ["not passed", "passed", "in use"]
    assert rows[0][1].startswith("2 cases, ") and rows[0][2] == "0.800 → 0.900"
    assert not ui.useVersionButton.enabled and not ui.rollBackButton.enabled
    ui.versionsTable.selectRow(1)
    ui.useVersionButton.click()
    assert store.find("self-test").card.identifier == first == finetune.bench.parameters.model
    ui.versionsTable.selectRow(0)
    dialogs.answer(qt.QMessageBox.No)
    ui.useVersionButton.click()
    assert "did not pass the tests. It forgets." in dialogs.texts("question")[-1]
    assert store.find("self-test").card.identifier == first
    dialogs.answer(qt.QMessageBox.Yes)
    ui.useVersionButton.click()
    assert store.find("self-test").card.identifier == second == finetune.bench.parameters.model
    ui.versionsTable.selectRow(0)
    assert not ui.deleteVersionButton.enabled, "it is in use"
    ui.rollBackButton.click()
    assert store.find("self-test").card.identifier == first == finetune.bench.parameters.model
    ui.versionsTable.selectRow(0)
    dialogs.answer(qt.QMessageBox.Ok)
    ui.deleteVersionButton.click()
    assert [entry.identifier for entry in store.list()] == ["self-test@1.0.0", first]
    finetune.bench.session.close_scene()
    assert finetune.bench.panel.parameters.model == first, "a new scene begins with the version in use"


def test_a_new_version_can_be_tried_before_it_is_adopted_or_kept_aside(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    tuned = finetune.install("1.1.0-tuned.1", accepted=False, parent="self-test@1.0.0")
    steps = ["Add corrected scans."]
    finetune.see(START, verdict(accepted=False, reasons=["It is not better."], next_steps=steps), alive=False)
    ui = finetune.ui
    assert ui.verdictLabel.text.startswith(
        "It is not better.\nA note.\n\nWhat to do next:\n• Add corrected scans.\n• Or keep the new version aside"
    )
    assert not ui.adoptButton.enabled and "reasons are above" in ui.adoptButton.toolTip
    ui.segmentAgainButton.click()
    finetune.bench.finish()
    assert finetune.bench.parameters.outputSegmentation.GetAttribute("LightMedSeg.Version") == "1.1.0-tuned.1"
    assert finetune.bench.parameters.model == "self-test@1.0.0", "a trial changes nothing"
    ui.keepAsideButton.click()
    assert tuned in finetune.bench.panel.models.names()
    assert finetune.bench.panel.logic.store.chosen("self-test") is None


def test_the_first_version_that_was_trained_from_a_draft_can_be_tried(finetune: Finetune) -> None:
    bench, draft = finetune.bench, finetune.bench.add_model("self-test", "1.0.0-draft")
    tuned = finetune.install("1.0.0-tuned.1", parent=draft)
    file = bench.panel.logic.jobs_folder / draft / "result.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(verdict(candidate=tuned)))
    bench.choose_volume()
    bench.parameters.model = draft
    assert not finetune.ui.segmentButton.enabled and finetune.ui.segmentAgainButton.enabled
    finetune.ui.segmentAgainButton.click()
    assert bench.panel.run.running, finetune.ui.statusLabel.text
    bench.finish()
    assert bench.parameters.outputSegmentation.GetAttribute("LightMedSeg.Version") == "1.0.0-tuned.1"
    bench.panel.run.start()
    assert not bench.panel.run.running and "not trained yet" in finetune.ui.statusLabel.text


def test_the_verdict_of_one_model_is_not_shown_for_another(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    folder = finetune.process.folder
    finetune.bench.parameters.model = finetune.bench.add_model("other")
    finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    finetune.see(START, verdict(), alive=False)
    (folder / "result.json").write_text(json.dumps(verdict()))
    assert not finetune.ui.verdictFrame.visible
    finetune.bench.parameters.model = "self-test@1.0.0"
    assert finetune.ui.verdictFrame.visible and finetune.ui.adoptButton.enabled
    finetune.ui.adoptButton.click()
    assert finetune.bench.parameters.model == "self-test@1.1.0-tuned.1"


def test_showing_the_panel_deletes_no_file_and_deleting_the_version_takes_its_verdict_along(finetune: Finetune) -> None:
    import qt

    tuned = finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    panel, store = finetune.bench.panel, finetune.bench.panel.logic.store
    file = panel.logic.jobs_folder / "self-test@1.0.0" / "result.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(verdict()))
    panel.update()
    assert finetune.ui.verdictFrame.visible
    # A store on a share that is away for a moment.
    folder = next(entry.folder for entry in store.list() if entry.identifier == tuned)
    folder.rename(finetune.bench.folder.parent / "away")
    panel.models.reload()
    panel.update()
    assert not finetune.ui.verdictFrame.visible and file.exists()
    (finetune.bench.folder.parent / "away").rename(folder)
    panel.models.reload()
    panel.versions.reload()
    panel.update()
    assert finetune.ui.verdictFrame.visible
    finetune.ui.versionsTable.selectRow(0)
    finetune.bench.session.dialogs.answer(qt.QMessageBox.Ok)
    finetune.ui.deleteVersionButton.click()
    assert not finetune.ui.verdictFrame.visible and not file.exists()


def test_automatic_adoption_is_remembered_for_the_user(finetune: Finetune) -> None:
    from LightMedSegLib.gui import settings

    assert not settings.adopts_at_once() and not finetune.ui.adoptCheckBox.checked
    finetune.ui.adoptCheckBox.checked = True
    assert settings.adopts_at_once()
