"""JSON as the standard has it: no repeated keys, no NaN, no Infinity, valid Unicode."""

from __future__ import annotations

import json
import math
import re
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse UTF-8 JSON; every way in which it can be wrong is a ValueError with a short reason."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    try:
        value = json.loads(decoded, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    check_values(value)
    return value


def plain_values(value: Any) -> Any:
    """A copy of value in JSON's own types: a tuple becomes a list; ValueError for what JSON cannot hold."""
    check_values(value)
    return json.loads(json.dumps(value))


def check_values(value: Any, where: str = "", depth: int = 0) -> None:
    """ValueError for what JSON cannot hold: other types, non-finite numbers, lone surrogates, deep nesting."""
    if depth > 64:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where or 'it'} has a key that is not a text")
            _check_text(key, where)
            check_values(item, member_path(where, key), depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            check_values(item, f"{where}[{index}]", depth + 1)
    elif isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where or 'it'} is {value}, which JSON cannot hold")
    elif value is not None and not isinstance(value, (bool, int)):
        raise ValueError(f"{where or 'it'} is a {type(value).__name__}, which JSON cannot hold")


def member_path(path: str, name: str) -> str:
    """The path of the item called name, for messages of one line: an odd name is shown in quotes."""
    name = name if len(name) <= 60 else name[:57] + "..."
    name = name if re.fullmatch(r"[\w -]+", name) else repr(name)
    return f"{path}.{name}" if path else name


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key[:80]!r} occurs twice")
        result[key] = value
    return result


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON allows")


def _check_text(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{where or 'a text'} has characters that are not valid Unicode") from None
