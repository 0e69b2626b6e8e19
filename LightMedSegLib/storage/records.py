"""Records: frozen dataclasses that are read from JSON or TOML by their type hints, checked, and written again."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar, Union

from LightMedSegLib.storage.json_schema import find_violation
from LightMedSegLib.storage.record_schema import is_object, items_of, record_schema
from LightMedSegLib.storage.strict_json import check_values, plain_values

Record = TypeVar("Record")


def read_record(kind: type[Record], data: Any) -> Record:
    """Return the record in parsed JSON or TOML, as a copy; record_schema defines the valid content.

    Raises ValueError with the item and the reason.
    """
    plain = plain_values(data)
    violation = find_violation(plain, record_schema(kind))
    if violation:
        raise ValueError(str(violation))
    record: Record = _built(kind, plain)
    return record


def check_record(record: Any) -> None:
    """Check a record that was made in Python by the same rules; raises ValueError as read_record does."""
    data = record_json(record)
    check_values(data)
    violation = find_violation(data, record_schema(type(record)))
    if violation:
        raise ValueError(str(violation))


def record_json(record: Any) -> dict[str, Any]:
    """Return the record as a JSON object that read_record reads, as a copy."""
    kind: Any = type(record)
    return {
        item.key: _plain(value) for item in items_of(kind) if (value := getattr(record, item.name)) not in item.omitted
    }


@contextmanager
def refused_as(error: type[Exception], what: str) -> Iterator[None]:
    """Raise a ValueError as the sentence "what is not valid: reason."."""
    try:
        yield
    except ValueError as reason:
        raise error(f"{what} is not valid: {reason}.") from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return record_json(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _built(hint: Any, value: Any) -> Any:
    """Return a valid value converted to its type hint."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if value is None:
        return None
    if origin is Annotated:
        return _built(arguments[0], value)
    if is_object(hint):
        content = {item.name: _built(item.hint, value[item.key]) for item in items_of(hint) if item.key in value}
        return hint(**content)
    if origin in (Union, types.UnionType):
        return _built(next(part for part in arguments if _fits(part, value)), value)
    if origin in (tuple, list):
        return origin(_built(arguments[0], item) for item in value)
    if origin is dict:
        return {key: _built(arguments[1], item) for key, item in value.items()}
    return hint(value) if hint in (int, float) else value


def _fits(hint: Any, value: Any) -> bool:
    return hint is not types.NoneType and find_violation(value, record_schema(hint)) is None
