"""Our schema checker against the jsonschema package, which has the last word."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_factory import make_card

from LightMedSegLib.model.card import card_schema
from LightMedSegLib.storage.json_schema import find_violation

WITNESS = jsonschema.Draft202012Validator(card_schema())

FULL_CARD = make_card(
    labels=3,
    channels=2,
    parent={"name": "test-model", "version": "0.9.0", "weights_sha256": "a" * 64},
    network={"arguments": {"film": False, "widths": [8, 16]}},
    postprocessing=[
        {"operation": "keep_largest_component", "labels": [1, 2], "joint": True},
        {"operation": "remove_small_components", "labels": [1], "minimum_ml": 0.05},
        {"operation": "fill_holes", "labels": [3]},
    ],
    test_time_mirroring=["x"],
)
FULL_CARD["input"]["channels"][1]["normalization"] = {
    "kind": "window",
    "lower": -200,
    "upper": 300,
    "mean": 20.5,
    "std": 90,
}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-300, 300),
    st.sampled_from([0, 1, 2, 1.0, 0.5, -0.001, 1e300, 2**31, 2**31 + 1, 10**30]),
    st.text(max_size=6),
    st.sampled_from(["x", "LPS", "zscore", "window", "1.0.0", "1.0.0\n", "a" * 64, "A" * 64, "", "a~b", "fill_holes"]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=4), st.dictionaries(st.text(max_size=4), SCALARS, max_size=3))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all items in a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


@st.composite
def mutated_cards(draw: st.DrawFn) -> dict[str, Any]:
    """The full card with one to three items replaced, removed, repeated, exchanged or added."""
    card = copy.deepcopy(FULL_CARD)
    for _ in range(draw(st.integers(1, 3))):
        all_places = places(card)
        *parents, key = draw(st.sampled_from(all_places))
        holder = item_at(card, tuple(parents))
        action = draw(st.sampled_from(["replace", "replace", "remove", "repeat", "exchange", "add"]))
        if action == "replace":
            holder[key] = draw(VALUES)
        elif action == "remove":
            del holder[key]
        elif action == "repeat" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif action == "exchange":
            holder[key] = copy.deepcopy(item_at(card, draw(st.sampled_from(all_places))))
        elif action == "add" and isinstance(holder, dict):
            holder[draw(st.text(max_size=4))] = draw(VALUES)
    return card


def item_at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated_cards())
def test_on_mutated_cards_jsonschema_and_we_agree(card: dict[str, Any]) -> None:
    violation = find_violation(card, card_schema())
    errors = list(WITNESS.iter_errors(card))
    assert (violation is None) == (not errors), (violation, errors[:3])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated_cards())
def test_the_item_that_we_name_is_one_that_jsonschema_names(card: dict[str, Any]) -> None:
    violation = find_violation(card, card_schema())
    if violation is None:
        return
    complaints = [(error.validator, error.absolute_path, error.message) for error in WITNESS.iter_errors(card)]
    named = violation.path.split(".")[0].split("[")[0]
    assert any((path and path[0] == named) or (not path and named in message) for _, path, message in complaints), (
        violation,
        complaints,
    )


def test_the_file_for_other_programs_is_the_schema_of_the_record() -> None:
    from Tools.write_card_schema import SCHEMA_FILE, schema_text

    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run Testing/Tools/write_card_schema.py"


def test_the_schema_itself_is_valid_and_the_full_card_follows_it() -> None:
    jsonschema.Draft202012Validator.check_schema(card_schema())
    WITNESS.validate(FULL_CARD)
    assert find_violation(FULL_CARD, card_schema()) is None


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"type": "integer"}, [1, 1.0, 1.5, True, "1", None, 10**40]),
        ({"type": ["number", "null"]}, [0, 0.5, None, False, "0"]),
        ({"const": 1}, [1, 1.0, True, "1"]),
        ({"const": {"a": [1, True]}}, [{"a": [1, True]}, {"a": [True, 1]}, {"a": [1.0, True]}, {}]),
        ({"enum": [False, 0.0, "x"]}, [0, False, "x", "X", None, True]),
        ({"type": "array", "uniqueItems": True}, [[1, True], [1, 1.0], [[1], [1]], [{"a": 1}, {"a": 1.0}], []]),
        ({"minItems": 2, "maxItems": 3, "items": {"type": "string"}}, [["a"], ["a", "b"], ["a", 1], list("abcd"), 5]),
        ({"minLength": 2, "maxLength": 3, "pattern": "^a"}, ["a", "ab", "ba", "abcd", 7]),
        ({"minimum": 0, "maximum": 1}, [-1, 0, 0.5, 1, 2, True, "5"]),
        ({"exclusiveMinimum": 0}, [0, -0.0, 1e-300, -1]),
        ({"exclusiveMaximum": 1}, [1, 1.0, 0.999, 2]),
        ({"required": ["a"], "properties": {"a": {"type": "null"}}}, [{}, {"a": None}, {"a": 1}, {"b": 1, "a": None}]),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {"b": 1}, []]),
        ({"additionalProperties": {"type": "string"}}, [{"a": "x"}, {"a": 1}]),
        ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, ["a", 1, 3, None]),
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, [1, 4, 2.5, 3.5]),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, ["x", 1]),
    ],
)
def test_every_keyword_means_what_jsonschema_says(schema: dict[str, Any], values: list[Any]) -> None:
    witness = jsonschema.Draft202012Validator(schema)
    ours = [find_violation(value, schema) is None for value in values]
    assert ours == [witness.is_valid(value) for value in values]
    assert len(set(ours)) == 2, "the examples should have both outcomes"


def test_the_violation_names_the_item_and_the_reason() -> None:
    card = copy.deepcopy(FULL_CARD)
    card["labels"][2]["color"][1] = 300
    assert str(find_violation(card, card_schema())) == "labels[2].color[1] is 300, the most allowed is 255"


@pytest.mark.parametrize("key", ["a\nb", "\x1b[31m", "", "a.b"])
def test_an_odd_key_cannot_break_the_message(key: str) -> None:
    message = str(find_violation({**FULL_CARD, key: 1}, card_schema()))
    assert message.startswith(f"{key!r} is not known; known are schema_version, name")
    assert message.isprintable()


def test_among_alternatives_the_one_that_was_meant_is_explained() -> None:
    card = copy.deepcopy(FULL_CARD)
    card["input"]["channels"][1]["normalization"]["std"] = 0
    assert str(find_violation(card, card_schema())) == "input.channels[1].normalization.std is 0, it must be above 0"
    card = copy.deepcopy(FULL_CARD)
    card["postprocessing"][1]["minimum_ml"] = "much"
    assert str(find_violation(card, card_schema())) == "postprocessing[1].minimum_ml must be a number, not 'much'"
    card["postprocessing"][1] = {"operation": "polish"}
    assert str(find_violation(card, card_schema())) == "postprocessing[1] fits none of the allowed forms"


@pytest.mark.parametrize("schema", [{"patternProperties": {}}, {"items": {"format": "date"}}, {"$ref": "other.json"}])
def test_a_schema_that_we_could_only_half_check_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not supported"):
        find_violation([1], schema)
