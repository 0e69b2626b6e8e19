"""A fine-tuned version is adopted and rolled back: a part of the module's self test that needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LightMedSegLib.gui.self_test.stand_in_model import save_scenario_model

_VERSION = "1.1.0-tuned.1"
_TABLE = {"before": 0.8, "after": 0.9, "labels": {"Bright": {"before": 0.8, "after": 0.9}}}
_NOTHING: dict[str, Any] = {"before": None, "after": None, "labels": {}}


def a_new_version_is_adopted_and_rolled_back(test: Any, panel: Any, model: str) -> None:
    """The verdict is shown, Adopt makes its version the one in use, Go back leaves it."""
    store, parameters = panel.logic.store, panel.logic.getParameterNode()
    parameters.model = model
    candidate = _save_version(store.user, store.find(model).card)
    panel.verdict.take(model, {**_report(), "candidate": candidate, "adopted": False})
    test.assertEqual(panel.verdict.candidate, candidate)
    test.assertEqual(parameters.model, model, "nothing is adopted without a click")
    panel.ui.adoptButton.click()
    test.assertEqual(store.find("self-test").card.identifier, candidate)
    test.assertEqual(panel.logic.getParameterNode().model, candidate)
    test.assertEqual(panel.ui.versionsTable.rowCount, 2)
    panel.ui.rollBackButton.click()
    test.assertEqual(store.find("self-test").card.identifier, model)
    test.assertEqual(panel.logic.getParameterNode().model, model)
    panel.verdict.dismiss()


def _report() -> dict[str, Any]:
    return {"accepted": True, "reasons": [], "notes": [], "held_out": _TABLE, "reference": _NOTHING}


def _save_version(folder: Path, parent: Any) -> str:
    made_from = {"name": parent.name, "version": parent.version, "weights_sha256": parent.weights.sha256}
    training = {
        "data": "none",
        "cases": {"train": 1, "validation": 0, "test": 0},
        "split_sha256": None,
        "configuration": None,
    }
    return save_scenario_model(
        folder, version=_VERSION, parent=made_from, training=training, metrics={"fine_tuning": _report()}
    )
