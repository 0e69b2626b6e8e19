"""The model card: what is read, and what is refused with which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from model_factory import LOCATED, make_card, make_labels

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card


def refusal(source: Any) -> str:
    with pytest.raises(ModelPackageError) as caught:
        ModelCard.from_json(source)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def with_label_names(*names: str) -> dict[str, Any]:
    labels = make_labels(len(names))
    for label, name in zip(labels, names, strict=True):
        label["name"] = name
    return make_card(labels=labels)


def test_a_card_survives_the_way_through_its_text() -> None:
    data = make_card(
        labels=3,
        channels=2,
        parent={"name": "test-model", "version": "0.9.0", "weights_sha256": "a" * 64},
        postprocessing=[{"operation": "keep_largest_component", "labels": [1, 2], "joint": True}],
        metrics={"test": {"cases": 52, "dice": {"Structure 1": 0.9}}},
        training={"configuration": {"epochs": 3}},
    )
    card = ModelCard.from_json(data)
    assert card.to_json() == data
    assert ModelCard.from_json(card.to_text()) == card
    assert ModelCard.from_json(card.to_text().encode("utf-8")) == card


def test_what_a_card_may_say_of_previews_and_large_volumes_survives_the_way_through_its_text() -> None:
    said = {
        "preview_spacing_mm": [3.0, 2.0, 2.0],
        "largest_patch": [64, 80, 96],
        "largest_extent_mm": [60.0, 75.0, 65.0],
    }
    card = ModelCard.from_json(make_card(input=said))
    assert (card.input.preview_spacing, card.input.largest_extent) == ((3.0, 2.0, 2.0), (60.0, 75.0, 65.0))
    assert card.to_json()["input"].items() >= said.items()
    assert ModelCard.from_json(card.to_text()) == card


@pytest.mark.parametrize("unsaid", [{}, {"preview_spacing_mm": None, "largest_extent_mm": None}])
def test_a_card_need_not_say_anything_of_previews_and_large_volumes(unsaid: dict[str, None]) -> None:
    card = ModelCard.from_json(make_card(input=unsaid))
    assert (card.input.preview_spacing, card.input.largest_extent) == (None, None)
    assert card.to_json() == make_card()


def test_the_attributes_are_those_of_the_card() -> None:
    card = ModelCard.from_json(make_card(labels=3, channels=2, input={"spacing_mm": [0.5, 1, 2], "patch": [8, 16, 24]}))
    assert (card.identifier, card.num_classes, card.in_channels) == ("test-model@1.0.0", 4, 2)
    assert (card.input.spacing, card.input.patch) == ((0.5, 1.0, 2.0), (8, 16, 24))
    assert [label.value for label in card.labels] == [1, 2, 3]
    assert (card.network.name, card.network.arguments) == ("lightmedseg-tiny", {})
    assert card.parent is None


def test_a_card_shares_nothing_with_what_it_was_made_from_or_gives_out() -> None:
    data = make_card(network={"arguments": {"width": [1]}})
    card = ModelCard.from_json(data)
    data["network"]["arguments"]["width"].append(2)
    card.to_json()["network"]["arguments"]["width"].append(3)
    assert card.network.arguments == {"width": [1]}
    assert type(card.network.arguments["width"][0]) is int, "sizes stay whole numbers"


def test_tuples_and_whole_floats_are_accepted_from_python() -> None:
    card = ModelCard.from_json(make_card(input={"patch": (32.0, 32, 32), "spacing_mm": (1, 1, 1)}))
    assert card.input.patch == (32, 32, 32)
    assert all(type(size) is int for size in card.input.patch)


@pytest.mark.parametrize("version", [2, 3.0, 1000])
def test_a_newer_card_is_refused_as_newer_even_if_its_items_are_unknown(version: float) -> None:
    message = refusal(make_card(schema_version=version, holograms=True))
    assert message == (
        f"The model card has schema_version {version}, but this program reads up to 1: "
        "update LightMedSeg to use this model."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 0}, "schema_version must be 1"),
        ({"schema_version": "1"}, "schema_version must be 1"),
        ({"name": "../evil"}, "name does not have the required form"),
        ({"name": "Upper"}, "name does not have the required form"),
        ({"name": "line\n"}, "name does not have the required form"),
        ({"name": "a" * 65}, "name has 65 characters"),
        ({"version": "1.0"}, "version does not have the required form"),
        ({"version": "1.0.0-01"}, "'1.0.0-01' is not a version"),
        ({"version": "1.0.0/../.."}, "version does not have the required form"),
        ({"parent": {"name": "test-model", "version": "1.0.0", "weights_sha256": "a" * 64}}, "parent is the model"),
        ({"parent": {"name": "x"}}, "parent.version is missing"),
        ({"created": "2026-02-30"}, "created is no date of the calendar"),
        ({"modality": "mr"}, "modality does not have the required form"),
        ({"title": "two\nlines"}, "title does not have the required form"),
        ({"input": {"channels": []}}, "input.channels has 0 entries"),
        ({"input": {"spacing_mm": [1, 1]}}, "input.spacing_mm has 2 entries"),
        ({"input": {"spacing_mm": [1, 0, 1]}}, "input.spacing_mm[1] is 0"),
        ({"input": {"spacing_mm": [1, float("nan"), 1]}}, "input.spacing_mm[1] is nan"),
        ({"input": {"orientation": "LPL"}}, "input.orientation must name each body axis once"),
        ({"input": {"patch": [1024, 1024, 7]}}, "input.patch [1024, 1024, 7] has more than the 8388608 voxels"),
        ({"input": {"orientation": "XYZ"}}, "input.orientation does not have the required form"),
        ({"input": {"patch": [32, 32, 32.5]}}, "input.patch[2] must be a whole number"),
        ({"input": {"patch": [32, 32, 0]}}, "input.patch[2] is 0"),
        ({"input": {"overlap": 0.95}}, "input.overlap is 0.95"),
        ({"input": {"view": "slices"}}, "input.view must be one of 'windows', 'whole'"),
        ({"input": {"zoom": 2}}, "input.zoom is not known"),
        ({"input": {"preview_spacing_mm": [3, 3]}}, "input.preview_spacing_mm has 2 entries"),
        ({"input": {"preview_spacing_mm": 3}}, "input.preview_spacing_mm must be a list or null, not 3"),
        ({"input": {"preview_spacing_mm": [3, 0.5, 3]}}, "[3, 0.5, 3] is not coarser than input.spacing_mm"),
        ({"input": {"preview_spacing_mm": [1, 1, 1]}}, "input.preview_spacing_mm [1, 1, 1] is not coarser"),
        ({"input": {"largest_patch": [8, 64, 64]}}, "input.largest_patch [8, 64, 64] is smaller than input.patch"),
        ({"input": {"largest_patch": [512, 512, 512]}}, "input.largest_patch [512, 512, 512] has more than"),
        ({"input": {"largest_extent_mm": [60, "a", 65]}}, "input.largest_extent_mm[1] must be a number"),
        ({"input": {"largest_extent_mm": [60, 0, 65]}}, "input.largest_extent_mm[1] is 0"),
        ({"network": {"arguments": None}}, "network.arguments must be an object"),
        ({"network": {"arguments": {"widths": [8, 10**6]}}}, "network.arguments.widths[1] is 1000000"),
        ({"labels": []}, "labels has 0 entries"),
        ({"postprocessing": [{"operation": "fill_holes", "labels": [3]}]}, "postprocessing[0] names label 3"),
        ({"test_time_mirroring": ["x", "x"]}, "test_time_mirroring has the same entry twice"),
        ({"test_time_mirroring": ["w"]}, "test_time_mirroring[0] must be one of"),
        ({"licenses": {"weights": ""}}, "licenses.weights must not be empty"),
        ({"training": {"cases": {"train": -1}}}, "training.cases.train is -1"),
        ({"metrics": {"dice": float("inf")}}, "metrics.dice is inf"),
        ({"metrics": {"dice": {1, 2}}}, "metrics.dice is a set"),
        ({"metrics": {"a\nb": float("nan")}}, r"metrics.'a\nb' is nan"),
        ({"weights": {"file": "../weights.safetensors"}}, "weights.file must be 'weights.safetensors'"),
        ({"weights": {"sha256": "A" * 64}}, "weights.sha256 does not have the required form"),
        ({"weights": {"bytes": 2**40}}, "weights.bytes is 1099511627776"),
        ({"extra": 1}, "extra is not known"),
    ],
)
def test_a_wrong_item_is_refused_with_its_name_and_the_reason(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(make_card(**changes))


@pytest.mark.parametrize("item", sorted(make_card()))
def test_every_item_is_needed(item: str) -> None:
    card = make_card()
    del card[item]
    assert f"{item} is missing" in refusal(card)


def test_label_values_must_run_from_one_in_order() -> None:
    labels = make_labels(3)
    assert "values 1 to 2" in refusal(make_card(labels=labels[1:]))
    assert "values 1 to 3" in refusal(make_card(labels=labels[::-1]))
    assert "values 1 to 2" in refusal(make_card(labels=[labels[0], labels[0]]))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("Lobe (left)", "lobe left"), "too much alike"),
        (("Liver", "Liver"), "too much alike"),
        (("Liver", "--"), "neither letters nor digits"),
        (("Liver", ""), "labels[1].name must not be empty"),
        (("Liver", "a\tb"), "labels[1].name does not have the required form"),
    ],
)
def test_labels_that_slicer_could_not_tell_apart_are_refused(names: tuple[str, ...], words: str) -> None:
    assert words in refusal(with_label_names(*names))


@pytest.mark.parametrize("separator", ["~", "^", "|", "\n"])
def test_a_code_cannot_smuggle_a_separator_into_the_terminology(separator: str) -> None:
    labels = make_labels(1)
    labels[0]["terminology"]["type"]["meaning"] = f"a{separator}b"
    assert "labels[0].terminology.type.meaning does not have the required form" in refusal(make_card(labels=labels))


@pytest.mark.parametrize(
    ("normalization", "words"),
    [
        ({"kind": "zscore", "clip_percentiles": [99, 1]}, "its lower limit 99 is not below its upper limit 1"),
        ({"kind": "window", "lower": 5, "upper": 5, "mean": 0, "std": 1}, "its lower limit 5 is not below"),
        ({"kind": "window", "lower": 0, "upper": 5, "mean": 0, "std": 0}, "normalization.std is 0"),
        ({"kind": "zscore"}, "normalization.clip_percentiles is missing"),
        ({"kind": "magic"}, "normalization fits none of the allowed forms"),
    ],
)
def test_a_normalization_that_cannot_work_is_refused(normalization: dict[str, Any], words: str) -> None:
    card = make_card(input={"channels": [{"name": "T1", "normalization": normalization}]})
    assert words in refusal(card)


def test_two_channels_need_two_names() -> None:
    card = make_card(channels=2)
    card["input"]["channels"][1]["name"] = card["input"]["channels"][0]["name"]
    assert "two channels of the same name" in refusal(card)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not valid JSON"),
        (json.dumps(make_card())[:-40], "not valid JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        ('{"name": "a", "name": "b"}', "the key 'name' occurs twice"),
        ('{"metrics": {"dice": NaN}}', "NaN is not a number that JSON allows"),
        ('{"metrics": 1e999}', "metrics is inf"),
        ('{"metrics": "\\ud800"}', "not valid Unicode"),
        ("[" * 100_000, "nested too deeply"),
        ('{"metrics":' + "[" * 80 + "]" * 80 + "}", "nested too deeply"),
        ("[]", "must be an object, not a list"),
        ("3", "must be an object, not 3"),
    ],
)
def test_a_text_that_is_no_sound_json_object_is_refused(text: str | bytes, words: str) -> None:
    assert words in refusal(text)


def test_a_locator_survives_the_way_through_the_text_of_the_card() -> None:
    card = ModelCard.from_json(make_card(input=LOCATED))
    assert card.input.locator is not None
    assert [side.name for side in card.input.locator.sides] == ["Left", "Right"]
    assert not card.input.locator.sides[0].mirrored
    assert ModelCard.from_json(card.to_text()) == card


def with_locator(**changes: Any) -> dict[str, Any]:
    return {"input": {**LOCATED, "locator": {**LOCATED["locator"], **changes}}}


SIDES: list[dict[str, Any]] = LOCATED["locator"]["sides"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": {"locator": LOCATED["locator"]}}, "input.locator needs input.largest_extent_mm"),
        (with_locator(model="test-model"), "input.locator is the model itself"),
        (with_locator(model="Finder"), "input.locator.model does not have the required form"),
        (with_locator(margin_mm=-1), "input.locator.margin_mm is -1"),
        (with_locator(sides=[]), "input.locator.sides has 0 entries"),
        (with_locator(sides=[*SIDES, {**SIDES[0], "name": "left"}]), "need a name of its own for each side"),
        (with_locator(sides=[SIDES[0], {"labels": ["B"]}]), "need a name of its own for each side"),
        ({**with_locator(), "labels": make_labels(128)}, "input.locator makes 256 labels, more than 255"),
        ({"removed_with_skull": [3]}, "removed_with_skull names label 3, but the labels end at 2"),
        ({"mirror_label_swaps": [[1, 2], [2, 1]]}, "mirror_label_swaps names a label twice"),
        ({"mirror_label_swaps": [[1, 3]]}, "mirror_label_swaps names label 3, but there is none"),
    ],
)
def test_sides_that_contradict_the_card_are_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(make_card(**changes))


def test_a_card_that_describes_a_located_result_has_the_labels_of_every_side() -> None:
    card = ModelCard.from_json(make_card(input=LOCATED, labels=with_label_names("CSF", "Head part")["labels"]))
    located = located_card(card)
    names = ["Left CSF", "Left head part", "Right CSF", "Right head part"]
    assert [(label.value, label.name) for label in located.labels] == list(enumerate(names, start=1))
    terms = located.labels[3].terminology
    assert terms.region == terms.type and terms.region_modifier is not None
    assert terms.region_modifier.meaning == "Right"
    alone = ModelCard.from_json(make_card(**with_locator(sides=[{"labels": ["A"]}])))
    assert located_card(alone).labels == alone.labels
    assert located_card(ModelCard.from_json(make_card())) == ModelCard.from_json(make_card())
