"""The benchmarks of prompts: the automatic user, the classical methods, the measures and the commands."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import correction_effort
import interaction
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from prompted.automatic_user import brush_radius, deepest, next_prompt, next_stroke
from prompted.classical import CLASSICAL, Classical
from prompted.effort import Effort, effort
from prompted.effort_table import fewer, short_rows
from prompted.effort_table import summary as effort_summary
from prompted.prompt_methods import OURS, TOLD
from prompted.prompt_plot import plot
from prompted.prompt_rounds import Rounds, play
from prompted.prompt_table import goal_rows, group_means, structure_rows, summary
from prompted.prompted_cases import LIST, case_groups, read_scans
from prompted_stubs import GRID, OnlyStrokes, PerfectMethod, ball
from stub_completer import StubCompleter

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.geometry import region_of
from LightMedSegLib.evaluation.metrics import dice
from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.interaction.strokes import Stroke

NAMES = ("group", "case", "structure", "method")


def scan(truth: NDArray[np.bool_]) -> sitk.Image:
    """A volume in which truth is brighter, with noise."""
    noise = np.random.default_rng(5).normal(0, 6, truth.shape)
    return GRID.image((100 + 80 * truth + noise).astype(np.float32))


def test_the_first_prompt_is_in_the_middle_of_the_object_and_no_larger_than_it() -> None:
    truth = ball((16, 18, 20), 9)
    prompt = next_prompt(np.zeros_like(truth), truth, GRID, 3.0)
    assert prompt is not None and prompt.include
    assert [sum(part) // 2 for part in prompt.box] == [20, 18, 16]
    large = next_prompt(np.zeros_like(truth), truth, GRID, 50.0)
    assert large is not None and not (large.voxels & ~truth[region_of(large.box)]).any()
    assert large.voxels.sum() > prompt.voxels.sum()


def test_the_next_prompt_is_in_the_deepest_error_and_excludes_what_is_too_much() -> None:
    truth = ball((16, 18, 12), 9)
    missed, leak = ball((16, 18, 8), 3), ball((16, 18, 32), 5)
    prompt = next_prompt((truth & ~missed) | leak, truth, GRID, 2.0)
    assert prompt is not None and not prompt.include
    assert leak[region_of(prompt.box)][prompt.voxels].all()
    prompt = next_prompt(truth & ~missed, truth, GRID, 2.0)
    assert prompt is not None and prompt.include
    assert missed[region_of(prompt.box)][prompt.voxels].all()


def test_depth_is_in_mm_and_ends_at_the_volumes_border() -> None:
    error = np.zeros(GRID.shape, dtype=bool)
    error[:3, 10:30, 10:30] = True
    (z, _, _), depth = deepest(error, GRID)
    assert z == 1 and depth == pytest.approx(4.0)
    assert deepest(np.zeros_like(error), GRID)[1] == 0


def test_there_is_no_prompt_where_all_is_right() -> None:
    truth = ball((16, 18, 20), 9)
    assert next_prompt(truth, truth, GRID, 2.0) is None
    assert next_stroke(truth, truth, GRID, 2.0) is None


def test_a_stroke_paints_only_what_is_wrong() -> None:
    truth = ball((16, 18, 20), 9)
    mask = truth & ~ball((16, 18, 28), 3)
    stroke = next_stroke(mask, truth, GRID, 20.0)
    assert stroke is not None and stroke.include
    assert stroke.voxels.sum() == (truth & ~mask).sum()


def test_the_brush_grows_with_objects_that_need_coarser_windows() -> None:
    small = brush_radius(ball((16, 18, 20), 4), GRID)
    assert small == pytest.approx(2 * min(GRID.spacing))
    wide = replace(GRID, spacing=(9.0, 9.0, 9.0))
    assert brush_radius(np.ones(GRID.shape, dtype=bool), wide) == pytest.approx(2 * 9.0)
    fine = replace(GRID, spacing=(1.0, 1.0, 9.0))
    assert brush_radius(np.ones(GRID.shape, dtype=bool), fine) == pytest.approx(2 * 1.5 * 32 * 9 / 96)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_methods_find_a_bright_ball(name: str, told: bool) -> None:
    pytest.importorskip({"random walker": "skimage", "grow from seeds": "slicer_core"}.get(name, "SimpleITK"))
    truth = ball((16, 18, 20), 9)
    rounds = play(NAMES, Classical(scan(truth), CLASSICAL[name], truth if told else None), truth, GRID, 3)
    assert rounds.dice[-1] > 0.9


def test_a_classical_method_keeps_prompts_and_stays_in_its_region() -> None:
    truth = ball((16, 18, 20), 6)
    method = Classical(scan(truth), CLASSICAL["geodesic"], truth)
    outside = Stroke.ball(True, (2, 2, 2), 1.0, GRID)
    method.answer(Stroke.ball(True, (20, 18, 16), 2.0, GRID))
    excluded = Stroke.ball(False, (20, 18, 17), 1.0, GRID)
    method.answer(excluded)
    mask = method.answer(outside)
    assert not mask[region_of(excluded.box)][excluded.voxels].any()
    assert mask[region_of(outside.box)][outside.voxels].all()
    mask[region_of(outside.box)] = False
    assert not mask[:, :, :10].any() and mask.any()


def test_a_perfect_method_has_dice_1_after_one_prompt() -> None:
    truth = ball((16, 18, 20), 9)
    rounds = play(NAMES, PerfectMethod(truth), truth, GRID)
    assert rounds.prompts == "+" and rounds.dice == (1.0,) * 10
    assert Rounds.of_row({key: str(value) for key, value in rounds.row().items()}).row() == rounds.row()


def test_a_method_that_only_takes_the_prompts_is_prompted_to_the_end() -> None:
    truth = ball((16, 18, 20), 9)

    class Prompts(OnlyStrokes):
        def answer(self, stroke: Stroke) -> NDArray[np.bool_]:
            self.add_stroke(stroke)
            return self.mask

    rounds = play(NAMES, Prompts(truth), truth, GRID)
    assert rounds.prompts == "+" * 10
    assert 0 < rounds.dice[0] < rounds.dice[4] < rounds.dice[9] < 1


def rounds_of(group: str, method: str, *scores: float) -> Rounds:
    return Rounds(group, "one", "thing", method, "+-", 0.5, 0.25, tuple(scores) + (scores[-1],) * (10 - len(scores)))


ROUNDS = [
    rounds_of("a", OURS, 0.5, 0.9, 0.7),
    rounds_of("b", OURS, 0.3, 0.4, 0.5),
    rounds_of("a", "geodesic", 0.2, 0.2, 0.5),
    rounds_of("b", "geodesic", 0.1, 0.2, 0.3),
    rounds_of("a", "geodesic" + TOLD, 0.6, 0.6, 0.8),
    rounds_of("b", "geodesic" + TOLD, 0.6, 0.6, 0.8),
]


def test_the_table_has_groups_and_the_mean_of_the_groups() -> None:
    rows = summary(ROUNDS, {"a": "A", "b": "B"})
    assert [row["cases"] for row in rows] == ["A (1)"] * 3 + ["B (1)"] * 3 + ["mean of the groups"] * 3
    assert group_means(ROUNDS, OURS)[:2] == pytest.approx([0.4, 0.6])
    assert rows[-3] == {
        "cases": "mean of the groups", "method": OURS, "after 1": "0.40", "after 3": "0.60", "after 5": "0.60",
        "after 10": "0.60", "processor seconds": "0.25",
    }  # fmt: skip
    assert structure_rows(ROUNDS)[0]["included"] == 1


def test_the_goals_compare_with_methods_of_equal_knowledge_apart_from_those_that_know_more() -> None:
    same, told, fresh = goal_rows(ROUNDS, ["a"])
    assert same["reached"] == "+0.20 (geodesic)"
    assert told["reached"] == "-0.20 (geodesic)"
    assert fresh["reached"] == "1 of 1"
    assert goal_rows(ROUNDS, ["b"])[2]["reached"] == "0 of 1"


def test_completion_that_is_perfect_saves_most_of_the_painting() -> None:
    truth = ball((16, 18, 20), 9)
    prediction = truth & ~ball((16, 18, 27), 6)
    session = PerfectMethod(truth)
    session.mask = prediction
    found = effort(("g", "c", "s"), session, prediction, truth, GRID)
    assert (found.strokes, found.reached) == (1, 1.0)
    assert found.plain_strokes > 1 and found.plain_painted > 3 * found.painted
    assert found.plain_reached < 0.95 and fewer([found]) > 0.6
    assert Effort.of_row({key: str(value) for key, value in found.row().items()}).row() == found.row()


def test_without_completion_nothing_is_saved() -> None:
    truth = ball((16, 18, 20), 9)
    prediction = truth & ~ball((16, 18, 27), 6)
    session = OnlyStrokes(truth)
    session.mask = prediction
    found = effort(("g", "c", "s"), session, prediction, truth, GRID)
    assert (found.strokes, found.painted) == (found.plain_strokes, found.plain_painted)
    assert fewer([found]) == 0
    assert found.reached == found.plain_reached


def test_painting_alone_stops_within_its_stroke_where_dice_is_as_high_as_with_completion() -> None:
    truth = ball((16, 18, 20), 9)
    prediction = truth & ~ball((16, 18, 27), 7)
    session = PerfectMethod(truth & ~ball((16, 18, 27), 5))
    session.mask = prediction
    found = effort(("g", "c", "s"), session, prediction, truth, GRID)
    plain, painted = OnlyStrokes(truth), [0]
    plain.mask = prediction.copy()
    while dice(plain.mask, truth) < found.reached:
        stroke = next_stroke(plain.mask, truth, GRID, brush_radius(truth, GRID))
        assert stroke is not None
        plain.add_stroke(stroke)
        painted.append(painted[-1] + int(stroke.voxels.sum()))
    assert found.reached < 0.95 and found.plain_strokes == len(painted) - 1
    assert painted[-2] < found.plain_painted < painted[-1]


def test_completion_that_harms_counts_as_painting_for_nothing() -> None:
    truth = ball((16, 18, 20), 9)
    prediction = truth & ~ball((16, 18, 27), 6)
    session = PerfectMethod(ball((16, 18, 20), 5))
    session.mask = prediction
    found = effort(("g", "c", "s"), session, prediction, truth, GRID)
    assert found.strokes == 10 and found.reached < found.start and found.least < 0
    assert (found.plain_strokes, found.plain_painted) == (0, 0)
    assert effort_summary([found], {"g": "G"})[0]["fewer voxels"] == ""


def test_structures_are_counted_by_whether_completion_saved_paint() -> None:
    found = [
        Effort("g", case, "s", 0.8, 0.9, 10, painted, 0.9, 10, 40, 0.0, 0.1)
        for case, painted in (("a", 30), ("a", 40), ("b", 41), ("b", 80))
    ]
    row = effort_summary(found, {"g": "G"})[0]
    assert (row["cases"], row["structures"]) == (2, 4)
    assert row["structures with less / as much / more paint"] == "1 / 1 / 2"
    assert short_rows(found)[0]["result"] == "1 / 1 / 2 of 4"
    assert short_rows([]) == []


def test_a_prediction_that_is_good_enough_needs_nothing() -> None:
    truth = ball((16, 18, 20), 9)
    found = effort(("g", "c", "s"), PerfectMethod(truth), truth, truth, GRID)
    assert (found.strokes, found.painted, found.plain_strokes) == (0, 0, 0)
    assert effort_summary([found], {"g": "G"}) == []


def test_the_list_names_held_out_cases_only() -> None:
    recipes = LIST.parents[3] / "Resources" / "Training"
    splits = {"hippocampus": "hippocampus-t1-mr", "head-neck": "headneck-oar-ct"}
    for part in ("prompts", "corrections"):
        for group in case_groups(part):
            if group["group"] in splits:
                split = json.loads((recipes / f"{splits[group['group']]}.split.json").read_text(encoding="utf-8"))
                assert set(group["cases"]) <= set(split["test"])
    assert sum(len(g["structures"]) for g in case_groups("prompts") if g["group"] == "abdomen") == 10


@pytest.fixture
def cases(tmp_path: Path) -> list[str]:
    """Options that name one scan with a bright ball, and a list that has it."""
    truth = ball((16, 18, 20), 9)
    sitk.WriteImage(scan(truth), str(tmp_path / "one.nii.gz"))
    sitk.WriteImage(GRID.image(truth.astype(np.uint8)), str(tmp_path / "one-labels.nii.gz"))
    group = {
        "group": "balls", "title": "Balls, bright", "trained_on": False, "image": "{case}.nii.gz",
        "labels": "{case}-labels.nii.gz", "cases": ["one"], "structures": {"Anterior hippocampus": [1]},
        "model": "hippocampus-t1-mr",
    }  # fmt: skip
    (tmp_path / "cases.json").write_text(json.dumps({"prompts": [group], "corrections": [group]}), encoding="utf-8")
    return ["--data", str(tmp_path), "--cases", str(tmp_path / "cases.json"), "--out", str(tmp_path / "out")]


def test_a_scan_without_a_structure_or_a_file_is_told(cases: list[str]) -> None:
    group = case_groups("prompts", Path(cases[3]))[0]
    assert [entry.case for entry in read_scans(group, Path(cases[1]))] == ["one"]
    with pytest.raises(TrainingDataError, match="has no moon"):
        list(read_scans(group | {"structures": {"moon": [7]}}, Path(cases[1])))
    with pytest.raises(TrainingDataError, match=r"two needs the file .*two\.nii\.gz"):
        list(read_scans(group | {"cases": ["two"]}, Path(cases[1])))


def test_the_command_plays_writes_and_keeps_rows_of_methods_that_are_not_run(
    cases: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(interaction, "Completer", lambda model, device: StubCompleter())
    out, told = tmp_path / "out", "geodesic" + TOLD
    assert interaction.main([*cases, "--threads", "1", "--methods", told]) == 0
    assert interaction.main([*cases, "--threads", "1", "--methods", OURS]) == 0
    with (out / "prompts.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["method"] for row in csv.DictReader(stream)] == [OURS, told]
    assert (out / "prompts.png").read_bytes().startswith(b"\x89PNG")
    assert "Balls, bright (1)" in (out / "prompts.md").read_text(encoding="utf-8")
    with (out / "prompts.csv").open("a", encoding="utf-8") as stream:
        stream.write(f'balls,one,moon,"{told}",+,1,1' + ",0.5" * 10 + "\n")
    capsys.readouterr()
    assert interaction.main([*cases, "--threads", "1", "--methods", OURS, told, "--resume"]) == 0
    assert "moon" not in (out / "prompts.csv").read_text(encoding="utf-8")
    assert "balls one" not in capsys.readouterr().out
    assert interaction.main(["--data", str(tmp_path / "none"), *cases[2:]]) == 2
    assert "needs the file" in capsys.readouterr().err


def test_the_command_for_corrections_compares_painting(
    cases: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(correction_effort, "Completer", lambda model, device: StubCompleter())
    assert correction_effort.main([*cases, "--threads", "1"]) == 0
    with (tmp_path / "out" / "corrections.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["structure"] for row in rows] == ["Anterior hippocampus"] and int(rows[0]["painted"]) > 0
    assert "hippocampus" not in (tmp_path / "out" / "corrections.md").read_text(encoding="utf-8").splitlines()[0]


def test_our_session_is_prompted_like_the_others() -> None:
    from prompted.prompt_methods import Session

    truth = ball((16, 18, 20), 9)
    session = CorrectionSession(scan(truth), StubCompleter(), new_object=True)
    assert play(NAMES, Session(session), truth, GRID).dice[-1] > 0.5


def test_the_plot_has_a_panel_for_each_group(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot(tmp_path / "both.png", ROUNDS, {"a": "A", "b": "B"})
    plot(tmp_path / "one.png", ROUNDS, {"a": "A"})
    widths = [sitk.ReadImage(str(tmp_path / name)).GetWidth() for name in ("both.png", "one.png")]
    assert widths[0] == 2 * widths[1]
