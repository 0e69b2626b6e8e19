"""What prompts and edges alone say: a new object, and a stroke on a segment."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from LightMedSegLib.core.geometry import Region
from LightMedSegLib.interaction import edges
from LightMedSegLib.interaction.encoding import normalize_window
from LightMedSegLib.interaction.random_walk import random_walk as batched_walk
from LightMedSegLib.interaction.window import View

SHAPE = (40, 40, 40)
WHOLE = (slice(0, 40), slice(0, 40), slice(0, 40))
NONE = np.zeros(SHAPE, dtype=bool)


def block(first: int, last: int) -> np.ndarray:
    mask = NONE.copy()
    mask[first:last, first:last, first:last] = True
    return mask


def bright_block() -> np.ndarray:
    """A bright block of 11 x 11 x 11 voxels on noise."""
    image = np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
    image[block(15, 26)] += 30
    return image


def new_object(image: np.ndarray, include: np.ndarray, exclude: np.ndarray, inside: Region) -> np.ndarray:
    return by_edges(View(image, NONE, include.astype(np.float32), exclude.astype(np.float32), inside))


def by_edges(view: View) -> np.ndarray:
    normal = normalize_window(edges.on_device(view.image, "cpu"))
    return edges.by_edges(normal, edges.prompts_on(view, "cpu"), view)[0, 0].numpy()


def corrected(
    image: np.ndarray, present: np.ndarray, stroke: np.ndarray, opposite: np.ndarray, include: bool
) -> np.ndarray:
    mine, other = stroke.astype(np.float32), np.where(stroke, 0, 0.8 * opposite).astype(np.float32)
    prompts = (mine, other) if include else (other, mine)
    return by_edges(View(image, present, *prompts, WHOLE, include, stroke))


def random_walk(brightness: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    arrays = (brightness, inside, outside, np.ones_like(inside))
    return batched_walk(*(torch.from_numpy(one)[None, None] for one in arrays))[0, 0].numpy()


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


def test_a_walk_ends_at_edges_and_is_a_probability() -> None:
    brightness = np.where(block(15, 26), 1.0, 0.0).astype(np.float32)
    outside = ~block(1, 39)
    found = random_walk(brightness, block(19, 22), outside)
    assert found.min() >= 0 and found.max() <= 1
    assert dice(found > 0.5, block(15, 26)) > 0.99
    assert (found[block(19, 22)] == 1).all() and (found[outside] == 0).all()


def test_a_walk_solves_the_equations_that_it_says() -> None:
    """Without edges, in one dimension, the probability falls evenly from one seed to the other."""
    line = np.zeros((1, 1, 11), dtype=np.float32)
    first, last = np.zeros((2, 1, 1, 11), dtype=bool)
    first[..., 0] = last[..., -1] = True
    np.testing.assert_allclose(random_walk(line, first, last)[0, 0], np.linspace(1, 0, 11), atol=0.02)


def test_a_point_in_a_new_object_takes_it_up_to_its_edges() -> None:
    found = new_object(bright_block(), block(19, 22), NONE, WHOLE) > 0.5
    assert dice(found, block(15, 26)) > 0.95


def test_an_excluded_point_ends_a_new_object() -> None:
    image = np.zeros(SHAPE, dtype=np.float32)
    left, right = block(18, 22), np.roll(block(18, 22), 12, axis=2)
    alone, ended = (new_object(image, left, exclude, WHOLE) for exclude in (NONE, right))
    assert ended[right].max() == 0
    assert (ended > 0.5).sum() < (alone > 0.5).sum()


def test_without_an_included_point_there_is_no_object() -> None:
    assert new_object(bright_block(), NONE, block(3, 6), WHOLE).max() == 0


@pytest.mark.parametrize("include", [True, False])
def test_a_stroke_on_a_segment_takes_more_than_itself_and_stops_at_the_edges(include: bool) -> None:
    truth, piece = block(15, 26), NONE.copy()
    piece[15:26, 15:26, 20:26] = True
    present = truth & ~piece if include else block(15, 26) | np.roll(piece, 6, axis=2)
    stroke = NONE.copy()
    stroke[17:24, 17:24, slice(21, 25) if include else slice(27, 31)] = True
    found = corrected(bright_block(), present, stroke, NONE, include) > 0.5
    alone = present | stroke if include else present & ~stroke
    assert dice(found, truth) > dice(alone, truth) + 0.03
    assert not (found & ~truth & ~present).any() and not (~found & truth & present).any()


def test_far_from_a_stroke_a_segment_stays() -> None:
    image = bright_block()
    present, stroke = block(2, 6) | block(34, 38), block(18, 21)
    for include in (True, False):
        found = corrected(image, present, stroke, NONE, include) > 0.5
        assert (found[block(2, 6)]).all() and (found[block(34, 38)]).all()
        assert not found[:2].any()


def test_an_opposite_prompt_holds_a_stroke_back() -> None:
    opposite = NONE.copy()
    opposite[15:26, 15:26, 23:26] = True
    assert not (corrected(bright_block(), NONE, block(18, 21), opposite, True)[opposite] > 0.5).any()


def test_the_ball_that_stands_for_a_small_stroke_is_not_walked_from() -> None:
    image, stroke = np.zeros(SHAPE, dtype=np.float32), block(19, 21)
    ball = block(18, 22).astype(np.float32)
    none = NONE.astype(np.float32)
    found = by_edges(View(image, NONE, ball, none, WHOLE, True, stroke))
    alone = by_edges(View(image, NONE, stroke.astype(np.float32), none, WHOLE, True, stroke))
    np.testing.assert_array_equal(found, alone)
    assert (found > 0.5).sum() < (by_edges(View(image, NONE, ball, none, WHOLE, True, ball > 0)) > 0.5).sum()


def test_no_stroke_in_the_window_changes_nothing() -> None:
    present = block(10, 20)
    np.testing.assert_array_equal(corrected(bright_block(), present, NONE, NONE, True), present.astype(np.float32))


def test_windows_in_a_batch_have_the_edges_that_each_has_alone() -> None:
    """Training makes whole batches at once; a session looks at a part of one window."""
    random = np.random.default_rng(1)
    image = np.pad(bright_block(), ((0, 0), (20, 20), (8, 30)), constant_values=-1.0)
    image = np.stack([image, image + random.normal(0, 3, image.shape)]).astype(np.float32)
    include, exclude, present = np.zeros((3, *image.shape), dtype=np.float32)
    include[:, 18:22, 38:42, 26:30], include[0, 18:22, 44:46, 30:33] = 1.0, 0.8
    exclude[1, 18:22, 50:54, 26:30] = 0.8
    present[:, 15:26, 35:46, 23:28] = 1.0
    within = np.ones(image.shape, dtype=bool)
    within[1, :, :, 70:] = False
    parts = [torch.from_numpy(one)[:, None] for one in (image, present > 0, include, exclude, within)]
    grey, mask, *prompts, inside = parts
    together = (
        batched_walk(*edges.walk_to_new(grey, *prompts, inside)),
        batched_walk(*edges.walk_from_stroke(grey, mask, *prompts, prompts[0] >= 1)),
    )
    for number in range(2):
        one = [part[number : number + 1] for part in parts]
        alone = (edges.new_object(one[0], *one[2:]), edges.corrected(*one[:4], one[2] >= 1))
        for batch, single in zip(together, alone, strict=True):
            assert torch.allclose(batch[number], single[0], atol=1e-3) and 0.1 < single.max() <= 1
