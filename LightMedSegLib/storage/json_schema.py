"""A validator for the part of JSON Schema (draft 2020-12) that the model card's schema uses.

Own code because Slicer brings no ``jsonschema`` and torch is the only package that the
extension asks its users to install. The tests hold it against ``jsonschema``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from LightMedSegLib.storage.strict_json import member_path

_ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "$defs", "title", "description"})


@dataclass(frozen=True)
class Violation:
    """The first violation: path of the item ("" is the document itself) and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path or 'the document'} {self.reason}"


def find_violation(instance: Any, schema: Mapping[str, Any]) -> Violation | None:
    """The first violation of schema by instance (made of JSON's own types), or None.

    Raises ValueError if the schema uses a keyword that is not known here: better than not checking it.
    """
    return next(_violations(instance, schema, schema, ""), None)


def _violations(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[Violation]:
    unknown = schema.keys() - _KEYWORDS - _ANNOTATIONS
    if unknown:
        raise ValueError(f"schema keyword not supported: {', '.join(sorted(unknown))}")
    if "$ref" in schema:
        yield from _violations(value, _resolve(schema["$ref"], root), root, path)
    yield from _check_kind(value, schema, path)
    if isinstance(value, str):
        yield from _check_text(value, schema, path)
    elif _is_number(value):
        yield from _check_number(value, schema, path)
    elif isinstance(value, dict):
        yield from _check_object(value, schema, root, path)
    elif isinstance(value, list):
        yield from _check_array(value, schema, root, path)
    yield from _check_choices(value, schema, root, path)


def _check_kind(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[Violation]:
    if "type" in schema:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if not any(_TYPES[name](value) for name in names):
            yield Violation(path, f"must be {' or '.join(_TYPE_WORDS[name] for name in names)}, not {_shown(value)}")
    if "const" in schema and not _equal(value, schema["const"]):
        yield Violation(path, f"must be {_shown(schema['const'])}, not {_shown(value)}")
    if "enum" in schema and not any(_equal(value, choice) for choice in schema["enum"]):
        yield Violation(path, f"must be one of {', '.join(map(_shown, schema['enum']))}, not {_shown(value)}")


def _check_text(value: str, schema: Mapping[str, Any], path: str) -> Iterator[Violation]:
    if len(value) < schema.get("minLength", 0):
        yield Violation(path, "must not be empty" if not value else f"is too short: {_shown(value)}")
    if len(value) > schema.get("maxLength", len(value)):
        yield Violation(path, f"has {len(value)} characters, at most {schema['maxLength']} are allowed")
    elif "pattern" in schema and not re.search(schema["pattern"], value):
        yield Violation(path, f"does not have the required form: {_shown(value)}")


def _check_number(value: float, schema: Mapping[str, Any], path: str) -> Iterator[Violation]:
    if "minimum" in schema and value < schema["minimum"]:
        yield Violation(path, f"is {value}, the least allowed is {schema['minimum']}")
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield Violation(path, f"is {value}, it must be above {schema['exclusiveMinimum']}")
    if "maximum" in schema and value > schema["maximum"]:
        yield Violation(path, f"is {value}, the most allowed is {schema['maximum']}")
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield Violation(path, f"is {value}, it must be below {schema['exclusiveMaximum']}")


def _check_object(
    value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[Violation]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Violation(member_path(path, name), "is missing")
    for name, item in value.items():
        if name in properties:
            yield from _violations(item, properties[name], root, member_path(path, name))
        elif schema.get("additionalProperties") is False:
            yield Violation(member_path(path, name), f"is not known; {_suggestion(name, properties)}")
        elif isinstance(schema.get("additionalProperties"), dict):
            yield from _violations(item, schema["additionalProperties"], root, member_path(path, name))


def _suggestion(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.75)
    return f"the nearest that is known is {near[0]}" if near else f"known are {', '.join(known)}"


def _check_array(
    value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: str
) -> Iterator[Violation]:
    if len(value) < schema.get("minItems", 0):
        yield Violation(path, f"has {len(value)} entries, at least {schema['minItems']} are needed")
    if len(value) > schema.get("maxItems", len(value)):
        yield Violation(path, f"has {len(value)} entries, at most {schema['maxItems']} are allowed")
    if schema.get("uniqueItems") and any(_equal(a, b) for i, a in enumerate(value) for b in value[:i]):
        yield Violation(path, "has the same entry twice")
    if "items" in schema:
        for index, item in enumerate(value):
            yield from _violations(item, schema["items"], root, f"{path}[{index}]")


def _check_choices(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[Violation]:
    for keyword in ("anyOf", "oneOf"):
        if keyword not in schema:
            continue
        branches: Sequence[Mapping[str, Any]] = schema[keyword]
        found = [next(_violations(value, branch, root, path), None) for branch in branches]
        fitting = found.count(None)
        if fitting == 0:
            yield _best_reason(value, branches, found, root) or Violation(path, "fits none of the allowed forms")
        elif keyword == "oneOf" and fitting > 1:
            yield Violation(path, "fits more than one of the allowed forms")


def _best_reason(
    value: Any, branches: Sequence[Mapping[str, Any]], found: Sequence[Violation | None], root: Mapping[str, Any]
) -> Violation | None:
    """The violation of the one branch that was meant: its fixed members (such as "kind") are there, or its type is."""
    meant = [reason for branch, reason in zip(branches, found, strict=True) if _is_meant(value, branch, root)]
    return meant[0] if len(meant) == 1 else None


def _is_meant(value: Any, branch: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    branch = _resolve(branch["$ref"], root) if "$ref" in branch else branch
    if next(_check_kind(value, branch, ""), None) is not None:
        return False
    if not isinstance(value, dict):
        return "type" in branch
    fixed = {name: part["const"] for name, part in branch.get("properties", {}).items() if "const" in part}
    return all(name in value and _equal(value[name], constant) for name, constant in fixed.items())


def _resolve(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    prefix = "#/$defs/"
    if not reference.startswith(prefix):
        raise ValueError(f"schema reference not supported: {reference}")
    definition: Mapping[str, Any] = root["$defs"][reference.removeprefix(prefix)]
    return definition


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _equal(a: Any, b: Any) -> bool:
    """Equality of JSON values: 1 equals 1.0, but true does not equal 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return bool(a == b)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": _is_integer,
}
_TYPE_WORDS = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "null": "null",
    "number": "a number",
    "integer": "a whole number",
}
_KEYWORDS = frozenset(
    {
        *("$ref", "type", "const", "enum", "anyOf", "oneOf"),
        *("minLength", "maxLength", "pattern", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
        *("required", "properties", "additionalProperties", "minItems", "maxItems", "uniqueItems", "items"),
    }
)
