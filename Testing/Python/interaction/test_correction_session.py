"""A correction session: what a stroke may change, undo and redo, and unusual volumes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from correction_bench import (
    BALL_CENTRE,
    OBLIQUE,
    ScriptedCompleter,
    ball_mask,
    ball_volume,
    bright,
    everything,
    nothing,
    point,
)
from stub_completer import StubCompleter

from LightMedSegLib.core.errors import CancelledError, InputImageError
from LightMedSegLib.core.geometry import region_of
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.interaction.edges import by_edges, on_device, prompts_on
from LightMedSegLib.interaction.encoding import normalize_window
from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.interaction.window import View


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.4), (3.0, 1.0, 1.0)])
@pytest.mark.parametrize("direction", [(), OBLIQUE])
def test_a_click_makes_the_whole_object(spacing: tuple[float, float, float], direction: tuple[float, ...]) -> None:
    session = CorrectionSession(ball_volume(spacing, direction), bright(), new_object=True)
    change = session.add_stroke(point(session))
    assert dice(session.mask, ball_mask()) > 0.95
    assert np.array_equal(change.after, session.mask[region_of(change.box)])
    assert change.passes >= 1 and change.seconds > 0


def test_a_painted_stroke_fills_the_missing_chunk_and_removes_nothing() -> None:
    mask = ball_mask()
    mask[:, :, 24:] = False
    mask[2, 2, 2] = True
    session = CorrectionSession(ball_volume(), bright(), mask)
    session.add_stroke(point(session, (28, 20, 16)))
    assert (session.mask & mask).sum() == mask.sum()
    assert dice(session.mask, ball_mask()) > 0.97


def test_an_erased_stroke_takes_the_leak_and_adds_nothing() -> None:
    mask = ball_mask()
    mask[14:18, 18:22, 24:44] = True
    session = CorrectionSession(ball_volume(), bright(), mask)
    session.add_stroke(point(session, (40, 20, 16), include=False))
    assert not (session.mask & ~mask).any()
    assert dice(session.mask, ball_mask()) > 0.97


def test_edges_take_a_small_stroke_as_it_was_drawn_not_the_ball_that_the_network_is_shown() -> None:
    completer = nothing()

    def edges_alone(view: View, cancel: object = None) -> np.ndarray:
        return by_edges(normalize_window(on_device(view.image, "cpu")), prompts_on(view, "cpu"), view)[0, 0].numpy()

    completer.probability = edges_alone
    session = CorrectionSession(ball_volume(), completer, ball_mask())
    session.add_stroke(point(session, include=False))
    assert (ball_mask() ^ session.mask).sum() == 1


def test_only_what_hangs_together_with_the_stroke_changes() -> None:
    volume = sitk.GetArrayFromImage(ball_volume())
    volume[2:6, 2:6, 2:6] = 100
    session = CorrectionSession(sitk.GetImageFromArray(volume), bright(96), np.zeros(volume.shape, dtype=bool))
    session.add_stroke(point(session))
    assert dice(session.mask, ball_mask()) > 0.95
    assert not session.mask[2:6, 2:6, 2:6].any()


def test_marked_voxels_are_as_the_user_made_them_whatever_the_network_says() -> None:
    for completer, include in ((everything(), False), (nothing(), True)):
        session = CorrectionSession(ball_volume(), completer, new_object=True)
        first = Stroke.ball(include, BALL_CENTRE, 3.0, session.grid)
        session.add_stroke(first)
        session.add_stroke(point(session, (30, 20, 16), include=not include))
        assert (session.mask[region_of(first.box)][first.voxels] == include).all()
        assert (session.hard[region_of(first.box)][first.voxels] == (1 if include else -1)).all()


def test_an_include_prompt_on_a_new_object_takes_nothing_away_and_an_exclude_prompt_adds_nothing() -> None:
    completer = bright()
    session = CorrectionSession(ball_volume(), completer, new_object=True)
    session.add_stroke(point(session))
    found = session.mask.copy()
    completer.answer = lambda image, *_: np.zeros(image.shape, dtype=bool)
    session.add_stroke(point(session, (30, 20, 16)))
    assert session.mask[found].all()
    completer.answer = lambda image, *_: np.ones(image.shape, dtype=bool)
    before = session.mask.copy()
    session.add_stroke(point(session, (24, 20, 24), include=False))
    assert not (session.mask & ~before).any() and (before & ~session.mask).any()


def test_an_include_prompt_keeps_an_island_that_no_painted_voxel_holds() -> None:
    session = CorrectionSession(ball_volume(), everything(64), new_object=True)
    session.add_stroke(point(session))
    kept = np.zeros(session.mask.shape, dtype=bool)
    kept[:, :, -6:] = session.mask[:, :, -6:]
    session.completer = nothing(64)
    session.add_stroke(point(session, (30, 20, 16), include=False), allowed=~kept)
    assert session.mask[kept].all()
    session.add_stroke(point(session, (20, 20, 16)))
    assert session.mask[kept].all()


def test_an_exclude_prompt_on_an_empty_object_asks_no_network() -> None:
    completer = everything()
    session = CorrectionSession(ball_volume(), completer, new_object=True)
    change = session.add_stroke(point(session, include=False))
    assert not session.mask.any() and completer.calls == change.passes == 0


def test_a_finer_window_far_from_painted_voxels_is_shown_the_object() -> None:
    bar = np.zeros((60, 60, 200), dtype=np.float32)
    bar[20:40, 20:40, 10:190] = 100
    completer, seen = bright(), []

    def answer(image: np.ndarray, present: np.ndarray, *_: np.ndarray) -> np.ndarray:
        seen.append(int(present.sum()))
        return image > 50

    completer.answer = answer
    session = CorrectionSession(sitk.GetImageFromArray(bar), completer, bar > 50, new_object=True)
    for x in (20, 180):
        session.add_stroke(point(session, (x, 30, 30)))
    seen.clear()
    change = session.add_stroke(point(session, (100, 30, 38), include=False))
    assert change.passes == len(seen) > 1 and min(seen) > 0


def test_a_newer_stroke_overrules_an_older_one() -> None:
    session = CorrectionSession(ball_volume(), everything(), new_object=True)
    session.add_stroke(Stroke.ball(True, BALL_CENTRE, 3.0, session.grid))
    session.add_stroke(point(session, include=False))
    x, y, z = BALL_CENTRE
    assert not session.mask[z, y, x] and session.hard[z, y, x] == -1


def test_voxels_that_are_not_allowed_stay_but_for_the_strokes_own() -> None:
    allowed = np.ones(ball_mask().shape, dtype=bool)
    allowed[:, :, 24:] = False
    session = CorrectionSession(ball_volume(), bright(), new_object=True)
    session.add_stroke(point(session, (26, 20, 16)), allowed)
    assert session.mask[16, 20, 26] and session.mask[:, :, 24:].sum() == 1


def test_a_new_object_keeps_only_parts_with_a_painted_voxel() -> None:
    volume = sitk.GetArrayFromImage(ball_volume())
    volume[2:6, 2:6, 2:6] = 100
    session = CorrectionSession(sitk.GetImageFromArray(volume), bright(96), new_object=True)
    session.add_stroke(point(session))
    assert not session.mask[2:6, 2:6, 2:6].any()
    session.add_stroke(point(session, (4, 4, 4)))
    assert session.mask[3:5, 3:5, 3:5].all() and dice(session.mask, ball_mask()) > 0.9


def test_an_object_larger_than_the_window_is_followed_by_larger_windows() -> None:
    array = np.zeros((100, 30, 30), dtype=np.float32)
    array[10:90, 5:25, 5:25] = 100
    completer = bright(32)
    session = CorrectionSession(sitk.GetImageFromArray(array), completer, new_object=True)
    session.add_stroke(point(session, (15, 15, 50)))
    assert completer.calls > 1
    assert dice(session.mask, array > 50) > 0.85


def test_a_proposal_changes_nothing_and_accepting_it_equals_the_stroke() -> None:
    one, other = (CorrectionSession(ball_volume(), bright(), new_object=True) for _ in range(2))
    stroke = point(one)
    change = one.snapshot().propose(stroke)
    assert not one.mask.any() and not one.hard.any() and one.undo() is None
    one.accept(stroke, change)
    other.add_stroke(stroke)
    assert np.array_equal(one.mask, other.mask) and np.array_equal(one.hard, other.hard)


def test_what_was_marked_since_a_proposal_is_kept() -> None:
    session = CorrectionSession(ball_volume(), bright(), new_object=True)
    stroke = point(session)
    change = session.propose(stroke)
    session.add_edit(((20, 24), (20, 22), (16, 17)), np.ones((1, 2, 4), dtype=bool))
    session.add_edit(((20, 24), (20, 22), (16, 17)), np.zeros((1, 2, 4), dtype=bool))
    session.accept(stroke, change)
    assert not session.mask[16, 20:22, 20:24].any() and session.mask[16, 20, 24]


def test_an_edit_of_another_tool_is_hard_where_it_changed_something() -> None:
    session = CorrectionSession(ball_volume(), everything(), ball_mask())
    edited = ball_mask()[10:20, 10:20, 10:20].copy()
    edited[5:] = False
    change = session.add_edit(((10, 20), (10, 20), (10, 20)), edited)
    assert np.array_equal(session.mask[10:20, 10:20, 10:20], edited)
    assert ((session.hard == -1) == (ball_mask() & ~session.mask)).all() and not (session.hard > 0).any()
    assert change.changed.sum() == (session.hard != 0).sum()
    session.add_stroke(point(session))
    assert not session.mask[session.hard == -1].any()


def test_a_stroke_in_one_voxel_of_the_border_does_no_harm_if_the_network_does_not_follow() -> None:
    copies = ScriptedCompleter(lambda image, mask, *_: mask > 0.5)
    for include, x in ((True, 34), (False, 15)):
        session = CorrectionSession(ball_volume(), copies, ball_mask())
        session.add_stroke(point(session, (x, 20, 16), include))
        assert 1 <= (session.mask != ball_mask()).sum() <= 27


def test_undo_and_redo_return_the_bytes_over_many_levels() -> None:
    session = CorrectionSession(ball_volume(), StubCompleter(), ball_mask(radius=6), new_object=False)
    random, states = np.random.default_rng(5), []
    for number in range(60):
        states.append((session.mask.tobytes(), session.hard.tobytes(), session.strokes))
        index = tuple(int(value) for value in random.integers((4, 4, 4), (44, 36, 28)))
        if number % 7 == 6:
            session.add_edit(((3, 9), (4, 9), (5, 9)), random.random((4, 5, 6)) > 0.5)
        else:
            session.add_stroke(Stroke.ball(bool(number % 2), index, 2.0, session.grid))
    states.append((session.mask.tobytes(), session.hard.tobytes(), session.strokes))
    for expected in reversed(states[:-1]):
        before = session.mask.copy()
        change = session.undo()
        assert change is not None and (session.mask.tobytes(), session.hard.tobytes(), session.strokes) == expected
        assert np.array_equal(before[region_of(change.box)], change.before)
    assert session.undo() is None
    for expected in states[1:]:
        assert session.redo() is not None
        assert (session.mask.tobytes(), session.hard.tobytes(), session.strokes) == expected
    assert session.redo() is None


def test_a_stroke_after_undo_forgets_what_could_be_redone() -> None:
    session = CorrectionSession(ball_volume(), bright(), new_object=True)
    session.add_stroke(point(session))
    session.undo()
    session.add_stroke(point(session, (20, 20, 16)))
    assert session.redo() is None


def test_a_cancelled_stroke_changes_nothing() -> None:
    session, token = CorrectionSession(ball_volume(), bright(), new_object=True), CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        session.add_stroke(point(session), cancel=token)
    assert not session.mask.any() and not session.hard.any() and session.undo() is None


def test_the_state_brings_marks_and_strokes_back() -> None:
    session = CorrectionSession(ball_volume(), bright(), new_object=True)
    session.add_stroke(Stroke.ball(True, BALL_CENTRE, 2.0, session.grid))
    session.add_stroke(point(session, (40, 30, 4), include=False))
    other = CorrectionSession(ball_volume(), bright(), session.mask)
    other.restore(session.state())
    assert np.array_equal(other.hard, session.hard) and other.new_object
    for one, two in zip(session.strokes, other.strokes, strict=True):
        assert (one.include, one.box) == (two.include, two.box) and np.array_equal(one.voxels, two.voxels)
    stroke = point(session, (30, 22, 16))
    assert session.add_stroke(stroke).changed.sum() == other.add_stroke(stroke).changed.sum()


def test_the_state_of_another_volume_or_a_damaged_one_is_refused() -> None:
    session = CorrectionSession(ball_volume(), bright())
    session.add_stroke(point(session))
    state = session.state()
    other = CorrectionSession(sitk.Image(8, 8, 8, sitk.sitkInt16), bright())
    with pytest.raises(InputImageError, match="saved corrections are of a volume of"):
        other.restore(state)
    for name in state:
        with pytest.raises(InputImageError, match="damaged"):
            session.restore({key: value for key, value in state.items() if key != name})
    with pytest.raises(InputImageError, match="damaged"):
        session.restore({**state, "stroke_bits": state["stroke_bits"][:0]})


def test_a_constant_volume_takes_only_the_stroke_and_says_so() -> None:
    session = CorrectionSession(sitk.Image(20, 20, 20, sitk.sitkInt16), everything(), new_object=True)
    change = session.add_stroke(Stroke.ball(True, (10, 10, 10), 2.0, session.grid))
    assert session.mask.sum() == (session.hard > 0).sum() and "same value" in change.note and change.passes == 0


def test_values_that_are_no_number_do_not_reach_the_network() -> None:
    array = sitk.GetArrayFromImage(ball_volume())
    array[0, :, :], array[5, 6, 7], array[6, 6, 7] = np.nan, np.inf, -np.inf
    session = CorrectionSession(sitk.GetImageFromArray(array), bright(), new_object=True)
    session.add_stroke(point(session))
    assert dice(session.mask, ball_mask()) > 0.95


@pytest.mark.parametrize("size", [(3, 3, 3), (1, 1, 1), (64, 48, 1), (2, 1, 90)])
def test_tiny_and_flat_volumes_work(size: tuple[int, int, int]) -> None:
    array = np.random.default_rng(0).integers(0, 200, size[::-1]).astype(np.int16)
    session = CorrectionSession(sitk.GetImageFromArray(array), StubCompleter(), new_object=True)
    middle = tuple(length // 2 for length in size)
    session.add_stroke(Stroke.ball(True, middle, 1.0, session.grid))
    assert session.mask[middle[::-1]]
    session.add_stroke(Stroke.ball(False, (0, 0, 0), 0.0, session.grid))
    assert not session.mask[0, 0, 0]


def test_wrong_volumes_masks_and_strokes_are_refused_in_words() -> None:
    with pytest.raises(InputImageError, match="scalar 3D image"):
        CorrectionSession(sitk.Image([4, 4, 4], sitk.sitkVectorUInt8, 3), bright())
    with pytest.raises(InputImageError, match="scalar 3D image"):
        CorrectionSession(sitk.Image(4, 4, sitk.sitkUInt8), bright())
    with pytest.raises(InputImageError, match="mask"):
        CorrectionSession(ball_volume(), bright(), np.zeros((2, 2, 2), dtype=bool))
    session = CorrectionSession(ball_volume(), bright())
    with pytest.raises(InputImageError, match="not inside the volume"):
        session.add_stroke(Stroke(True, ((47, 49), (0, 1), (0, 1)), np.ones((1, 1, 2), dtype=bool)))
    with pytest.raises(InputImageError, match="empty"):
        session.add_stroke(Stroke(True, ((4, 5), (0, 1), (0, 1)), np.zeros((1, 1, 1), dtype=bool)))
    with pytest.raises(InputImageError, match="allowed"):
        session.add_stroke(point(session), np.ones((2, 2, 2), dtype=bool))
    with pytest.raises(InputImageError, match="does not fit its box"):
        session.add_edit(((0, 2), (0, 2), (0, 2)), np.ones((1, 1, 1), dtype=bool))


def test_mask_and_marks_can_be_read_but_not_written() -> None:
    session = CorrectionSession(ball_volume(), bright(), ball_mask())
    for array in (session.mask, session.hard):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 1
