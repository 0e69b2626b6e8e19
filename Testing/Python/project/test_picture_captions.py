"""The captions of Documentation/results.md name the best, the median and the worst case that the files have."""

from __future__ import annotations

import re
import statistics
from typing import NamedTuple

import make_results_page
import pytest

CAPTION = re.compile(r"(The best|The median|A|The worst) test case (near the median )?\((.+), (?:\w+ )*(0\.\d{3})\)")


class Caption(NamedTuple):
    """What a caption says of one case, and the mean Dice of each case of its test, in rising order."""

    rank: str
    case: str
    dice: str
    means: dict[str, float]


def captions() -> list[Caption]:
    """All captions that give a case its place among the others."""
    found = []
    for folder, test in make_results_page.tests():
        for one in filter(None, (CAPTION.match(picture["text"]) for picture in test.get("pictures", []))):
            rows = make_results_page.read_rows(folder / test["networks"][0]["file"])
            names = dict.fromkeys(row.case for row in rows)
            means = dict(zip(names, make_results_page.case_means(rows), strict=True))
            rank, near, case, dice = one.groups()
            case = case.replace(", end-diastole", "_ED").replace(", end-systole", "_ES")
            found.append(Caption(near or rank, case, dice, dict(sorted(means.items(), key=lambda pair: pair[1]))))
    return found


@pytest.mark.parametrize("caption", captions(), ids=lambda one: f"{one.rank.split()[-1]}-{one.case}")
def test_a_caption_gives_a_case_its_own_dice_and_place(caption: Caption) -> None:
    names, values = list(caption.means), list(caption.means.values())
    middle = len(names) // 2
    median = f"{statistics.median(values):.3f}"
    assert caption.dice == f"{caption.means[caption.case]:.3f}"
    if caption.rank in ("The best", "The worst"):
        assert caption.case == (names[-1] if caption.rank == "The best" else names[0])
    elif caption.rank == "The median":
        assert caption.dice == median
    else:
        assert caption.dice != median
        assert caption.case in names[middle - 1 : middle + 1]


def test_each_test_with_its_best_case_shows_all_three() -> None:
    assert len(captions()) == 9
