"""Labels and their terminology."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from model_factory import make_labels

import LightMedSegLib
from LightMedSegLib.core.labels import Code, Label, Terminology

TISSUE = Code("SCT", "85756007", "Tissue")


def test_a_terminology_without_region_is_written_as_slicer_writes_its_default() -> None:
    # Slicer's own default entry for new segments, character by character.
    assert Terminology(TISSUE, TISSUE).to_slicer() == (
        "Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~Anatomic codes - DICOM master list~^^~^^"
    )


def test_modifier_and_region_stand_at_their_own_places() -> None:
    left = Code("SCT", "7771000", "Left")
    right = Code("SCT", "24028007", "Right")
    region = Code("SCT", "12738006", "Brain")
    entry = Terminology(TISSUE, TISSUE, left, region, right).to_slicer("A", "B")
    assert entry.split("~") == [
        *("A", "SCT^85756007^Tissue", "SCT^85756007^Tissue", "SCT^7771000^Left"),
        *("B", "SCT^12738006^Brain", "SCT^24028007^Right"),
    ]


def test_a_label_survives_the_way_through_json() -> None:
    data = make_labels(1)[0]
    data["terminology"]["region"] = {"scheme": "SCT", "value": "12738006", "meaning": "Brain"}
    assert Label.from_json(data).to_json() == data


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("Anterior hippocampus", "Anterior_hippocampus"),
        ("Lobe (left)", "Lobe_left"),
        ("Nerf crânien", "Nerf_crânien"),
        ("海马", "海马"),
    ],
)
def test_the_segment_id_has_no_blanks_or_punctuation(name: str, identifier: str) -> None:
    label = Label(1, name, (0, 0, 0), Terminology(TISSUE, TISSUE))
    assert label.segment_id == identifier


def test_cards_labels_and_store_are_usable_where_there_is_no_torch() -> None:
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import LightMedSegLib.core.labels, LightMedSegLib.model.card, LightMedSegLib.model.store\n"
        "LightMedSegLib.model.store.ModelStore().list()\n"
        "assert not {'SimpleITK', 'jsonschema', 'safetensors'} & set(sys.modules)\n"
    )
    folder = Path(LightMedSegLib.__file__).resolve().parents[1]
    result = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
