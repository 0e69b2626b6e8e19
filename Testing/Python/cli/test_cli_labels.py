"""``--labels``: a subset of a model's labels is written, told and counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from bids_datasets import bids_dataset, tsv_rows
from engine_stubs import stub_card
from model_factory import LOCATED

from LightMedSegLib.cli import _parser, main
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.inference.result import Segmentation
from LightMedSegLib.io.labelmaps.choosing import check_known_labels
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card


def segmented(scan: Path, output: Path, *words: str) -> np.ndarray:
    assert main(["segment", str(scan), str(output), "--threads", "1", "-q", *words]) == 0
    return sitk.GetArrayFromImage(sitk.ReadImage(str(output)))


def test_a_subset_by_name_and_by_value(scan: Path, installed: str, tmp_path: Path) -> None:
    whole = segmented(scan, tmp_path / "whole.seg.nrrd")
    for word in ("2", "structure_2"):
        output, report = tmp_path / f"{word}.seg.nrrd", tmp_path / "report.json"
        found = segmented(scan, output, "--labels", word, "--json", str(report))
        np.testing.assert_array_equal(found, np.where(whole == 2, 2, 0))
        assert found.any()
        (told,) = json.loads(report.read_text())["segments"]
        assert told["name"] == "Structure 2" and told["voxels"] == int((whole == 2).sum())
        names = [sitk.ReadImage(str(output)).GetMetaData(key) for key in ("Segment0_Name", "Segment0_LabelValue")]
        assert names == ["Structure 2", "2"] and "Segment1_Name" not in sitk.ReadImage(str(output)).GetMetaDataKeys()


@pytest.mark.parametrize(
    "words",
    [
        ["segment", "IN", "OUT", "--labels", "a b,c"],
        ["segment", "IN", "OUT", "--labels", "a b", "c"],
        ["segment", "IN", "--labels", "a b", "c", "-o", "OUT"],
        ["segment", "--labels", "a b,c", "IN", "OUT"],
        ["segment", "--labels", "a b", "c", "-q", "IN", "OUT"],
        ["bids", "--labels=a b,c", "IN", "OUT", "participant"],
        ["evaluate", "ONE", "OTHER", "--labels", "a b", "c"],
        ["evaluate", "--labels", "a b,c", "ONE", "OTHER"],
    ],
)
def test_labels_stand_between_commas_or_as_words(words: list[str]) -> None:
    assert _parser(words).parse_args(words).labels == ("a b", "c")


def test_missing_names_are_told_as_without_labels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "--labels", "a"]) == 2
    assert "the following arguments are required: INPUT, OUTPUT" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["segment", "bids"])
def test_an_unknown_label_is_refused_with_the_nearest(
    command: str, scan: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = {"segment": scan, "bids": tmp_path / "data"}[command]
    words = [command, str(place), str(tmp_path / "out.nii.gz"), *(["participant"] if command == "bids" else [])]
    if command == "bids":
        bids_dataset(place, "sub-01/anat/sub-01_T1w.nii.gz")
    assert main([*words, "--labels", "2,Strukture 1"]) == 2
    assert "has no label 'Strukture 1'; the nearest are Structure 1, Structure 2." in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("hipocampus", "the nearest are Left hippocampus, Right hippocampus"),
        ("Left amigdala", "the nearest is Left amygdala."),
        ("spleen", "it has Left hippocampus, "),
    ],
)
def test_the_nearest_names_are_those_with_a_similar_word(word: str, nearest: str) -> None:
    plain = stub_card().labels[0]
    names = ["Left hippocampus", "Right hippocampus", "Left amygdala", "Left thalamus"]
    labels = [replace(plain, value=value, name=name) for value, name in enumerate(names, start=1)]
    with pytest.raises(InputImageError, match=f"a-model has no label '{word}'; {nearest}"):
        check_known_labels("a-model", labels, labels, [word])


def test_a_derivative_has_the_chosen_labels(installed: str, tmp_path: Path) -> None:
    dataset, output = bids_dataset(tmp_path / "data", "sub-01/anat/sub-01_T1w.nii.gz"), tmp_path / "out"
    words = ["-i", str(dataset), "-o", str(output), "participant", "--labels", "Structure 1", "--threads", "1", "-q"]
    assert main(["bids", *words]) == 0
    result = output / "sub-01" / "anat" / "sub-01_desc-lightmedseg_dseg"
    (row,) = tsv_rows(result.with_suffix(".tsv"))
    assert row["name"] == "Structure 1"
    assert np.unique(sitk.GetArrayFromImage(sitk.ReadImage(f"{result}.nii.gz"))).tolist() == [0, 1]


def test_the_name_of_a_structure_means_both_sides_and_that_of_a_side_one() -> None:
    own = stub_card(**LOCATED)
    head = located_card(own)
    labelmap = sitk.GetImageFromArray(np.array([[[0, *(label.value for label in head.labels)]]], dtype=np.uint8))

    def kept(*wanted: str, card: ModelCard = head) -> list[str]:
        result = Segmentation(labelmap, card, {}, "cpu").with_labels(own.labels, wanted)
        values = {label.value for label in result.card.labels}
        assert set(np.unique(sitk.GetArrayFromImage(result.labelmap)).tolist()) - {0} <= values
        return [label.name for label in result.card.labels]

    assert kept("Structure 2") == ["Left structure 2", "Right structure 2"]
    assert kept("right structure 2", "1") == ["Left structure 1", "Right structure 2"]
    assert kept("Structure 2", card=own) == ["Structure 2"]
    with pytest.raises(InputImageError, match="has no label 'Left structure 2'; it has Structure 1, Structure 2"):
        kept("Left structure 2", card=own)
