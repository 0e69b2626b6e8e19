"""Terminology entries as DICOM export and Slicer's selector need them."""

from __future__ import annotations

import json
import types
from pathlib import Path

import pytest
from mrml_fixtures import slicer

from LightMedSegLib.labels import Code, Terminology
from LightMedSegLib.mrml.terminology import scene_terminologies_logic, terminology_entry

LIVER = Terminology(Code("SCT", "123037004", "Anatomical Structure"), Code("SCT", "10200004", "Liver"))
CYST = Terminology(
    Code("SCT", "49755003", "Morphologically Altered Structure"),
    Code("SCT", "41699000", "Cyst"),
    region=Code("SCT", "10200004", "Liver"),
)


def own_list(path: Path) -> Path:
    code = {"CodingSchemeDesignator": "SCT", "CodeValue": "10200004", "CodeMeaning": "Liver"}
    category = {"CodingSchemeDesignator": "SCT", "CodeValue": "123037004", "CodeMeaning": "Anatomical Structure"}
    data = {
        "SegmentationCategoryTypeContextName": "Hospital list",
        "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/segment-context-schema.json#",
        "SegmentationCodes": {"Category": [{**category, "Type": [code]}]},
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_an_entry_is_understood_by_slicer_with_all_its_codes() -> None:
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.vtkSlicerTerminologiesModuleLogic
    assert logic.DeserializeTerminologyEntry(terminology_entry(CYST), entry)
    assert entry.GetCategoryObject().GetCodeMeaning() == "Morphologically Altered Structure"
    assert entry.GetTypeObject().GetCodeValue() == "41699000"
    assert entry.GetRegionObject().GetCodingSchemeDesignator() == "SCT"
    assert entry.GetRegionObject().GetCodeMeaning() == "Liver"
    assert logic.SerializeTerminologyEntry(entry) == terminology_entry(CYST)


def test_codes_in_a_list_that_the_user_loaded_name_that_list(tmp_path: Path) -> None:
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    assert logic.LoadTerminologyFromFile(str(own_list(tmp_path / "own.term.json"))) == "Hospital list"
    assert terminology_entry(LIVER, logic) == LIVER.to_slicer("Hospital list")
    assert terminology_entry(CYST, logic) == CYST.to_slicer()


def test_codes_in_no_list_stay_valid_under_the_default_name() -> None:
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    assert terminology_entry(LIVER, logic) == LIVER.to_slicer() == terminology_entry(LIVER)


def test_without_an_application_there_is_no_logic_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slicer, "modules", types.SimpleNamespace(), raising=False)
    assert scene_terminologies_logic() is None
    logic = object()
    modules = types.SimpleNamespace(terminologies=types.SimpleNamespace(logic=lambda: logic))
    monkeypatch.setattr(slicer, "modules", modules)
    assert scene_terminologies_logic() is logic
