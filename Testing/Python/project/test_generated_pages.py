"""The pages that are made from files are current."""

from __future__ import annotations

import sys

import pytest
from paths import REPOSITORY

TOOLS = REPOSITORY / "Testing" / "Tools"


@pytest.mark.parametrize(
    "name",
    ["make_results_page", "make_benchmark_page", "make_finetuning_page", "make_interaction_page", "make_doubt_page"],
)
def test_the_page_is_what_its_script_makes_of_the_files(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = __import__(name)
    text = module.page()
    assert module.PAGE.read_text(encoding="utf-8") == text, f"run Testing/Tools/{name}.py"
    assert text.count("| ") > 50
