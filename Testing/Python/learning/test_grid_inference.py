"""Prediction on the model grid, as training validates: windows, mirroring, and figures of what was annotated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from training_factory import prepared_cases

from LightMedSegLib.learning.grid_inference import mirrored_probability, predict_labels
from LightMedSegLib.learning.prepared_case import IGNORED


def test_windows_and_padding_do_not_change_the_answer_of_a_network_that_sees_single_voxels():
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 3, 1)
    images = [torch.randn(1, *size) for size in ((20, 16, 40), (9, 12, 16), (16, 17, 10))]
    with torch.no_grad():
        found = list(predict_labels(network, images, (16, 16, 16), batch=3))
        for image, labels in zip(images, found, strict=True):
            assert torch.equal(labels.long(), network(image[None])[0].argmax(0))


def test_mirrored_prediction_of_a_symmetric_network_changes_nothing_and_else_averages():
    images = torch.randn(1, 3, 4, 4, 6)
    symmetric = torch.nn.Identity()
    plain = mirrored_probability(symmetric, images, ())
    torch.testing.assert_close(mirrored_probability(symmetric, images, ("x", "z")), plain)

    class Left(torch.nn.Module):
        def forward(self, volume: torch.Tensor) -> torch.Tensor:
            return torch.cat([volume[..., :3] + torch.tensor([5.0, 0, 0]).reshape(1, 3, 1, 1, 1), volume[..., 3:]], -1)

    both = mirrored_probability(Left(), images, ("x",))
    wanted = (Left()(images).softmax(1) + Left()(images.flip(-1)).softmax(1).flip(-1)) / 2
    torch.testing.assert_close(both, wanted)


def test_unknown_voxels_and_structures_that_were_not_annotated_have_no_figures():
    from LightMedSegLib.training.evaluation import evaluate_on_grid, summarise

    class Answer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, volume: torch.Tensor) -> torch.Tensor:
            return 9 * torch.nn.functional.one_hot(volume[:, 0].round().long(), 3).movedim(-1, 1).float()

    first, second = prepared_cases(2)
    shown = [replace(case, image=case.labels[None].astype(np.float16)) for case in (first, second)]
    unknown = second.labels.copy()
    unknown[:7] = IGNORED
    wrong = shown[1].image.copy()
    wrong[:, :7] = 1
    cases = [replace(shown[0], labelled=(1,)), replace(shown[1], image=wrong, labels=unknown)]
    scores = evaluate_on_grid(Answer(), cases, (16, 16, 16), (1.0, 1.0, 1.0), ("Ball", "Bright ball"))
    assert [(score.case, score.metrics.name) for score in scores] == [
        (first.name, "Ball"),
        (second.name, "Ball"),
        (second.name, "Bright ball"),
    ]
    assert summarise(scores)["dice"] == {"Ball": 1.0, "Bright ball": 1.0}
