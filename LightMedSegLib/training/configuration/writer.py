"""Writing a training configuration as TOML, for the model's folder."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.storage.records import record_json

_WIDTH = 120


def configuration_as_toml(configuration: TrainingConfiguration) -> str:
    """The whole configuration, defaults included, as TOML text.

    Paths of the machine that trained are no part of the recipe: the data folder is left out, teachers and the
    run that it started from are named by their folder's last part.
    """
    content = record_json(configuration)
    content["data"]["folder"] = ""
    content["distillation"]["teachers"] = [Path(folder).name for folder in content["distillation"]["teachers"]]
    content["network"]["initial"] = Path(content["network"]["initial"]).name
    return sections_as_toml(content)


def sections_as_toml(content: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """The content of a configuration file as TOML text.

    comments: texts above the lines of items such as "input.patch" or "labels", wrapped. With comments, a list of tables
    has a line for each. TOML has no null: items that are None are left out.
    """
    lines: list[str] = []
    plain = {key: value for key, value in content.items() if not isinstance(value, dict)}
    sections = {key: value for key, value in content.items() if isinstance(value, dict)}
    for section, entries in {"": plain, **sections}.items():
        lines += ["", f"[{section}]"] if section else []
        for key, value in entries.items():
            if value is None:
                continue
            text = (comments or {}).get(f"{section}.{key}".lstrip("."), "")
            lines += textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"{_key(key)} = {_table_list(value) if comments else toml_value(value)}")
    return "\n".join(lines) + "\n"


def _table_list(value: Any) -> str:
    if not isinstance(value, (list, tuple)) or not any(isinstance(item, Mapping) for item in value):
        return toml_value(value)
    return "\n".join(["[", *(f"    {toml_value(item)}," for item in value), "]"])


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
