"""What LightMedSegLib offers to programs: one name for each thing, whatever form a volume comes in."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from engine_stubs import stub_model
from finetuning_factory import slabs, tiny_model
from paths import REPOSITORY
from volumes_on_disk import dicom_series, plain_volume

import LightMedSegLib
from LightMedSegLib import LightMedSegError, Segmentation, evaluate, finetune, load_model, models, read_volume, segment
from LightMedSegLib import errors as public_errors
from LightMedSegLib.core import errors as core_errors

MODEL = "hippocampus-t1-mr"
SAMPLE = REPOSITORY / "Resources" / "SampleData" / "mni152-t1-left-hippocampus.nii.gz"
PUBLIC = {
    "segment", "Segmentation", "evaluate", "evaluate_folder", "load_model", "models", "read_volume", "finetune",
    "LightMedSegError",
}  # fmt: skip


@pytest.fixture(scope="module")
def result() -> Segmentation:
    torch.set_num_threads(1)
    return segment(str(SAMPLE), MODEL, device="cpu")


def voxels(result: Segmentation) -> np.ndarray:
    return sitk.GetArrayFromImage(result.labelmap)


def test_every_public_name_is_there_and_is_what_type_checkers_see() -> None:
    assert set(LightMedSegLib.__all__) - {"__version__"} == PUBLIC
    assert set(dir(LightMedSegLib)) == {*PUBLIC, "__version__"}
    source = Path(str(LightMedSegLib.__file__)).read_text(encoding="utf-8")
    seen = {
        alias.asname or alias.name: (f"{node.module}", alias.name)
        for block in ast.parse(source).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen.keys() == PUBLIC
    for name, (module, inner) in seen.items():
        assert LightMedSegLib._PLACES[name] == (module.removeprefix("LightMedSegLib."), inner)
        assert getattr(LightMedSegLib, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'segmentate'"):
        LightMedSegLib.segmentate  # noqa: B018


def test_no_module_has_a_public_name() -> None:
    """Importing LightMedSegLib.x makes x an attribute of the package, in place of the function of that name."""
    assert PUBLIC & {module.name for module in pkgutil.iter_modules(LightMedSegLib.__path__)} == set()


def test_the_sample_is_segmented_from_a_file_a_path_and_an_image_alike(result: Segmentation) -> None:
    assert set(np.unique(voxels(result))) == {0, 1, 2}
    for form in (SAMPLE, read_volume(SAMPLE), [str(SAMPLE)], (read_volume(SAMPLE),)):
        assert np.array_equal(voxels(segment(form, load_model(MODEL), device="cpu")), voxels(result))


def test_a_dicom_folder_is_segmented(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series")
    model = stub_model(patch=[16, 16, 16])
    found = segment(folder, model, "cpu")
    assert found.labelmap.GetSize() == (12, 10, 6)
    assert np.array_equal(voxels(found), voxels(segment(read_volume(folder), model, "cpu"))) and voxels(found).any()


def test_a_list_gives_the_channels_of_a_model_as_files_and_images(tmp_path: Path) -> None:
    first, second = plain_volume(seed=1), plain_volume(seed=2)
    sitk.WriteImage(second, str(tmp_path / "second.nrrd"))
    model = stub_model(channels=2, patch=[16, 16, 16])
    mixed = segment([first, tmp_path / "second.nrrd"], model, "cpu")
    assert np.array_equal(voxels(mixed), voxels(segment([first, second], model, "cpu")))
    with pytest.raises(LightMedSegError, match=r"reads 2 volumes .* but 1 was given"):
        segment(first, model, "cpu")


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (None, "object of type NoneType is no volume; give a volume file, a DICOM folder or a SimpleITK image"),
        (3.5, "object of type float is no volume"),
        ([], "list of volumes is empty"),
        ([[SAMPLE]], "object of type list is no volume"),
        (np.zeros((8, 8, 8)), r"An array \(ndarray\) has no spacing, origin and direction"),
        (torch.zeros(8, 8, 8), r"An array \(Tensor\) has no spacing"),
        ("no-such-scan.nii.gz", "no-such-scan.nii.gz does not exist"),
        (REPOSITORY / "README.md", "README.md has no known volume format"),
        (REPOSITORY / "Testing" / "CMake", "CMake"),
        (sitk.Image(8, 8, sitk.sitkUInt8), "is 2D; a 3D volume is needed"),
        (sitk.Image(8, 8, 8, sitk.sitkInt16), "is empty: every voxel has the value 0"),
    ],
)
def test_what_cannot_be_segmented_is_refused_in_words(volume: Any, words: str) -> None:
    with pytest.raises(LightMedSegError, match=words):
        segment(volume, stub_model(), "cpu")


def test_a_node_of_the_scene_is_refused_with_the_way_that_exists() -> None:
    node = type("vtkMRMLScalarVolumeNode", (), {})()
    with pytest.raises(LightMedSegError, match=r"use LightMedSegLogic\.process"):
        segment(node, stub_model(), "cpu")


@pytest.mark.parametrize(
    ("model", "words"),
    [(None, "by an object of type NoneType"), (7, "type int"), ("no-such-model", "There is no model 'no-such-model'")],
)
def test_what_is_no_model_is_refused_in_words(model: Any, words: str) -> None:
    for use in (lambda: segment(plain_volume(), model), lambda: load_model(model)):
        with pytest.raises(LightMedSegError, match=words):
            use()


def test_a_result_is_short_to_read_has_volumes_and_saves_itself(result: Segmentation, tmp_path: Path) -> None:
    size = " x ".join(map(str, result.labelmap.GetSize()))
    assert repr(result) == f"<Segmentation by {result.card.identifier}: 2 segments, {size} voxels>"
    assert list(result.volumes()) == [label.name for label in result.card.labels]
    voxel_ml = np.prod(result.labelmap.GetSpacing()) / 1000
    wanted = [np.count_nonzero(voxels(result) == label.value) * voxel_ml for label in result.card.labels]
    assert list(result.volumes().values()) == pytest.approx(wanted)
    assert min(wanted) > 0
    result.save(tmp_path / "result.seg.nrrd")
    written = sitk.ReadImage(str(tmp_path / "result.seg.nrrd"))
    assert np.array_equal(sitk.GetArrayViewFromImage(written), voxels(result))
    assert written.GetMetaData("Segment0_Name") == result.card.labels[0].name
    assert written.GetMetaData("LightMedSeg_Model") == result.card.identifier
    with pytest.raises(LightMedSegError, match="no known segmentation format"):
        result.save(tmp_path / "result.txt")


def test_a_result_is_compared_with_a_file_an_image_and_itself(result: Segmentation, tmp_path: Path) -> None:
    changed = voxels(result)
    changed[changed == 2] = 0
    reference = sitk.GetImageFromArray(changed)
    reference.CopyInformation(result.labelmap)
    sitk.WriteImage(reference, str(tmp_path / "reference.nrrd"))
    first, second = (label.name for label in result.card.labels)
    for other in (reference, tmp_path / "reference.nrrd", str(tmp_path / "reference.nrrd")):
        same, missing = evaluate(result, other)
        assert (same.name, same.dice, same.hd95_mm) == (first, 1.0, 0.0)
        assert (missing.name, missing.dice, missing.hd95_mm) == (second, 0.0, np.inf)
    assert [one.dice for one in evaluate(result, result)] == [1.0, 1.0]
    assert [one.name for one in evaluate(reference, reference)] == ["Label 1"]
    assert [one.name for one in evaluate(reference, reference, MODEL)] == [first, second]


def test_what_cannot_be_compared_is_refused_in_words(result: Segmentation) -> None:
    empty = result.labelmap * 0
    for segmentation, reference, words in (
        (voxels(result), result, "The segmentation is an object of type ndarray; give a file"),
        (result, None, "The reference is an object of type NoneType"),
        (result, sitk.Cast(result.labelmap, sitk.sitkFloat32) * 0.5, "The reference is no segmentation"),
        (result, result.labelmap[:8], "differ in size"),
        (empty, empty, "Both segmentations are empty"),
        (result, "no-such-file.nrrd", "does not exist"),
    ):
        with pytest.raises(LightMedSegError, match=words):
            evaluate(segmentation, reference)  # type: ignore[arg-type]


def test_installed_models_are_listed_and_short_to_read() -> None:
    found = {entry.card.name: entry for entry in models() if entry.card}
    assert {MODEL, "headneck-oar-ct", "brain-structures-mr"} <= found.keys()
    assert repr(found[MODEL]) == f"<ModelEntry {found[MODEL].identifier}>"
    model = load_model(MODEL)
    assert model.card == load_model(found[MODEL].folder).card
    assert repr(model) == f"<Model {found[MODEL].identifier}>"


@pytest.mark.usefixtures("nothing_shipped")
def test_a_model_is_fine_tuned_on_files(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    for number in range(2):
        for part, image in zip(("images", "labels"), slabs(number), strict=True):
            (tmp_path / "cases" / part).mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(image, str(tmp_path / "cases" / part / f"{number}.nii.gz"))
    parent = tiny_model(tmp_path / "parent")
    shown: list[tuple[int, int]] = []
    arguments = (parent, tmp_path / "cases", tmp_path / "out")

    def run(**changes: Any) -> Any:
        return finetune(*arguments, device="cpu", threads=1, learning_rate=0.01, seed=1, **{"steps": 3, **changes})

    done = run(progress=lambda step, steps, message: shown.append((step, steps)))
    assert done.candidate == "test-model@1.1.0-tuned.1" and not done.adopted
    assert {row.name for row in done.verdict.held_out} == {"Structure 1", "Structure 2"}
    made = load_model(tmp_path / "out" / "candidate").card.parent
    assert made and made.weights_sha256 == parent.card.weights.sha256
    # Two cases held out by turns, then both together.
    assert shown == [(step, 9) for step in range(1, 10)]
    with pytest.raises(LightMedSegError, match="holds a finished run"):
        run()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stepps": 3}, "stepps is not known; the nearest that is known is steps"),
        ({"steps": 0}, "steps is 0, the least allowed is 1"),
        ({"threads": -1}, "threads is -1, the least allowed is 0"),
        ({"cases": ["a.nii.gz"]}, "as a folder or a CSV file, not as an object of type list"),
        ({"cases": "no-such-folder"}, "no-such-folder does not exist"),
        ({"model": None}, "no model 'None'"),
    ],
)
def test_a_fine_tuning_that_cannot_begin_says_why_and_leaves_nothing(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(LightMedSegError, match=words):
        finetune(**{"model": MODEL, "cases": tmp_path, "out": tmp_path / "out", **changes})
    assert not (tmp_path / "out" / "job.json").exists()


@pytest.mark.parametrize("module", ["errors", "sample_data", "segmentation", "volume_files", "finetuning.case_store"])
def test_a_module_for_scripts_offers_what_it_names(module: str) -> None:
    found = importlib.import_module(f"LightMedSegLib.{module}")
    assert found.__all__ == sorted(found.__all__)
    assert {name for name in vars(found) if not name.startswith("_")} == set(found.__all__)


def test_the_errors_for_scripts_are_all_there_are() -> None:
    defined = {name for name, value in vars(core_errors).items() if isinstance(value, type)}
    assert set(public_errors.__all__) == {
        name for name in defined if issubclass(getattr(core_errors, name), LightMedSegError)
    }
