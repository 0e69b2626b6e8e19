"""Adding a structure: what the others are protected by, and what its weights start with."""

from __future__ import annotations

import numpy as np
import torch

from LightMedSegLib.finetuning.tuning.new_class_start import start_new_classes
from LightMedSegLib.finetuning.tuning.parent_labels import with_parent_labels
from LightMedSegLib.learning.augmentation.spatial import Batch
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase
from LightMedSegLib.network import build_network
from LightMedSegLib.network.head import classes_of_block

CPU = torch.device("cpu")


class Reader(torch.nn.Module):
    """Predicts the class that the image holds as a number, of 0, 1 and 2."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.stack([-(image[:, 0] - value).abs() for value in range(3)], dim=1)


def case(image: np.ndarray, labels: np.ndarray, labelled: tuple[int, ...] | None) -> PreparedCase:
    return PreparedCase("case", image[None].astype(np.float16), labels.astype(np.uint8), labelled)


def test_the_parent_says_what_nobody_looked_for() -> None:
    image = np.array([[[0, 1, 1, 2, 2, 1, 2]]])
    labels = np.array([[[0, 3, 0, 0, 3, IGNORED, 2]]])
    taught = with_parent_labels(case(image, labels, (3,)), Reader(), 3, (1, 1, 3), CPU)
    assert taught.labels.tolist() == [[[0, 3, 1, 2, 3, IGNORED, 2]]]
    assert taught.labelled == (1, 2, 3)


def test_what_was_looked_for_is_the_users() -> None:
    image = np.array([[[1, 1, 2, 2]]])
    labels = np.array([[[1, 0, 0, 2]]])
    taught = with_parent_labels(case(image, labels, (1, 3)), Reader(), 3, (1, 1, 4), CPU)
    assert taught.labels.tolist() == [[[1, 0, 2, 2]]]  # the parent's 1 was taken away by the user
    everything = case(image, labels, (1, 2, 3))
    assert with_parent_labels(everything, Reader(), 3, (1, 1, 4), CPU) is everything


def test_a_half_marked_structure_that_is_not_reviewed_does_not_count() -> None:
    taught = with_parent_labels(case(np.array([[[0, 2]]]), np.array([[[2, 2]]]), (3,)), Reader(), 3, (1, 1, 2), CPU)
    assert taught.labels.tolist() == [[[0, 2]]]


def bright_batch(number: int) -> Batch:
    """An image whose bright voxels are class 3."""
    generator = torch.Generator().manual_seed(number)
    images = torch.randn(1, 1, 32, 32, 32, generator=generator)
    labels = torch.zeros(1, 32, 32, 32, dtype=torch.int64)
    labels[:, 8:20, 8:20, 8:20] = 3
    images[0][labels == 3] += 6.0
    return Batch(images, labels, torch.tensor([[True, False, False, True]]))


def test_a_new_class_starts_with_what_the_features_tell_and_the_others_keep_their_weights() -> None:
    torch.manual_seed(0)
    network = build_network("lightmedseg-tiny", 1, 4).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    batch = bright_batch(99)

    def contrast() -> float:
        with torch.no_grad():
            probability = network(batch.images).softmax(dim=1)[:, 3]
        return float(probability[batch.labels == 3].mean() / probability[batch.labels == 0].mean())

    assert contrast() < 1.5
    start_new_classes(network, bright_batch, 3, seed=1)
    assert contrast() > 3
    for name, value in network.state_dict().items():
        old = before[name]
        if name.startswith("head.classify"):
            value, old = classes_of_block(value)[:, :3], classes_of_block(old)[:, :3]
        torch.testing.assert_close(value, old)
    assert not network.training


def test_without_a_voxel_of_the_new_class_nothing_changes() -> None:
    torch.manual_seed(0)
    network = build_network("lightmedseg-tiny", 1, 4)
    before = network.head.classify.weight.detach().clone()

    def empty(number: int) -> Batch:
        batch = bright_batch(number)
        return Batch(batch.images, torch.zeros_like(batch.labels), batch.labelled)

    start_new_classes(network, empty, 3, seed=1)
    torch.testing.assert_close(network.head.classify.weight.detach(), before)
