"""Reading a training configuration from TOML or JSON; unknown keys and wrong types are refused."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from LightMedSegLib.core.errors import DependencyError, TrainingDataError
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.storage.text_files import read_text

Section = TypeVar("Section")


def read_configuration(path: Path) -> TrainingConfiguration:
    """The configuration in a .toml or .json file.

    Raises TrainingDataError when the file is missing, malformed, or holds an unknown key.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise TrainingDataError(f"The training configuration {path.name} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise TrainingDataError(f"The training configuration {path.name} cannot be read: {error}.") from None
    return parse_configuration(text, path.name)


def parse_configuration(text: str, file_name: str) -> TrainingConfiguration:
    """The configuration in text, TOML or JSON by the ending of file_name."""
    try:
        content = json.loads(text) if file_name.endswith(".json") else _parse_toml(text)
    except ValueError as error:
        raise TrainingDataError(f"The training configuration {file_name} is not well-formed: {error}.") from None
    if not isinstance(content, dict):
        raise TrainingDataError(f"The training configuration {file_name} holds no sections.")
    return build_section(TrainingConfiguration, content, "")


def configuration_as_dict(configuration: TrainingConfiguration) -> dict[str, Any]:
    """The configuration as JSON-ready nested dictionaries; build_section reads it back."""
    result: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(configuration)))
    return result


def with_override(configuration: TrainingConfiguration, key: str, value: str) -> TrainingConfiguration:
    """The configuration with one value replaced: key such as "optimizer.steps", value as JSON or plain text."""
    content = configuration_as_dict(configuration)
    section, _, name = key.rpartition(".")
    target = content
    for part in section.split(".") if section else ():
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise TrainingDataError(f"{key!r} is no setting of a training configuration.")
    try:
        target[name] = json.loads(value)
    except ValueError:
        target[name] = value
    return build_section(TrainingConfiguration, content, "")


def build_section(kind: type[Section], content: dict[str, Any], prefix: str) -> Section:
    """The dataclass kind from content, nested sections included; prefix names the section in errors."""
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(content) - set(hints))
    if unknown:
        raise TrainingDataError(
            f"The training configuration holds the unknown key {prefix + unknown[0]!r}; known are {', '.join(hints)}."
        )
    required = {
        item.name
        for item in dataclasses.fields(kind)  # type: ignore[arg-type]
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - set(content))
    if missing:
        raise TrainingDataError(f"The training configuration lacks {prefix + missing[0]!r}.")
    return kind(**{key: _convert(value, hints[key], prefix + key) for key, value in content.items()})


def _convert(value: Any, hint: Any, key: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise TrainingDataError(f"{key} must be a section of the training configuration, not {value!r}.")
        return build_section(hint, value, key + ".")
    origin = typing.get_origin(hint)
    if origin is tuple and isinstance(value, (list, tuple)):
        return _convert_tuple(value, typing.get_args(hint), key)
    if origin is dict and isinstance(value, dict):
        return value
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint in (int, bool, str) and type(value) is hint:
        return value
    if origin is types.UnionType and type(value) in typing.get_args(hint):
        return value
    name = hint.__name__ if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) else str(hint)
    raise TrainingDataError(f"{key} of the training configuration must be of type {name}, not {value!r}.")


def _convert_tuple(value: list[Any] | tuple[Any, ...], arguments: tuple[Any, ...], key: str) -> tuple[Any, ...]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(item, arguments[0], key) for item in value)
    if len(value) != len(arguments):
        raise TrainingDataError(f"{key} of the training configuration needs {len(arguments)} values, not {value!r}.")
    return tuple(_convert(item, hint, key) for item, hint in zip(value, arguments, strict=True))


def _parse_toml(text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib.loads(text)
    try:
        import tomli
    except ImportError:
        raise DependencyError(
            "Python 3.10 reads a TOML configuration only with the package tomli; install it or write JSON."
        ) from None
    return tomli.loads(text)
