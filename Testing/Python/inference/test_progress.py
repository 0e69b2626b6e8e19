"""Progress that keeps pace with time: the estimate that never rises, the plan of a run, the steps of a pass."""

from __future__ import annotations

import itertools

import pytest
import torch
from engine_stubs import RandomNetwork, make_image, smooth_noise, stub_model
from torch import nn

from LightMedSegLib.core.pass_steps import PassSteps
from LightMedSegLib.core.progress import TimeLeft, part_of
from LightMedSegLib.core.work_plan import Pace, WorkPlan
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.sliding_window.predictor import Predictor
from LightMedSegLib.network import build_network
from LightMedSegLib.network.cpu import FastLightMedSeg


def told(reports: list[tuple[float, int, str]]) -> list[float | None]:
    """The estimate after each report of (time, percent, message)."""
    left, seconds = TimeLeft(), []
    for now, percent, message in reports:
        left.report(percent, 100, message, now)
        seconds.append(left.seconds)
    return seconds


def test_an_even_run_is_estimated_a_little_too_long_and_never_longer_than_before() -> None:
    seconds = told(
        [(float(percent), percent, f"Segmenting, window {1 + percent // 25} of 4") for percent in range(101)]
    )
    assert seconds[:5] == [None] * 5
    known = [value for value in seconds if value is not None]
    assert len(known) > 90 and known == sorted(known, reverse=True)
    for percent, value in enumerate(seconds):
        if value is not None:
            assert 100 - percent <= value <= 1.3 * (100 - percent) + 1e-9


def test_what_came_before_a_stage_does_not_count_for_its_pace() -> None:
    """Loading PyTorch took twenty seconds; the network takes one for each percent."""
    loading = [(0.0, 0, "Starting PyTorch"), (20.0, 4, "Preparing the volume")]
    network = [(21.0 + step, 5 + step, "Segmenting, window 1 of 1") for step in range(60)]
    seconds = told(loading + network)
    first = next(value for value in seconds if value is not None)
    assert first < 1.3 * 95


@pytest.mark.parametrize("slowness", [1.3, 1.9])
def test_a_computer_that_becomes_slower_makes_the_estimate_stay(slowness: float) -> None:
    reports, now = [], 0.0
    for percent in range(100):
        reports.append((now, percent, "Segmenting, window 1 of 1"))
        now += 1.0 if percent < 30 else slowness
    known = [value for value in told(reports) if value is not None]
    assert known == sorted(known, reverse=True)


def test_an_estimate_that_turned_out_far_too_short_is_not_shown_any_more() -> None:
    """The graphics card failed, and the processor takes fifty times as long."""
    card = [(0.1 * step, step, "Segmenting, window 1 of 9") for step in range(40)]
    processor = [(4.0 + 5.0 * step, 40 + step, "Segmenting, window 1 of 1") for step in range(20)]
    seconds = told(card + processor)
    assert seconds[38] is not None and seconds[-1] is None


def test_a_count_that_goes_back_never_makes_it_rise() -> None:
    first = [(float(step), 10 * step, "Segmenting") for step in range(10)]
    second = [(10.0 + 3 * step, 10 * step, "Segmenting") for step in range(10)]
    known = [value for value in told(first + second) if value is not None]
    assert known == sorted(known, reverse=True)


def test_a_part_is_shown_as_a_part() -> None:
    seen: list[tuple[int, int, str]] = []
    part = part_of(lambda *report: seen.append(report), 0.5, 1.0, "Scan 2 of 2: ")
    part(0, 4, "Preparing")
    part(2, 4, "Segmenting")
    part(0, 0, "Nothing")
    assert seen == [(50, 100, "Scan 2 of 2: Preparing"), (75, 100, "Scan 2 of 2: Segmenting"),
                    (50, 100, "Scan 2 of 2: Nothing")]  # fmt: skip


def test_a_plan_weighs_parts_by_their_time_and_never_goes_back() -> None:
    seen: list[int] = []
    plan = WorkPlan(lambda done, total, message: seen.append(done))
    plan.expect("preparation", 10.0)
    plan.expect("network", 80.0)
    plan.expect("finish", 10.0)
    plan.at("preparation", 0.0, "Preparing")
    plan.at("network", 0.5, "Segmenting")
    plan.at("network", 0.5, "Segmenting")
    plan.expect("network", 800.0)
    plan.at("network", 0.1, "Segmenting")
    plan.at("finish", 1.0, "Cleaning up")
    plan.end("Done")
    assert seen == [0, 50, 99, 100]


def test_the_pace_of_a_device_is_measured_as_runs_go_by() -> None:
    pace = Pace("cpu")
    assert pace.expected("network", 1e6) > Pace("cuda:0").expected("network", 1e6)
    guessed = pace.expected("network", 1e6)
    for _ in range(20):
        pace.learn("network", 5e6, 50.0)
    assert pace.expected("network", 1e6) == pytest.approx(10.0, rel=0.01)
    fresh = Pace("cpu")
    fresh.learn("network", 1e3, 0.1)
    assert fresh.expected("network", 1e6) < 1.1 * guessed, "a tiny volume, where everything is loaded, tells nothing"


def shares_of(steps: PassSteps, shape: tuple[int, ...], count: int) -> list[float]:
    shares: list[float] = []
    current = steps.begin(shape, shares.append)
    for _ in range(count):
        current.step()
    current.end()
    return shares


def test_steps_that_were_counted_before_make_the_next_pass_even() -> None:
    steps = PassSteps()
    unknown = shares_of(steps, (1, 1, 100, 100, 100), 200)
    assert unknown == sorted(unknown) and unknown[-1] < 1
    known = shares_of(steps, (1, 1, 100, 100, 100), 200)
    assert known[100] == 0.5
    assert steps.expected((1, 1, 200, 100, 100)) == 400, "in proportion to what is known"
    modules = PassSteps(fixed=7)
    shares_of(modules, (1, 1, 8, 8, 8), 5)
    assert modules.expected((1, 1, 64, 64, 64)) == 5, "modules do not depend on the size"


@pytest.mark.parametrize("fast", [False, True], ids=["modules", "fast"])
def test_a_single_pass_of_a_network_shows_its_progress(fast: bool) -> None:
    network: nn.Module = build_network("lightmedseg", 1, 3).eval()
    predictor = Predictor(FastLightMedSeg(network) if fast else network)  # type: ignore[arg-type]
    seen: list[float] = []
    predictor.on_share = seen.append
    predictor(torch.zeros(1, 1, 48, 48, 48).numpy())
    assert len(set(seen)) > 20 and seen == sorted(seen) and seen[-1] < 1
    first, seen[:] = list(seen), []
    predictor(torch.zeros(1, 1, 48, 48, 48).numpy())
    assert len(seen) == len(first) and max(b - a for a, b in itertools.pairwise(seen)) < 0.1


def test_mirror_images_share_one_progress() -> None:
    predictor = Predictor(RandomNetwork().eval(), mirror=("x",))
    seen: list[float] = []
    predictor.on_share = seen.append
    predictor(torch.zeros(1, 1, 8, 8, 8).numpy())
    assert seen == sorted(seen) and seen[0] == 0 and any(0.5 <= share < 1 for share in seen)


def test_a_volume_of_one_window_has_progress_between_its_beginning_and_its_end() -> None:
    engine, reports = Engine(stub_model(RandomNetwork(), patch=[32, 32, 32]), "cpu"), []
    image = make_image(smooth_noise((30, 30, 30)))
    engine.segment(image, progress=lambda *report: reports.append(report))
    inside = {done for done, _, message in reports if message == "Segmenting, window 1 of 1"}
    assert len(inside) > 5
    assert reports[-1] == (100, 100, "Done")
