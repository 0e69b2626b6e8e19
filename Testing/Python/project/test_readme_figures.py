"""The figures of README.md are those of the files that the pages of the documentation are made from."""

from __future__ import annotations

import re
import statistics

import make_benchmark_page
import make_results_page
import pytest
from paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def table_rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its titles."""
    lines = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize("row", table_rows("How good is it for me?"), ids=lambda row: row[0].split("]")[0])
def test_the_accuracy_of_each_model_is_that_of_its_results(row: list[str]) -> None:
    found = re.search(r"Resources/Models/([\w-]+)/README.md", row[0])
    assert found
    folder, test = next(pair for pair in make_results_page.tests() if pair[0].name == found[1])
    rows = make_results_page.read_rows(folder / test["networks"][0]["file"])
    cases = len({one.case for one in rows})
    low, _, high = statistics.quantiles(make_results_page.case_means(rows), n=4)
    by_name = sorted((value, name) for name, value in make_results_page.structure_means(rows).items())
    assert row[1].startswith(f"{make_results_page.mean_dice(rows):.3f} in {cases} ")
    assert row[2] == f"{low:.2f} to {high:.2f}"
    named = dict.fromkeys(f"{name} {value:.2f}" for value, name in (by_name[-1], by_name[0]))
    assert row[3] == ", ".join(named)


def test_every_model_with_results_is_in_the_readme() -> None:
    measured = [folder.name for folder, test in make_results_page.tests() if test.get("networks")]
    assert len(table_rows("How good is it for me?")) == len(measured)
    assert all(f"Resources/Models/{name}/README.md" in README for name in measured)


def test_the_larger_network_has_the_figures_of_the_results() -> None:
    def dice(name: str, only: set[str] | None = None) -> tuple[str, set[str]]:
        rows = make_results_page.read_rows(make_results_page.FOLDER / name)
        rows = [one for one in rows if only is None or one.case in only]
        return f"{make_results_page.mean_dice(rows):.3f}", {one.case for one in rows}

    organs, _ = dice("headneck-oar-ct/dynunet.csv")
    brain, people = dice("brain-structures-mr/dynunet-as-is.csv")
    ours, _ = dice("brain-structures-mr/as-is.csv", people)
    _, everybody = dice("brain-structures-mr/as-is.csv")
    assert (len(people), len(everybody)) == (3, 10)
    text = " ".join(README.split())
    assert (
        f"for the hippocampus, {organs} for head and neck, and {brain} for the brain in three of the ten people" in text
    )
    assert f"in whom LightMedSeg has {ours}." in text


def test_the_larger_network_is_about_twelve_times_as_large() -> None:
    for _, test in make_results_page.tests():
        sizes = {one["title"]: float(one["parameters"].split(" M")[0]) for one in test.get("networks", [])}
        for size in (value for title, value in sizes.items() if title.startswith("DynUNet")):
            assert round(size / sizes["this model"]) == 12


def test_the_times_are_those_of_the_benchmarks() -> None:
    seconds = {task: value for task, _, value in make_benchmark_page.summary_lines()}
    rows = table_rows("How long does it take on my laptop?")
    assert len(rows) >= 4
    assert [row for row in rows if seconds.get(row[0]) != row[1]] == []
