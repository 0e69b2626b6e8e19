"""Whole runs on images made from labelmaps: from files to a package, through the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthesis_factory import PATCH, settings, write_labelmaps

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.io.datasets import find_cases
from LightMedSegLib.learning.checkpoint import load_checkpoint
from LightMedSegLib.learning.prepared_case import prepare_case, prepare_cases, read_prepared
from LightMedSegLib.model.package import load_model
from LightMedSegLib.storage.records import record_json
from LightMedSegLib.training.__main__ import main
from LightMedSegLib.training.configuration.reader import parse_configuration
from LightMedSegLib.training.configuration.writer import configuration_as_toml

SPLIT = {"train": ["map_0", "map_1"], "validation": ["map_2"], "test": ["map_3"]}


@pytest.fixture
def run_folder(tmp_path):
    write_labelmaps(tmp_path / "maps" / "labels")
    chosen = settings(optimizer={"steps": 4, "batch": 2}, run={"validation_interval": 2}, data={"split": "split.json"})
    (tmp_path / "run.json").write_text(json.dumps(record_json(chosen)))
    (tmp_path / "split.json").write_text(json.dumps(SPLIT))
    return tmp_path


def arguments(folder, *more: str) -> list[str]:
    return ["--config", str(folder / "run.json"), "--device", "cpu", "--out", str(folder / "out"), *more]


def test_labelmaps_are_turned_to_the_model_s_axes_and_cut_to_the_head(run_folder):
    chosen = settings()
    cases = find_cases(run_folder / "maps", "labelmaps", 1)
    assert [case.name for case in cases] == ["map_0", "map_1", "map_2", "map_3"]
    prepared = prepare_case(cases[1], chosen)
    assert prepared.image.shape == (0, *prepared.labels.shape)
    left, right = (np.argwhere(prepared.labels == value).mean(axis=0) for value in (1, 2))
    assert left[2] > right[2], "x runs to the left"
    assert (prepared.labels == 1).sum() > (prepared.labels == 2).sum()


def test_a_prepared_folder_of_other_ids_is_refused(run_folder):
    chosen = settings()
    prepare_cases(find_cases(run_folder / "maps", "labelmaps", 1), chosen, run_folder / "prepared")
    assert len(read_prepared(run_folder / "prepared", chosen)) == 4
    section = record_json(chosen)["synthesis"]
    other = settings({"merged_ids": [], "tissues": [t for t in section["tissues"] if t["name"] != "plexus"]})
    with pytest.raises(TrainingDataError, match="another input description"):
        read_prepared(run_folder / "prepared", other)


def test_the_command_trains_resumes_scores_and_packages(run_folder, capsys):
    assert main(arguments(run_folder, "--data", str(run_folder / "maps"), "--time-limit", "0")) == 0
    assert load_checkpoint(run_folder / "out").state["step"] == 1
    assert main(arguments(run_folder)) == 0
    assert "finished at step 4" in capsys.readouterr().out
    assert main(arguments(run_folder, "--evaluate", "test")) == 0
    card = load_model(run_folder / "out" / "model").card
    assert card.metrics["synthetic_test"]["cases"] == 2
    assert card.training["configuration"]["synthesis"]["label_ids"] == [2, 41, 24]
    assert card.input.patch == PATCH


def test_labelmaps_without_a_synthesis_section_are_refused():
    content = record_json(settings())
    del content["synthesis"]
    with pytest.raises(TrainingDataError, match=r"data\.layout must be one of decathlon, csv"):
        parse_configuration(json.dumps(content), "a.json")


def test_the_section_survives_being_written_as_toml():
    chosen = settings({"lesion_probability": 0.125})
    assert parse_configuration(configuration_as_toml(chosen), "a.toml") == chosen
