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


def test_the_legends_of_the_pictures_have_the_colours_of_the_cards() -> None:
    import make_legends

    for path, text in make_legends.legends().items():
        assert path.read_text(encoding="utf-8") == text, "run Testing/Tools/make_legends.py"


def test_a_legend_names_the_sides_only_where_their_colours_differ() -> None:
    import make_legends

    from LightMedSegLib.model.store import resolve_model

    names = make_legends.entries(resolve_model("headneck-oar-ct").card)
    assert names["Left parotid gland"] != names["Right parotid gland"]
    brain = make_legends.entries(resolve_model("brain-structures-mr").card)
    assert brain["Thalamus"] == "#00760e" and not any(name.startswith(("Left", "Right")) for name in brain)
