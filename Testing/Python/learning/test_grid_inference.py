"""Prediction on the model grid, as training validates: the engine's labels, and figures of what was annotated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from engine_stubs import (
    IDENTITY_WINDOW,
    RandomNetwork,
    StubModel,
    array_of,
    make_image,
    smooth_noise,
    stub_card,
)
from training_factory import CPU, configuration, prepared_cases, tiny_network

from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.sliding_window.model_grid import predict_labels, predict_logits
from LightMedSegLib.inference.sliding_window.windows import WindowRule, gaussian_weights, place_of, plan_windows
from LightMedSegLib.learning.model_input import window_rule
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase
from LightMedSegLib.training.validation import GridValidator

SHAPES = [(20, 26, 40), (9, 12, 16), (16, 17, 10)]


def test_windows_and_padding_do_not_change_the_answer_of_a_network_that_sees_single_voxels():
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 3, 1)
    images = [torch.randn(1, *size) for size in SHAPES]
    rule = WindowRule((16, 16, 16), classes=3)
    with torch.no_grad():
        expected = [network(image[None])[0].movedim(0, -1) for image in images]
    for image, logits, labels, wanted in zip(
        images,
        predict_logits(network, images, rule, 3),
        predict_labels(network, images, rule, 3),
        expected,
        strict=True,
    ):
        assert logits.shape == (*image.shape[1:], 3)
        torch.testing.assert_close(logits, wanted)
        assert torch.equal(labels.long(), wanted.argmax(-1))


@pytest.mark.parametrize("view", ["windows", "whole"])
@pytest.mark.parametrize(("overlap", "mirror", "swaps"), [(0.5, (), ()), (0.25, ("x", "z"), ((1, 2),))])
def test_validation_scores_exactly_the_labels_that_the_engine_gives(view, overlap, mirror, swaps):
    network = RandomNetwork(seed=3).eval()
    card = stub_card(
        normalization=IDENTITY_WINDOW,
        patch=[16, 16, 16],
        view=view,
        overlap=overlap,
        test_time_mirroring=mirror,
        mirror_label_swaps=swaps,
    )
    engine = Engine(StubModel(card, network), "cpu")
    cases = []
    for number, shape in enumerate(SHAPES):
        array = (smooth_noise(shape, number) / 50 - 2).astype(np.float16)
        labels = array_of(engine.segment(make_image(array.astype(np.float32))))
        assert set(np.unique(labels)) == {0, 1, 2}
        cases.append(PreparedCase(f"case {number}", array[None], labels))
    rule = WindowRule.of(card.input, network.total_stride, card.num_classes, swaps=swaps)
    images = [torch.from_numpy(case.image) for case in cases]
    for case, labels in zip(cases, predict_labels(network, images, rule, 4, mirror), strict=True):
        np.testing.assert_array_equal(labels.numpy(), case.labels)
    assert GridValidator(cases, rule, CPU, 4, mirror).score(network).values == ((1.0, 1.0),) * 3


def test_the_mean_of_probabilities_would_give_other_labels():
    """Else the test above would say nothing."""
    network = RandomNetwork(seed=3).eval()
    image = torch.from_numpy(smooth_noise((16, 24, 40)) / 50 - 2)[None]
    total = torch.zeros(3, 16, 24, 40)
    weights = torch.from_numpy(gaussian_weights((16, 16, 16)))
    with torch.no_grad():
        for start in plan_windows((16, 24, 40), (16, 16, 16), 0.5):
            place = (slice(None), *place_of(start, (16, 16, 16)))
            total[place] += network(image[place][None])[0].softmax(0) * weights
    (labels,) = predict_labels(network, [image], WindowRule((16, 16, 16), 0.5, network.total_stride))
    assert (labels != total.argmax(0)).any()


def test_validation_takes_overlap_and_view_from_the_input_that_the_card_gets():
    settings = configuration(input={"overlap": 0.25, "view": "whole"})
    assert window_rule(settings, tiny_network()) == WindowRule((16, 16, 16), 0.25, 2, True, 1, 3)


def test_unknown_voxels_and_structures_that_were_not_annotated_have_no_figures():
    from LightMedSegLib.training.evaluation import card_metrics, evaluate_on_grid

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
    scores = evaluate_on_grid(Answer(), cases, WindowRule((16, 16, 16)), (1.0, 1.0, 1.0), ("Ball", "Bright ball"))
    assert [(score.case, score.metrics.name) for score in scores] == [
        (first.name, "Ball"),
        (second.name, "Ball"),
        (second.name, "Bright ball"),
    ]
    assert card_metrics(scores)["dice"] == {"Ball": 1.0, "Bright ball": 1.0}


def test_figures_of_a_card_are_not_rounded_twice_on_a_page():
    from LightMedSegLib.evaluation.metrics import LabelMetrics
    from LightMedSegLib.evaluation.scores import CaseScore
    from LightMedSegLib.training.evaluation import card_metrics

    dice = 0.79254
    scores = [CaseScore("one", LabelMetrics(1, "Ball", dice, 1.0, dice, 1.0, 1.0))]
    found = card_metrics(scores)
    assert f"{found['dice_mean']:.3f}" == f"{found['nsd_1mm']['Ball']:.3f}" == f"{dice:.3f}" == "0.793"
