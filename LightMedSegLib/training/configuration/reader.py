"""Reading a training configuration from TOML or JSON; unknown keys and wrong types are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import DependencyError, TrainingDataError
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.storage.records import read_record, record_json, refused_as
from LightMedSegLib.storage.strict_json import parse_json
from LightMedSegLib.storage.text_files import read_text


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
        content = parse_json(text) if file_name.endswith(".json") else _parse_toml(text)
    except ValueError as error:
        raise TrainingDataError(f"The training configuration {file_name} is not well-formed: {error}.") from None
    return configuration_of(content, f"The training configuration {file_name}")


def configuration_of(content: Any, name: str = "The training configuration") -> TrainingConfiguration:
    """The configuration in a parsed file; name begins the sentence of the TrainingDataError for a wrong item."""
    with refused_as(TrainingDataError, name):
        return read_record(TrainingConfiguration, content)


def with_override(configuration: TrainingConfiguration, key: str, value: str) -> TrainingConfiguration:
    """The configuration with one value replaced: key such as "optimizer.steps", value as JSON or plain text."""
    content = record_json(configuration)
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
    return configuration_of(content)


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
