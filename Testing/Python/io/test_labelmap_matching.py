"""Which segment is which label: the name decides."""

from __future__ import annotations

import unicodedata

import pytest
from model_factory import make_labels

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.labelmaps.matching import label_values, match_segments
from LightMedSegLib.io.labelmaps.segments import Segment, segments_of


def labels(*names: str) -> list[Label]:
    made = [Label.from_json(label) for label in make_labels(len(names))]
    return [Label(one.value, name, one.color, one.terminology) for one, name in zip(made, names, strict=True)]


HIPPOCAMPUS = labels("Anterior hippocampus", "Posterior hippocampus")


def test_the_name_goes_before_the_identifier() -> None:
    """Somebody who finds two labels swapped may change the names of the segments; the identifiers stay."""
    renamed = [
        Segment(1, "Posterior hippocampus", "Anterior_hippocampus"),
        Segment(2, "Anterior hippocampus", "Posterior_hippocampus"),
    ]
    assert match_segments(renamed, HIPPOCAMPUS) == [2, 1]
    assert match_segments([Segment(5, "corrected", "Posterior_hippocampus")], HIPPOCAMPUS) == [2]


def test_a_coded_type_counts_where_it_is_that_of_one_label_only() -> None:
    first, second = HIPPOCAMPUS
    coded = Segment(7, "corrected", terminology=second.terminology.to_slicer())
    assert match_segments([coded], HIPPOCAMPUS) == [2]
    alike = [first, Label(2, second.name, second.color, first.terminology)]
    assert match_segments([Segment(7, "corrected", terminology=first.terminology.to_slicer())], alike) == [None]


def test_accents_count_however_they_are_encoded() -> None:
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "Größe à gauche")
        assert match_segments([Segment(3, name)], labels("Größe à gauche")) == [1]


def test_a_part_of_a_name_counts_with_a_note_where_the_value_agrees() -> None:
    found, notes = label_values([Segment(1, "Anterior"), Segment(2, "posterior part")], HIPPOCAMPUS, "dataset.json")
    assert found == [1, 2]
    assert notes[0] == "dataset.json: 'Anterior' with the value 1 is taken for 'Anterior hippocampus'."


@pytest.mark.parametrize("names", [("Posterior", "Anterior"), ("hippocampus", "tumour"), ("L1", "L2")])
def test_names_that_contradict_the_values_are_refused(names: tuple[str, str]) -> None:
    segments = [Segment(value, name) for value, name in enumerate(names, start=1)]
    with pytest.raises(InputImageError, match=r"dataset\.json has '\w+' with the value \d, but no label of the model"):
        label_values(segments, HIPPOCAMPUS, "dataset.json")


def test_names_in_an_older_encoding_are_read() -> None:
    (segment,) = segments_of({"Segment0_Name": "M\udcfcller", "Segment0_LabelValue": "4"}, "file")
    assert (segment.name, segment.value) == ("Müller", 4)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "", "999999", "x"])
def test_a_segment_without_a_usable_value_is_refused(value: str) -> None:
    with pytest.raises(InputImageError, match="gives no usable value to its segment 'A'"):
        segments_of({"Segment0_Name": "A", "Segment0_LabelValue": value}, "file")
