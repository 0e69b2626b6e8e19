"""The JSON schema of a record, from the type hints of its dataclass."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Annotated, Any, Literal, Union

from LightMedSegLib.core.records.limits import Limits

_SCALARS: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclasses.dataclass(frozen=True)
class Item:
    """One item of a record: its attribute, its key in the file, its type hint, and whether a file may omit it.

    omitted: values that are not written.
    """

    name: str
    key: str
    hint: Any
    required: bool
    omitted: tuple[Any, ...] = ()


@functools.cache
def items_of(kind: Any) -> tuple[Item, ...]:
    """Return the items of a dataclass or a TypedDict, in their order."""
    hints = typing.get_type_hints(kind, include_extras=True)
    if typing.is_typeddict(kind):
        return tuple(Item(name, name, hint, name in kind.__required_keys__) for name, hint in hints.items())
    found = []
    for field in dataclasses.fields(kind):
        given = field.metadata
        omitted: tuple[Any, ...] = (None, ()) if given.get("omit_empty") else ()
        if given.get("omit_default"):
            omitted = (field.default,)
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        found.append(
            Item(
                field.name,
                given.get("key", field.name),
                hints[field.name],
                given.get("required", needed),
                omitted,
            )
        )
    return tuple(found)


def record_schema(kind: Any) -> dict[str, Any]:
    """Return the schema of a record, or of any type that an item may have; do not change it.

    An item has the type bool, int, float, str, Any, Literal, tuple, list, dict with str keys, dataclass or TypedDict,
    or a union of these; limits are in Annotated. The metadata of a dataclass field can have "key", the name of the
    item in the file, "required", for an item with a default, "omit_empty", for None and (), and "omit_default".

    Raises TypeError for another type.
    """
    return _whole_schema(kind)


@functools.cache
def _whole_schema(kind: Any) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    schema = _object(kind, definitions) if is_object(kind) else _schema(kind, definitions)
    return {**schema, "$defs": definitions} if definitions else schema


def is_object(hint: Any) -> bool:
    """Return whether a type hint is a dataclass or a TypedDict."""
    return isinstance(hint, type) and (dataclasses.is_dataclass(hint) or typing.is_typeddict(hint))


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    items = items_of(kind)
    return {
        "type": "object",
        "required": [item.key for item in items if item.required],
        "additionalProperties": False,
        "properties": {item.key: _schema(item.hint, definitions) for item in items},
    }


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        limits = [part.keywords for part in arguments[1:] if isinstance(part, Limits)]
        return functools.reduce(lambda one, more: {**one, **more}, limits, _schema(arguments[0], definitions))
    if is_object(hint):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    if hint is Any:
        return {}
    if origin is Literal:
        return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _union(arguments, definitions)
    if origin in (tuple, list):
        return {"type": "array", **_length(origin, arguments), "items": _schema(arguments[0], definitions)}
    if origin is dict and arguments[0] is str:
        values = _schema(arguments[1], definitions)
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    raise TypeError(f"A record cannot hold {hint}.")


def _length(origin: Any, arguments: tuple[Any, ...]) -> dict[str, int]:
    """Return the number of entries of a tuple, whose entries all have one type."""
    if origin is list or arguments[1:] == (Ellipsis,):
        return {}
    if len(set(arguments)) > 1:
        raise TypeError("The entries of a record's tuple must be of one type.")
    return {"minItems": len(arguments), "maxItems": len(arguments)}


def _union(arguments: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    rest = [part for part in arguments if part is not types.NoneType]
    branches = [_schema(part, definitions) for part in rest]
    nullable = len(rest) < len(arguments)
    if nullable and len(branches) == 1 and isinstance(branches[0].get("type"), str):
        # Limits of other types leave null alone, and one list of types gives a clearer message than alternatives.
        return {**branches[0], "type": [branches[0]["type"], "null"]}
    exclusive = not nullable and all(is_object(part) for part in rest)
    return {"oneOf" if exclusive else "anyOf": [*([{"type": "null"}] if nullable else []), *branches]}
