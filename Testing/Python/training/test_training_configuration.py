"""Training configurations: reading, refusing and writing."""

from __future__ import annotations

import json

import pytest
from paths import REPOSITORY
from training_factory import configuration, content

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.training.configuration.reader import parse_configuration, read_configuration, with_override
from LightMedSegLib.training.configuration.writer import configuration_as_toml, toml_value
from LightMedSegLib.training.networks import build_training_network, check_patch
from LightMedSegLib.training.packaging import card_content
from LightMedSegLib.training.split import read_split

TRAINING = REPOSITORY / "Resources" / "Training"


def test_toml_and_json_describe_the_same_run():
    wanted = configuration(optimizer={"learning_rate": 1})
    assert parse_configuration(configuration_as_toml(wanted), "run.toml") == wanted
    assert parse_configuration(json.dumps(content(optimizer={"learning_rate": 1})), "run.json") == wanted


def test_text_with_quotes_backslashes_and_control_characters_survives_toml():
    tomllib = pytest.importorskip("tomllib")
    for text in ('a "quoted" word', "C:\\folder", "tab\tand delete\x7f", "Größe µm"):
        assert tomllib.loads(f"text = {toml_value(text)}")["text"] == text


def test_the_written_configuration_names_no_folder_of_the_machine_that_trained():
    text = configuration_as_toml(
        configuration(
            data={"folder": "/home/someone/scans"},
            network={"initial": "/home/someone/run6"},
            distillation={"teachers": ["/home/someone/run7"]},
        )
    )
    assert "/home" not in text
    assert 'initial = "run6"' in text
    assert 'teachers = ["run7"]' in text


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"optimizer": {"learning_rat": 1e-3}}, "optimizer.learning_rat is not known; .* learning_rate"),
        ({"surprise": {}}, "surprise"),
        ({"optimizer": {"steps": 10.5}}, "optimizer.steps"),
        ({"optimizer": {"steps": True}}, "optimizer.steps"),
        ({"optimizer": {"steps": 0}}, "optimizer.steps"),
        ({"optimizer": {"learning_rate": float("nan")}}, "optimizer.learning_rate"),
        ({"optimizer": {"schedule": "linear"}}, "optimizer.schedule"),
        ({"run": {"compile": 1}}, "run.compile"),
        ({"run": {"compile": "sometimes"}}, "run.compile must be one of 'auto', true, false, not 'sometimes'"),
        ({"augmentation": {"scaling": [0.9]}}, "augmentation.scaling"),
        ({"augmentation": {"mirror_axes": ["left"]}}, "left"),
        ({"data": {"layout": "bids"}}, "data.layout must be one of 'decathlon', 'csv', 'labelmaps', not 'bids'"),
        ({"data": {"layout": "labelmaps"}}, "data.layout must be one of decathlon, csv, not 'labelmaps'"),
        ({"augmentation": {"mirror_label_swaps": [[1, 1]]}}, "mirror_label_swaps"),
        ({"augmentation": {"mirror_label_swaps": [[1, 7]]}}, "mirror_label_swaps"),
        ({"loss": {"class_weights": [1.0, 2.0]}}, "class_weights"),
        ({"averaging": {"decay": 1.0}}, "averaging.decay"),
        ({"input": {"patch": [16, 16]}}, "input.patch"),
        ({"input": {"spacing_mm": [1.0, 0.0, 1.0]}}, "input.spacing_mm"),
    ],
)
def test_a_wrong_value_is_refused_by_name(sections, named):
    with pytest.raises(TrainingDataError, match=named):
        configuration(**sections)


def test_label_values_must_run_from_one():
    wrong = content()
    wrong["labels"] = [{**wrong["labels"][0], "value": 2}]
    with pytest.raises(TrainingDataError, match="1, 2, 3"):
        parse_configuration(json.dumps(wrong), "run.json")


def test_a_missing_section_is_named():
    incomplete = content()
    del incomplete["labels"]
    with pytest.raises(TrainingDataError, match=r"run\.json is not valid: labels is missing"):
        parse_configuration(json.dumps(incomplete), "run.json")


@pytest.mark.parametrize(("name", "text"), [("run.toml", "a = = 1"), ("run.json", "{"), ("run.json", "[1]")])
def test_a_malformed_file_is_refused_with_its_name(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(TrainingDataError, match=name):
        read_configuration(tmp_path / name)


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(TrainingDataError, match=r"nothing\.toml"):
        read_configuration(tmp_path / "nothing.toml")


def test_an_override_replaces_one_value_and_is_checked_like_the_file():
    base = configuration()
    assert with_override(base, "optimizer.batch", "8").optimizer.batch == 8
    assert with_override(base, "network.peer", "dynunet").network.peer == "dynunet"
    assert with_override(base, "optimizer.batch", "8").augmentation == base.augmentation
    for key in ("optimizer.bach", "optimizer.batch.size", "nothing"):
        with pytest.raises(TrainingDataError):
            with_override(base, key, "8")


def test_an_impossible_network_or_patch_is_refused():
    with pytest.raises(TrainingDataError, match="no-such-network"):
        build_training_network(configuration(network={"name": "no-such-network"}))
    with pytest.raises(TrainingDataError, match="multiple of 16"):
        check_patch(build_training_network(configuration(network={"name": "lightmedseg-tiny"})), (16, 24, 16))


@pytest.mark.parametrize("path", sorted(TRAINING.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_can_train_and_gives_a_valid_card(path):
    from LightMedSegLib.model.card import ModelCard

    shipped = read_configuration(path)
    check_patch(build_training_network(shipped), shipped.patch)
    split = read_split(path.parent / shipped.data.split)
    weights = {"file": "weights.safetensors", "sha256": "0" * 64, "bytes": 1000}
    card = ModelCard.from_json({**card_content(shipped, split, {}), "weights": weights})
    assert card.name == path.stem
    assert card.training["split_sha256"] == split.sha256


def test_the_hippocampus_split_has_the_announced_parts():
    split = read_split(TRAINING / "hippocampus-t1-mr.split.json")
    assert (len(split.train), len(split.validation), len(split.test)) == (152, 16, 40)
    assert list(split.test) == sorted(split.test)


def test_compiling_is_decided_by_the_run_or_by_hand():
    assert configuration().run.compile == "auto"
    for text, value in (("true", True), ("false", False), ("auto", "auto")):
        chosen = with_override(configuration(), "run.compile", text)
        assert chosen.run.compile == value
        assert parse_configuration(configuration_as_toml(chosen), "run.toml") == chosen
