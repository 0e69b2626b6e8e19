"""Writing a training configuration as TOML, for the model's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.storage.records import record_json


def configuration_as_toml(configuration: TrainingConfiguration) -> str:
    """The whole configuration, defaults included, as TOML text.

    Paths of the machine that trained are no part of the recipe: the data folder is left out, teachers and the
    run that it started from are named by their folder's last part.
    """
    content = record_json(configuration)
    content["data"]["folder"] = ""
    content["distillation"]["teachers"] = [Path(folder).name for folder in content["distillation"]["teachers"]]
    content["network"]["initial"] = Path(content["network"]["initial"]).name
    plain = {key: value for key, value in content.items() if not isinstance(value, dict)}
    lines = [f"{key} = {toml_value(value)}" for key, value in plain.items()]
    for section, entries in content.items():
        if isinstance(entries, dict):
            lines += ["", f"[{section}]", *(f"{_key(key)} = {toml_value(value)}" for key, value in entries.items())]
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A value as TOML; entries of tables that are None are left out, as TOML has no null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = [f"{_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, str):
        # JSON's escapes are a part of TOML's, except that TOML wants the delete character escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else toml_value(key)
