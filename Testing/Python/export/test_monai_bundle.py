"""MONAI's own bundle loader runs an exported model, without this program, and gives the same labels."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import LOCATED, make_model
from paths import REPOSITORY, SUPPORT
from patience import limit

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.export.monai_bundle.export import export_monai_bundle
from LightMedSegLib.export.monai_bundle.sources import copied_sources
from LightMedSegLib.finetuning.gate.reference_set import read_reference
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.package import Model, load_model

COMPARED = [
    REPOSITORY / "Resources" / "Models" / name
    for name in ("headneck-oar-ct", "hippocampus-t1-mr", "left-ventricle-cine-mr")
]
SMALL = {"encoder_channels": [8, 8], "decoder_channels": [8], "stem_channels": 8}
POSTPROCESSING = [
    {"operation": "keep_largest_component", "labels": [1], "joint": False},
    {"operation": "remove_small_components", "labels": [2], "minimum_ml": 0.01},
    {"operation": "fill_holes", "labels": [2]},
]


def random_model(folder: Path, view: str) -> Model:
    return make_model(
        folder,
        arguments=SMALL,
        postprocessing=POSTPROCESSING,
        test_time_mirroring=["x", "z"],
        input={
            "view": view,
            "patch": [12, 16, 20],
            "spacing_mm": [1.2, 0.8, 1.5],
            "orientation": "RAS",
            "channels": [
                {
                    "name": "CT",
                    "normalization": {"kind": "window", "lower": -100.0, "upper": 200.0, "mean": 40.0, "std": 60.0},
                }
            ],
        },
    )


def with_small_windows(model: Model) -> Model:
    """The same model, quicker on small scans."""
    z, y, x = (min(64, length) for length in model.card.input.patch)
    return replace(model, card=replace(model.card, input=replace(model.card.input, patch=(z, y, x))))


def write_scan(folder: Path, model: Model, padded: bool = False) -> sitk.Image:
    """What the model knows: a reference case that it carries (else the hippocampus model's), as a scan.

    Its voxels are finer along one axis, on an oblique grid with another order and direction of axes. padded: at one
    side it holds no intensities.
    """
    source = model if model.card.reference else load_model(REPOSITORY / "Resources" / "Models" / "hippocampus-t1-mr")
    case, spec = read_reference(source)[0], source.card.input
    normalization = spec.channels[0].normalization
    # Other kinds do not care for the scale of intensities.
    scale, shift = (normalization["std"], normalization["mean"]) if normalization["kind"] == "window" else (50.0, 100.0)
    # Of a whole head the middle: a bundle goes through all windows, the engine first looks where the structures are.
    z, y, x = (slice(max(0, length // 2 - 28), length // 2 + 28) for length in case.labels.shape)
    image = sitk.GetImageFromArray(case.image[0][z, y, x].astype(np.float32) * scale + shift)
    image.SetSpacing(spec.spacing)
    width, height, depth = image.GetSize()
    fine = sitk.Resample(
        image, (int(width / 0.6), height, depth), sitk.Transform(), sitk.sitkLinear,
        image.GetOrigin(), (0.6 * spec.spacing[0], *spec.spacing[1:]), image.GetDirection(), 0.0, sitk.sitkFloat32,
    )  # fmt: skip
    turned = sitk.Flip(sitk.PermuteAxes(fine, (2, 0, 1)), (True, False, False))
    direction = np.array(sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.2, -0.1, 0.3).GetMatrix()).reshape(3, 3)
    turned.SetDirection((direction @ np.reshape(turned.GetDirection(), (3, 3))).ravel().tolist())
    if padded:
        turned[:, :, :6] = -9999.0
    folder.mkdir(parents=True)
    sitk.WriteImage(turned, str(folder / "scan.nii.gz"))
    return sitk.ReadImage(str(folder / "scan.nii.gz"))


@pytest.mark.slow
def test_models_give_the_same_labels_in_monai(tmp_path: Path) -> None:
    """Three shipped ones, for MR, CT and slices that lie obliquely, and one with random weights for each view."""
    pytest.importorskip("monai")
    models = {folder.name: with_small_windows(load_model(folder)) for folder in COMPARED}
    models |= {view: random_model(tmp_path / view, view) for view in ("windows", "whole")}
    scans = {name: write_scan(tmp_path / "scans" / name, model, name == "windows") for name, model in models.items()}
    for name, model in models.items():
        export_monai_bundle(model, tmp_path / "bundles" / name)
    words = [str(tmp_path / "scans"), str(tmp_path / "results"), *(str(tmp_path / "bundles" / name) for name in models)]
    script = SUPPORT / "run_bundles.py"
    done = subprocess.run(
        [sys.executable, str(script), *words],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=limit(1200),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, model in models.items():
        expected = Engine(model, "cpu", cpu_path="reference").segment(scans[name], SegmentOptions(threads=1)).labelmap
        found = sitk.ReadImage(str(tmp_path / "results" / name / "scan_seg.nii.gz"))
        assert found.GetSize() == expected.GetSize()
        np.testing.assert_allclose(found.GetDirection(), expected.GetDirection(), atol=1e-6)
        np.testing.assert_allclose(found.GetOrigin(), expected.GetOrigin(), atol=1e-4)
        labels = sitk.GetArrayFromImage(expected)
        assert labels.any(), f"{name} finds nothing: nothing was compared"
        # Another order of the same sums may decide a tie the other way.
        assert np.mean(sitk.GetArrayFromImage(found) != labels) < 1e-4, name


@pytest.mark.slow
def test_nothing_is_labelled_in_padding_as_in_the_engine() -> None:
    pytest.importorskip("monai")
    import torch
    from monai.data import MetaTensor, decollate_batch, list_data_collate

    from LightMedSegLib.export.monai_bundle.parts import LabelsOnVolumed, ToModelGridd

    grid = {"keys": "image", "spacing": [1.0, 1.0, 1.0], "orientation": "LPS"}
    measured = np.random.default_rng(0).normal(100.0, 20.0, (1, 12, 14, 16)).astype(np.float32)
    padded = measured.copy()
    padded[:, :4] = -9999.0
    found = []
    for array in (measured, padded):
        volume = MetaTensor(torch.from_numpy(array), affine=torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0])))
        prepared = ToModelGridd(**grid, normalizations=[{"kind": "zscore"}])({"image": volume})
        # As MONAI's loader passes it on.
        passed = decollate_batch(list_data_collate([prepared]))[0]
        passed["pred"] = torch.stack([torch.zeros(16, 14, 12), torch.ones(16, 14, 12)])
        labels = LabelsOnVolumed(**{**grid, "keys": "pred"}, volume_key="image", steps=[])(passed)["pred"]
        assert not [name for name in labels.meta if "lightmedseg" in name], "no mask belongs into a result's header"
        found.append(np.asarray(labels)[0])
    assert found[0].all()
    assert not found[1][:4].any() and found[1][4:].all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "warns of nothing"),
        ({"input": LOCATED}, "Give crops around the structures"),
        ({"input": {"preview_spacing_mm": [3.0, 3.0, 3.0]}}, "segments a large scan as a whole"),
        ({"input": {"background_value": -400.0}}, "windows that hold air alone"),
        ({"removed_with_skull": [1]}, "looks for Structure 1 in scans without the skull too"),
    ],
)
def test_the_bundle_names_what_it_leaves_out_and_nothing_else(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    export_monai_bundle(make_model(tmp_path / "model", arguments=SMALL, **changes), tmp_path / "bundle")
    told = (tmp_path / "bundle" / "docs" / "README.md").read_text(encoding="utf-8")
    sentences = told.partition("the labels are")[2].partition("Intended use")[0].split(". ")[1:]
    assert any(words in sentence for sentence in sentences) and len(sentences) == (2 if changes else 1)


def test_the_command_writes_a_bundle_that_says_what_it_is(package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    assert main(["export", str(package), str(folder), "--format", "monai-bundle"]) == 0
    told = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    card = load_model(package).card
    assert told["version"] == card.version and card.limits in told["intended_use"]
    assert "Not a medical device" in told["intended_use"]
    classes = told["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert classes == {"0": "background", "1": "Structure 1", "2": "Structure 2"}
    license_text = (folder / "LICENSE").read_text(encoding="utf-8")
    assert card.licenses["weights"] in license_text and "Apache License" in license_text
    assert json.loads((folder / "docs" / "model.json").read_text(encoding="utf-8")) == card.to_json()


def test_an_existing_folder_is_left_alone(package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    assert main(["export", str(package), str(tmp_path / "mine"), "--format", "monai-bundle"]) == 2
    assert "exists already; choose the name of a new folder" in capsys.readouterr().err
    with pytest.raises(OutputError, match="exists already"):
        export_monai_bundle(load_model(package), tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_the_copied_sources_are_complete_and_never_name_the_library() -> None:
    files = copied_sources(["export.monai_bundle.parts", "network"], "other_name")
    assert {
        "__init__.py",
        "core/geometry.py",
        "export/monai_bundle/parts.py",
        "network/__init__.py",
        "network/head.py",
    } <= set(files)
    assert not any(name.startswith(("cli/", "gui/", "mrml/", "training/")) for name in files)
    for name, text in files.items():
        assert "import LightMedSegLib" not in text and "from LightMedSegLib" not in text, name
