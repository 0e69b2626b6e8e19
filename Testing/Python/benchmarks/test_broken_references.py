"""The list of broken references of the head-and-neck test, the rules behind it, and the figures made with it."""

from __future__ import annotations

import csv
import statistics

import make_results_page as results
import numpy as np
import pytest
from check_references import FACTOR, LIST, MODEL, Reference, broken, measure

from LightMedSegLib.model.store import resolve_model
from LightMedSegLib.training.split import read_split

NOTE, ENTRIES = results.broken_references(MODEL)
LISTED = {(entry["case"], entry["label"]) for entry in ENTRIES}


def lines(file: str) -> list[dict[str, str]]:
    with (results.FOLDER / MODEL / file).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_list_names_test_cases_and_structures_of_the_model_once() -> None:
    cases = set(read_split(LIST.with_name(f"{MODEL}.split.json")).test)
    labels = {label.name for label in resolve_model(MODEL).card.labels}
    assert len(LISTED) == len(ENTRIES) == 10 and NOTE.startswith("Ten ")
    assert all(case in cases and label in labels for case, label in LISTED)
    assert {(line["case"], line["label"]) for line in lines("lightmedseg.csv")} >= LISTED


def test_the_volumes_of_the_scored_references_give_the_same_list() -> None:
    """The figures of CT need the scans; those of volume are in the file of the scores."""
    scored = lines("lightmedseg.csv")
    references = [
        Reference(one["case"], one["label"], float(one["reference_volume_ml"]), None, False) for one in scored
    ]
    measured = {(one.case, one.label): (one.volume_ml, median) for one, median in broken(references)}
    by_volume = [
        entry for entry in ENTRIES if not 1 / FACTOR <= entry["volume_ml"] / entry["others_median_ml"] <= FACTOR
    ]
    assert measured.keys() == {(entry["case"], entry["label"]) for entry in by_volume}
    for entry in by_volume:
        expected = (entry["volume_ml"], entry["others_median_ml"])
        assert measured[entry["case"], entry["label"]] == pytest.approx(expected, abs=0.051)
    assert {entry["case"] for entry in ENTRIES if entry not in by_volume} == {"pt_221"}


@pytest.mark.parametrize(("title", "file"), [("this model", "lightmedseg.csv"), ("DynUNet as nnU-Net", "dynunet.csv")])
def test_the_page_s_figures_without_the_broken_references_follow_from_the_scores(title: str, file: str) -> None:
    by_label: dict[str, list[float]] = {}
    by_case: dict[str, list[float]] = {}
    for line in lines(file):
        if (line["case"], line["label"]) not in LISTED and line["dice"] != "nan":
            by_label.setdefault(line["label"], []).append(float(line["dice"]))
            by_case.setdefault(line["case"], []).append(float(line["dice"]))
    number = sum(len(dice) for dice in by_label.values())
    mean = statistics.fmean(statistics.fmean(dice) for dice in by_label.values())
    median = statistics.median(statistics.fmean(dice) for dice in by_case.values())
    row = f"| {title} | without the broken ones | {number} | {len(by_case)} | {mean:.3f} | {median:.3f} |"
    assert row in results.PAGE.read_text(encoding="utf-8")
    card = (LIST.parents[1] / "Models" / MODEL / "README.md").read_text(encoding="utf-8")
    assert f"{mean:.3f}\ninstead of" in card or f"{mean:.3f} instead of" in card


def test_a_reference_on_bone_or_of_another_size_is_broken_and_its_own_patient_is_no_measure() -> None:
    scan = np.full((4, 8, 8), 40.0)
    scan[:, :2] = 700.0
    inside, on_bone, small = (np.zeros(scan.shape, bool) for _ in range(3))
    inside[1:3, 4:6, 4:6] = True
    on_bone[:, 0:2, 0:1] = True
    small[3, 4, 4] = True
    label = "Spinal cord"
    masks = {"a": inside, "b": inside, "c": on_bone, "d": small, "e": np.zeros_like(inside)}
    found = broken([measure(case, label, mask, scan, 2.0) for case, mask in masks.items()])
    assert [(one.case, one.volume_ml, one.mean_hu, one.at_end, median) for one, median in found] == [
        ("c", 16.0, 700.0, True, 16.0),
        ("e", 0.0, None, False, 16.0),
    ]
    large = measure("d", label, small, scan, 200.0)
    assert [one.case for one, _ in broken([large, *(measure(case, label, inside, scan, 2.0) for case in "ab")])] == [
        "d"
    ]
    assert [one.case for one, _ in broken([measure("x", "Mandible", on_bone, scan, 2.0)] * 2)] == []
