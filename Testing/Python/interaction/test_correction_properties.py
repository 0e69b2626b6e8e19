"""What holds for every sequence of strokes, edits, undo and redo, whatever the network answers."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from correction_bench import ScriptedCompleter
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Grid, region_of
from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.interaction.strokes import Stroke

SHAPE = (9, 14, 12)

indices = st.tuples(st.integers(0, SHAPE[2] - 1), st.integers(0, SHAPE[1] - 1), st.integers(0, SHAPE[0] - 1))
strokes = st.tuples(st.just("stroke"), st.booleans(), st.lists(indices, min_size=1, max_size=3), st.floats(0, 3))
actions = st.one_of(strokes, strokes, st.tuples(st.sampled_from(["undo", "redo", "edit"]), st.integers(0, 99)))


def volume(spacing: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.random.default_rng(1).normal(0, 10, SHAPE).astype(np.float32))
    image.SetSpacing(spacing)
    return image


def unreliable(seed: int) -> ScriptedCompleter:
    """A completer whose answers are patches at random."""

    def answer(image: NDArray[np.float32], *_: NDArray[np.float32]) -> NDArray[np.bool_]:
        coarse = np.random.default_rng(seed + round(float(abs(image).sum()))).random((6, 6, 6)) > 0.5
        return np.kron(coarse, np.ones((4, 4, 4), dtype=bool))

    return ScriptedCompleter(answer, 24)


@settings(max_examples=40, deadline=None)
@given(
    sequence=st.lists(actions, min_size=1, max_size=12),
    seed=st.integers(0, 1000),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (0.5, 0.5, 3.0), (2.0, 0.7, 1.1)]),
    new_object=st.booleans(),
    masking=st.booleans(),
)
def test_no_sequence_breaks_the_rules(
    sequence: list[tuple], seed: int, spacing: tuple[float, float, float], new_object: bool, masking: bool
) -> None:
    random = np.random.default_rng(seed)
    allowed = random.random(SHAPE) > 0.3 if masking else None
    session = CorrectionSession(volume(spacing), unreliable(seed), random.random(SHAPE) > 0.6, new_object)
    done, undone = [], []
    for kind, *details in sequence:
        before, hard = session.mask.copy(), session.hard.copy()
        if kind == "stroke":
            include, corners, radius = details
            stroke = Stroke.line(include, corners, radius, session.grid)
            change = session.add_stroke(stroke, allowed)
            _check_stroke(session, stroke, before, hard, allowed)
            done.append((before, hard))
            undone.clear()
        elif kind == "edit":
            change = session.add_edit(((1, 7), (2, 8), (0, 5)), random.random((5, 6, 6)) > 0.5)
            done.append((before, hard))
            undone.clear()
        else:
            stack, other = (done, undone) if kind == "undo" else (undone, done)
            change = session.undo() if kind == "undo" else session.redo()
            assert (change is None) == (not stack)
            if change is None:
                continue
            expected = stack.pop()
            other.append((before, hard))
            assert np.array_equal(session.mask, expected[0]) and np.array_equal(session.hard, expected[1])
        _check_box(session, change, before)
    assert (session.mask[session.hard > 0]).all() and not (session.mask[session.hard < 0]).any()


def _check_stroke(
    session: CorrectionSession,
    stroke: Stroke,
    before: NDArray[np.bool_],
    hard: NDArray[np.int8],
    allowed: NDArray[np.bool_] | None,
) -> None:
    marked = np.zeros(SHAPE, dtype=bool)
    marked[region_of(stroke.box)] = stroke.voxels
    changed = session.mask != before
    assert (session.mask[marked] == stroke.include).all()
    assert not (changed & (hard != 0) & ~marked).any()
    assert np.array_equal(session.hard, np.where(marked, 1 if stroke.include else -1, hard))
    if allowed is not None:
        assert not (changed & ~allowed & ~marked).any()
    assert (session.mask[changed] == stroke.include).all()


def _check_box(session: CorrectionSession, change, before: NDArray[np.bool_]) -> None:
    inside = np.zeros(SHAPE, dtype=bool)
    inside[region_of(change.box)] = True
    assert np.array_equal(session.mask[~inside], before[~inside])
    assert np.array_equal(change.before, before[region_of(change.box)])
    assert np.array_equal(change.after, session.mask[region_of(change.box)])


@settings(max_examples=15, deadline=None)
@given(sequence=st.lists(strokes, min_size=1, max_size=5), seed=st.integers(0, 1000), new_object=st.booleans())
def test_the_same_strokes_give_the_same_bytes(sequence: list[tuple], seed: int, new_object: bool) -> None:
    results = []
    for _ in range(2):
        session = CorrectionSession(volume((1.0, 1.0, 2.0)), unreliable(seed), None, new_object)
        for _, include, corners, radius in sequence:
            session.add_stroke(Stroke.line(include, corners, radius, session.grid))
        results.append(session.mask.tobytes())
    assert results[0] == results[1]


@given(index=indices, radius=st.floats(0, 8), include=st.booleans())
def test_a_ball_is_the_voxels_within_its_radius(index: tuple[int, int, int], radius: float, include: bool) -> None:
    grid = Grid.of(volume((0.5, 1.0, 3.0)))
    stroke = Stroke.ball(include, index, radius, grid)
    z, y, x = np.indices(SHAPE)
    distance = ((x - index[0]) * 0.5) ** 2 + (y - index[1]) ** 2 + ((z - index[2]) * 3.0) ** 2
    found = np.zeros(SHAPE, dtype=bool)
    found[region_of(stroke.box)] = stroke.voxels
    assert np.array_equal(found, distance <= radius**2)
