"""The contract and its exceptions for tests; what is imported here needs neither Slicer nor Qt."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY / "Testing") not in sys.path:
    sys.path.insert(0, str(REPOSITORY / "Testing"))

from Runtime.contract.make_contract import trimmed, write  # noqa: E402
from Runtime.contract.reader import behaviours, built, class_contract, class_names  # noqa: E402
from Runtime.contract.source_check import Source, check, check_files, check_ui, normalized, ui_classes  # noqa: E402
from Runtime.rules import ContractViolationError, StricterRuleError  # noqa: E402

__all__ = [
    "REPOSITORY",
    "ContractViolationError",
    "Source",
    "StricterRuleError",
    "behaviours",
    "built",
    "check",
    "check_files",
    "check_ui",
    "class_contract",
    "class_names",
    "normalized",
    "trimmed",
    "ui_classes",
    "write",
]
