"""The geodesic step around a stroke that contradicts the network."""

from __future__ import annotations

import numpy as np

from LightMedSegLib.interaction.local_edges import with_local_edges

SHAPE = (40, 40, 40)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A bright block of 9 x 9 x 9 voxels, and a stroke of 5 x 5 x 5 voxels in it."""
    image = np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
    image[16:25, 16:25, 16:25] += 60
    stroke = np.zeros(SHAPE, dtype=bool)
    stroke[18:23, 18:23, 18:23] = True
    return image, stroke


def test_a_stroke_that_the_network_accepts_changes_nothing() -> None:
    image, stroke = scene()
    probability = np.where(stroke, 0.9, 0.1).astype(np.float32)
    assert with_local_edges(probability, image, stroke, np.zeros(SHAPE, dtype=bool), True) is probability
    assert with_local_edges(1 - probability, image, stroke, np.zeros(SHAPE, dtype=bool), False).max() > 0.5


def test_a_stroke_that_the_network_contradicts_grows_up_to_the_edges() -> None:
    image, stroke = scene()
    none = np.zeros(SHAPE, dtype=bool)
    for include, level in ((True, 0.1), (False, 0.9)):
        before = np.full(SHAPE, level, dtype=np.float32)
        changed = with_local_edges(before, image, stroke, none, include) != level
        block = np.zeros(SHAPE, dtype=bool)
        block[16:25, 16:25, 16:25] = True
        assert (changed & ~block).sum() < 0.1 * block.sum()
        assert (changed & block).sum() > 0.4 * block.sum()
        assert (before == level).all()


def test_a_stroke_of_one_voxel_takes_hardly_more_than_itself() -> None:
    image, _ = scene()
    small = np.zeros(SHAPE, dtype=bool)
    small[20, 20, 20] = True
    low = np.full(SHAPE, 0.1, dtype=np.float32)
    assert 1 <= (with_local_edges(low, image, small, np.zeros(SHAPE, dtype=bool), True) > 0.5).sum() <= 27


def test_an_opposite_prompt_holds_the_stroke_back() -> None:
    image, stroke = scene()
    opposite = np.zeros(SHAPE, dtype=bool)
    opposite[16:25, 16:25, 23:25] = True
    low = np.full(SHAPE, 0.1, dtype=np.float32)
    assert not (with_local_edges(low, image, stroke, opposite, True)[opposite] > 0.5).any()


def test_no_stroke_in_the_window_changes_nothing() -> None:
    image, _ = scene()
    none, low = np.zeros(SHAPE, dtype=bool), np.full(SHAPE, 0.1, dtype=np.float32)
    assert with_local_edges(low, image, none, none, True) is low
