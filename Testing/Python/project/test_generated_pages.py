"""The pages that are made from files are current."""

from __future__ import annotations

import sys
from pathlib import Path

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


def results_of_models() -> list[Path]:
    import make_results_page

    return [folder for folder, test in make_results_page.tests() if test.get("networks")]


@pytest.mark.parametrize("folder", results_of_models(), ids=lambda folder: folder.name)
def test_a_card_shows_the_figures_of_the_results(folder: Path) -> None:
    """The digits that pages show, of every structure: some pages take them from the card, others from the files."""
    import make_results_page as results

    from LightMedSegLib.model.store import resolve_model

    metrics = resolve_model(folder.name).card.metrics
    files = {part: part.removeprefix("malc2012-") for part in metrics if part.startswith("malc2012-")}
    files |= {"test": "lightmedseg"} if "test" in metrics else {}
    assert files
    for part, file in files.items():
        rows = results.read_rows(folder / f"{file}.csv")
        assert f"{metrics[part]['dice_mean']:.3f}" == f"{results.mean_dice(rows):.3f}", part
        for key, digits in (("dice", 3), ("hd95_mm", 2), ("nsd_1mm", 3)):
            for label, value in metrics[part][key].items():
                expected = results.mean(getattr(row, key) for row in rows if row.label == label)
                assert value is None or f"{value:.{digits}f}" == f"{expected:.{digits}f}", (part, key, label)


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
