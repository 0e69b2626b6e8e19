"""The training command: from a folder of scans to a package and its scores, and what it does without."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import pytest
from paths import REPOSITORY
from training_factory import CPU, content, write_decathlon_folder

from LightMedSegLib.model.package import load_model
from LightMedSegLib.training.__main__ import main
from LightMedSegLib.training.validation import GridValidator


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of the command on a Decathlon folder: (folder, configuration file)."""
    folder = tmp_path_factory.mktemp("run")
    write_decathlon_folder(folder / "data")
    (folder / "split.json").write_text(
        json.dumps({"train": ["case_00", "case_01"], "validation": ["case_02"], "test": ["case_03"]})
    )
    run_file = content(network={"name": "lightmedseg-tiny"}, data={"split": "split.json"}, optimizer={"steps": 2})
    (folder / "run.json").write_text(json.dumps(run_file))
    arguments = ["--config", str(folder / "run.json"), "--data", str(folder / "data"), "--device", "cpu"]
    assert main([*arguments, "--out", str(folder / "out")]) == 0
    return folder, arguments


def test_the_command_prepares_trains_and_packages(trained):
    folder, _ = trained
    assert (folder / "out" / "prepared" / "cases.json").is_file()
    assert load_model(folder / "out" / "model").card.name == "two-balls"


def test_the_command_scores_a_part_through_the_engine_and_writes_it_into_the_card(trained):
    folder, arguments = trained
    assert main([*arguments, "--out", str(folder / "out"), "--evaluate", "test"]) == 0
    metrics = load_model(folder / "out" / "model").card.metrics
    assert metrics["test"]["cases"] == 1
    assert set(metrics["test"]["dice"]) == {"Ball", "Bright ball"}
    assert "validation" in metrics
    with (folder / "out" / "evaluation-test.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["case"], row["label"]) for row in rows] == [("case_03", "Ball"), ("case_03", "Bright ball")]


def test_the_quick_validation_agrees_with_the_inference_engine(trained):
    from LightMedSegLib.io.datasets import find_cases
    from LightMedSegLib.learning.model_input import window_rule
    from LightMedSegLib.learning.prepared_case import read_prepared
    from LightMedSegLib.training.configuration.reader import read_configuration
    from LightMedSegLib.training.evaluation import evaluate_with_engine

    folder, _ = trained
    settings = read_configuration(folder / "run.json")
    model = load_model(folder / "out" / "model")
    network = model.build_network()
    quick = GridValidator(read_prepared(folder / "out" / "prepared", settings), window_rule(settings, network), CPU)
    table = quick.score(network)
    scores = evaluate_with_engine(model, find_cases(folder / "data", "decathlon", 1))
    engine = [score.metrics.dice for score in scores]
    assert [value for row in table.values for value in row] == pytest.approx(engine, abs=0.02)


def test_a_run_without_package_is_scored_on_the_model_grid(trained, tmp_path):
    """Peers of the benchmarks have no package."""
    folder, arguments = trained
    for name in ("weights.safetensors", "configuration.json"):
        (tmp_path / name).write_bytes((folder / "out" / name).read_bytes())
    prepared = ["--prepared", str(folder / "out" / "prepared")]
    assert main([*arguments, *prepared, "--out", str(tmp_path), "--evaluate", "test"]) == 0
    assert main([*arguments, "--out", str(folder / "out"), "--evaluate", "test"]) == 0
    tables = []
    for place in (tmp_path, folder / "out"):
        with (place / "evaluation-test.csv").open() as stream:
            tables.append([float(row["dice"]) for row in csv.DictReader(stream)])
    assert tables[0] == pytest.approx(tables[1], abs=0.02)


def test_user_errors_of_the_command_are_one_sentence_and_exit_code_2(trained, capsys):
    folder, arguments = trained
    for wrong in (
        ["--out", str(folder / "b"), "--set", "optimizer.nothing=1"],
        ["--out", str(folder / "b"), "--split", "x"],
    ):
        assert main([*arguments, *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert main(["--config", str(folder / "run.json"), "--out", str(folder / "empty"), "--device", "cpu"]) == 2
    assert "--data" in capsys.readouterr().err


@pytest.mark.slow
def test_a_prepared_folder_trains_where_simpleitk_is_not_installed(trained):
    folder, arguments = trained
    program = (
        "import sys; sys.modules['SimpleITK'] = None\n"
        "from LightMedSegLib.training.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    options = [
        *arguments,
        "--prepared",
        str(folder / "out" / "prepared"),
        "--out",
        str(folder / "bare"),
        "--steps",
        "1",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *options],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "bare" / "model" / "model.json").is_file()


def test_importing_the_training_package_and_its_command_needs_neither_torch_nor_simpleitk():
    program = (
        "import sys; sys.modules['SimpleITK'] = None; sys.modules['torch'] = None\n"
        "import argparse; from LightMedSegLib.training.command import add_arguments\n"
        "add_arguments(argparse.ArgumentParser())"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
