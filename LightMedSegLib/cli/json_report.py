"""Results as JSON files, for programs that call the command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from LightMedSegLib.cli.printing.text_output import write_text
from LightMedSegLib.core.console import printable


def write_json(output: Path | str, report: dict[str, Any]) -> None:
    """Write strict JSON to a file, complete or not at all, or to standard output.

    Numbers that JSON lacks (nan, infinity) become null, and bytes of file names that are no text become escapes.
    """
    write_text(output, json.dumps(_strict(report), indent=2, allow_nan=False) + "\n")


def _strict(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
