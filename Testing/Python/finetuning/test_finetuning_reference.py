"""Reference sets that are kept as labelmaps: their images are made as in training."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.finetuning.gate import reference_set
from LightMedSegLib.finetuning.gate.confusion import confusion, dice_of
from LightMedSegLib.finetuning.gate.reference_set import encode_labelmaps, read_reference, rehearsed_and_checked
from LightMedSegLib.finetuning.versions import write_candidate
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.model.package import Model, load_model, save_model
from LightMedSegLib.model.package_folder import RECIPE_FILE, REFERENCE_FILE
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.network.cpu import accelerate
from LightMedSegLib.storage.safetensors_file import write_tensors

BRAIN = "brain-structures-mr"


@pytest.fixture(scope="module")
def brain() -> Model:
    return ModelStore().find(BRAIN)


@pytest.fixture(scope="module")
def made(brain: Model) -> list[PreparedCase]:
    return read_reference(brain)


def test_every_labelmap_gives_several_whole_heads(made: list[PreparedCase], brain: Model) -> None:
    assert len(made) == 4 and {case.name for case in made} == {"made-0", "made-1"}
    for case in made:
        assert case.image.shape == (1, *case.labels.shape) and np.isfinite(case.image).all()
        # Where the skull was removed, the fluid around the brain went with it.
        assert set(range(1, 33)) - set(np.unique(case.labels).tolist()) <= {16}
    assert len({case.image.tobytes() for case in made}) == 4


def test_they_are_the_same_every_time(made: list[PreparedCase], brain: Model) -> None:
    again = read_reference(brain)
    assert all(np.array_equal(one.image, other.image) for one, other in zip(made, again, strict=True))


def test_made_images_are_only_looked_at(made: list[PreparedCase]) -> None:
    rehearsed, checked = rehearsed_and_checked(made)
    assert not rehearsed and checked == made


@pytest.mark.usefixtures("fastest_path")
@pytest.mark.slow
def test_the_model_knows_the_first_of_them(made: list[PreparedCase], brain: Model) -> None:
    """A set that the model fails on would show no forgetting: crops of heads once had a Dice of 0.05."""
    network = accelerate(brain.build_network())
    # One of them: together they take minutes.
    case = rehearsed_and_checked(made)[1][0]
    total = confusion(network, case, 33, brain.card.input.patch, torch.device("cpu"))
    assert np.nanmean([dice_of(total, value) for value in range(1, 33)]) > 0.55


def copy_of(brain: Model, folder: Path) -> Path:
    shutil.copytree(brain.folder, folder)
    return folder


def test_without_the_recipe_nothing_can_be_made_and_the_user_reads_why(brain: Model, tmp_path: Path) -> None:
    folder = copy_of(brain, tmp_path / "brain")
    (folder / RECIPE_FILE).unlink()
    with pytest.raises(ModelPackageError, match="the images of its reference set cannot be made"):
        read_reference(load_model(folder))


@pytest.mark.parametrize(
    ("labels", "spacing"),
    [
        (np.full((16, 16, 16), 250, np.uint8), (1.5, 1.5, 1.5)),
        (np.zeros((16, 16), np.uint8), (1.5, 1.5, 1.5)),
        (np.zeros((16, 16, 16), np.uint8), (1.5, 1.5, 1.5)),
        (np.zeros((0, 16, 16), np.uint8), (1.5, 1.5, 1.5)),
        (np.ones((16, 16, 16), np.uint8), (1.5, 0.0, 1.5)),
        (np.ones((16, 16, 16), np.uint8), (1.5, 1.5, float("nan"))),
        (np.ones((16, 16, 16), np.uint8), (1.5, 1.5, 1e6)),
        (np.ones((200, 200, 200), np.uint8), (3.0, 3.0, 3.0)),
    ],
)
def test_a_labelmap_that_the_recipe_does_not_know_is_refused(
    brain: Model, tmp_path: Path, labels: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    case = PreparedCase("0", np.zeros((0, *labels.shape), np.float16), labels)
    write_tensors(tmp_path / REFERENCE_FILE, encode_labelmaps([case], spacing))
    content = (tmp_path / REFERENCE_FILE).read_bytes()
    card = brain.card.to_json()
    card["reference"] |= {"cases": 1, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    extra = {REFERENCE_FILE: content, RECIPE_FILE: brain.folder / RECIPE_FILE}
    model = save_model(tmp_path / "model", card, brain.weights(), extra)
    with pytest.raises(ModelPackageError, match=r"reference\.safetensors is damaged"):
        read_reference(model)


def test_the_recipe_of_another_model_is_refused(brain: Model, tmp_path: Path) -> None:
    folder = copy_of(brain, tmp_path / "brain")
    shutil.copyfile(brain.folder.parent / "hippocampus-t1-mr" / RECIPE_FILE, folder / RECIPE_FILE)
    with pytest.raises(ModelPackageError, match=r"training\.toml is not that of this model"):
        read_reference(load_model(folder))


def test_a_recipe_that_cannot_be_followed_is_told(brain: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[PreparedCase]:
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(reference_set, "synthetic_cases", fail)
    with pytest.raises(ModelPackageError, match="cannot be made: can't allocate memory"):
        read_reference(brain)


def test_a_fine_tuned_version_can_make_them_too(brain: Model, tmp_path: Path, made: list[PreparedCase]) -> None:
    card = brain.card.to_json() | {"version": "1.1.0-user.1"}
    tuned = write_candidate(tmp_path / "tuned", brain, card, brain.weights())
    again = read_reference(tuned)
    assert np.array_equal(again[0].image, made[0].image)
