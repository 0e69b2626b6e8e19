"""Records by type hints: schema, reading, checking and writing."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypedDict

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LightMedSegLib.core.records.limits import Limits
from LightMedSegLib.storage.json_schema import find_violation
from LightMedSegLib.storage.record_schema import record_schema
from LightMedSegLib.storage.records import check_record, read_record, record_json, refused_as

Size = Annotated[float, Limits(minimum=0.1, maximum=9)]


class Ball(TypedDict):
    kind: Literal["ball"]
    radius: Size


class Box(TypedDict):
    kind: Literal["box"]
    sides: tuple[Size, Size, Size]


@dataclass(frozen=True)
class Part:
    shape: Ball | Box
    material: str | None
    weight: Annotated[float, Limits(exclusiveMinimum=0)] | None = field(default=None, metadata={"omit_empty": True})


@dataclass(frozen=True)
class Toy:
    name: Annotated[str, Limits(minLength=1, pattern="^[a-z]")]
    spacing: tuple[float, float] = field(metadata={"key": "spacing_mm"})
    parts: Annotated[tuple[Part, ...], Limits(maxItems=3)] = ()
    count: Annotated[int, Limits(minimum=1)] = 1
    mode: Literal["fast", True, False] = "fast"
    main: Part | None = None
    extra: dict[str, Annotated[list[int], Limits(uniqueItems=True)] | str | None] = field(default_factory=dict)
    anything: dict[str, Any] = field(default_factory=dict)
    sold: bool = field(default=False, metadata={"required": True})


FULL: dict[str, Any] = {
    "name": "train",
    "spacing_mm": [1, 2.5],
    "parts": [
        {"shape": {"kind": "ball", "radius": 2}, "material": None},
        {"shape": {"kind": "box", "sides": [1, 2, 3]}, "material": "wood", "weight": 2},
    ],
    "count": 2.0,
    "mode": True,
    "main": {"shape": {"kind": "ball", "radius": 2}, "material": "tin"},
    "extra": {"a": [1, 2], "b": "c", "d": None},
    "anything": {"deep": [{"x": [1]}]},
    "sold": True,
}


def test_a_record_is_built_by_its_hints_and_written_as_it_was_read() -> None:
    toy = read_record(Toy, FULL)
    assert toy.spacing == (1.0, 2.5) and type(toy.spacing[0]) is float
    assert toy.count == 2 and type(toy.count) is int
    assert toy.parts[0] == Part({"kind": "ball", "radius": 2.0}, None)
    assert toy.parts[1].shape == {"kind": "box", "sides": (1.0, 2.0, 3.0)} and toy.parts[1].weight == 2.0
    assert toy.main is not None and toy.main.material == "tin"
    assert toy.extra == {"a": [1, 2], "b": "c", "d": None} and toy.mode is True
    assert record_json(toy) == FULL
    assert read_record(Toy, record_json(toy)) == toy
    least = read_record(Toy, {"name": "a", "spacing_mm": (1, 2), "sold": False})
    assert least == Toy("a", (1.0, 2.0))
    assert record_json(least)["main"] is None, "only what says so is left out"


def test_a_record_shares_nothing_with_what_it_was_made_from_or_gives_out() -> None:
    source = copy.deepcopy(FULL)
    toy = read_record(Toy, source)
    source["anything"]["deep"][0]["x"].append(2)
    record_json(toy)["anything"]["deep"][0]["x"].append(3)
    assert toy.anything == {"deep": [{"x": [1]}]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": 3}, "name must be a text, not 3"),
        ({"name": ""}, "name must not be empty"),
        ({"name": "Train"}, "name does not have the required form: 'Train'"),
        ({"spacing_mm": [1]}, "spacing_mm has 1 entries, at least 2 are needed"),
        ({"spacing": [1, 2]}, "spacing is not known; the nearest that is known is spacing_mm"),
        ({"cuont": 3}, "cuont is not known; the nearest that is known is count"),
        ({"colour": 3}, "colour is not known; known are name, spacing_mm, parts, count"),
        ({"count": 0}, "count is 0, the least allowed is 1"),
        ({"count": True}, "count must be a whole number, not true"),
        ({"mode": 1}, "mode must be one of 'fast', true, false, not 1"),
        ({"parts": [{"shape": {"kind": "ball", "radius": 10}, "material": None}]}, "parts[0].shape.radius is 10"),
        ({"parts": [{"shape": {"kind": "ball", "radius": 1}}]}, "parts[0].material is missing"),
        ({"main": {"shape": {"kind": "cone"}, "material": None}}, "main.shape fits none of the allowed forms"),
        ({"extra": {"a": [1, 1]}}, "extra.a has the same entry twice"),
        ({"anything": {"x": float("nan")}}, "anything.x is nan, which JSON cannot hold"),
        ({"anything": {"x": {1}}}, "anything.x is a set, which JSON cannot hold"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_record(Toy, {**FULL, **changes})
    assert str(caught.value).startswith(words)


def test_what_must_be_there_is_named_even_if_it_has_a_default() -> None:
    for key in ("name", "spacing_mm", "sold"):
        with pytest.raises(ValueError, match=f"^{key} is missing$"):
            read_record(Toy, {name: value for name, value in FULL.items() if name != key})


def test_a_record_that_was_made_in_python_is_checked_alike() -> None:
    toy = read_record(Toy, FULL)
    check_record(toy)
    for wrong, words in (({"count": 0}, "count is 0"), ({"spacing": (1.0, float("nan"))}, r"spacing_mm\[1\] is nan")):
        with pytest.raises(ValueError, match=words):
            check_record(replace(toy, **wrong))
    with pytest.raises(KeyError, match="The toy is not valid: count is 0"), refused_as(KeyError, "The toy"):
        check_record(replace(toy, count=0))


VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 2.0, 0.5, 10, -1, "", "a", "B", "ball", "box", "fast"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "radius", "x"]), inner),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FULL)), VALUES, st.sampled_from(["top", "part", "shape"]), st.data())
def test_the_schema_means_to_jsonschema_what_it_means_to_us(
    key: str, value: Any, where: str, data: st.DataObject
) -> None:
    toy = copy.deepcopy(FULL)
    if where == "top":
        toy[key] = value
    else:
        part = toy["parts"][data.draw(st.integers(0, 1))]
        target = part if where == "part" else part["shape"]
        target[data.draw(st.sampled_from(sorted(target)))] = value
    schema = record_schema(Toy)
    assert (find_violation(toy, schema) is None) == jsonschema.Draft202012Validator(schema).is_valid(toy)
    if find_violation(toy, schema) is None:
        for part in toy["parts"]:
            if part.get("weight", 0) is None:
                del part["weight"]  # its default, which is not written
        assert record_json(read_record(Toy, toy)) == toy


@pytest.mark.parametrize("hint", [bytes, set[int], dict[int, str], tuple[int, str]])
def test_a_type_that_a_file_cannot_hold_is_refused(hint: Any) -> None:
    with pytest.raises(TypeError):
        record_schema(hint)
