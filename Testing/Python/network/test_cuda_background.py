"""The network compiled beside its work: when it starts, how it is exchanged, refused and stopped, with stand-ins."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
import torch
from patience import limit, wait_for
from torch import Tensor

from LightMedSegLib.cli.segmenting.report import segmentation_report
from LightMedSegLib.core.progress import StageTimer
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.network import build_network
from LightMedSegLib.network.cuda.agreement import disagreement
from LightMedSegLib.network.cuda.background import USES_BEFORE, BackgroundCompiler
from LightMedSegLib.network.cuda.network import RecordedNetwork
from LightMedSegLib.network.cuda.recording import Recording

SHAPE = (1, 1, 16, 16, 16)


class Replay(Recording):
    """A recording without a device: it runs the pass."""

    def __init__(self, run: Callable[[Tensor], Tensor], x: Tensor, compiled: bool = False) -> None:
        self.run, self.source, self.compiled = run, x.clone(), compiled

    def __call__(self, x: Tensor) -> Tensor:
        return self.run(x)


class Bench:
    """A recorded network whose compiler is a stand-in: factor makes it wrong, problem makes it fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, factor: float = 1.0, warm: Any = None, quiet: float = 0.0):
        torch.manual_seed(0)
        self.plain = build_network("lightmedseg-tiny", 1, 3).eval()
        self.warmed: list[Any] = []
        self.factor, self.threads = factor, set[str]()
        monkeypatch.setattr(RecordedNetwork, "_record", lambda network, x: Replay(network._pass, x))
        self.compiler = BackgroundCompiler(warm or self.warm, self.load, quiet)
        self.network = RecordedNetwork(self.plain, "float32", self.compiler)

    def warm(self, layout: Any, stop: threading.Event) -> str:
        self.warmed.append(layout.shape)
        return ""

    def load(self, layout: Any) -> Callable[[], Recording]:
        self.threads.add(threading.current_thread().name)

        def record() -> Recording:
            self.threads.add(threading.current_thread().name)
            x = torch.empty_strided(layout.shape, layout.stride).normal_()
            return Replay(lambda x: self.factor * self.plain(x), x, compiled=True)

        return record

    def loaded(self) -> None:
        """Wait until the compiler's thread is done, or waits for the next call."""
        wait_for(lambda: self.compiler._loaded is not None or not self.compiler.busy, what="the compiler's end")

    def call(self, times: int = 1, shape: tuple[int, ...] = SHAPE) -> Tensor:
        with torch.inference_mode():
            for _ in range(times):
                logits = self.network(torch.randn(shape))
        return logits

    @property
    def compiled(self) -> bool:
        return self.network._recordings[SHAPE].compiled


def test_a_size_that_recurs_is_compiled_beside_the_work_and_exchanged_between_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    bench.call(USES_BEFORE - 1)
    bench.call(1, (1, 1, 16, 16, 32))
    assert not bench.compiler.busy and "compiled once a size of input recurs" in bench.network.explanation
    bench.call()
    bench.loaded()
    assert not bench.compiled and "being prepared in the background" in bench.network.explanation
    x = torch.randn(SHAPE)
    with torch.inference_mode():
        assert torch.allclose(bench.network(x), bench.plain(x))
    assert bench.compiled and bench.warmed == [SHAPE]
    assert bench.network.explanation.endswith("it is compiled for inputs of 1x1x16x16x16.")
    assert bench.threads == {"compiler"}, "compiled and recorded in the same thread"
    bench.call(2 * USES_BEFORE)
    assert bench.warmed == [SHAPE], "never twice"


@pytest.mark.parametrize(("factor", "words"), [(1.05, "its logits differ by 5.0%"), (float("nan"), "differ by nan")])
def test_a_compiled_form_that_computes_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, factor: float, words: str
) -> None:
    bench = Bench(monkeypatch, factor)
    bench.call(USES_BEFORE)
    bench.loaded()
    x = torch.randn(SHAPE)
    with torch.inference_mode():
        assert torch.equal(bench.network(x), bench.plain(x))
    bench.call(2 * USES_BEFORE)
    assert not bench.compiled and len(bench.warmed) == 1
    assert "it is not compiled: " in bench.network.explanation and words in bench.network.explanation


def test_labels_that_change_are_a_disagreement_too() -> None:
    expected = torch.full((1, 2, 10, 10, 10), 50.0)
    expected[:, 1] += 0.1
    found = expected.clone()
    assert disagreement(found, expected) == ""
    found[:, 0, :1] += 0.2
    assert disagreement(found, expected) == "only 90.00% of its labels agree"


def test_a_compiler_that_fails_leaves_the_recording_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, warm=lambda layout, stop: "there is no such header")
    bench.call(USES_BEFORE)
    bench.loaded()
    bench.call(USES_BEFORE)
    assert not bench.compiled
    assert bench.network.explanation.endswith("it is not compiled: there is no such header.")

    def load(layout: Any) -> Any:
        raise ValueError("backend failed.\nlong story")

    other = Bench(monkeypatch)
    other.compiler._load = load
    other.call(USES_BEFORE)
    other.loaded()
    other.call()
    assert not other.compiled and other.network.explanation.endswith("not compiled: backend failed.")


def test_the_first_result_comes_first_and_closing_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, quiet=60.0)
    bench.call(USES_BEFORE)
    assert bench.compiler.busy and not bench.warmed
    bench.network.release()
    assert bench.compiler._thread is not None
    bench.compiler._thread.join(limit(5))
    assert not bench.compiler.busy and not bench.warmed
    bench.call(USES_BEFORE)
    assert not bench.compiler.busy, "nothing is started after that"
    assert bench.network.explanation.endswith("it is not compiled: it was stopped.")


def test_a_compiled_form_that_was_given_back_is_not_claimed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.call(USES_BEFORE)
    bench.loaded()
    bench.call()
    assert bench.compiled
    bench.network.release()
    bench.call()
    assert not bench.compiled and bench.network.explanation.endswith("it is not compiled: it was stopped.")


def test_a_network_that_is_thrown_away_takes_its_compilers_thread_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = build_network("lightmedseg-tiny", 1, 3).eval()
    compiler = BackgroundCompiler(
        lambda layout, stop: "", lambda layout: lambda: Replay(plain, torch.zeros(SHAPE)), 0.0
    )
    monkeypatch.setattr(RecordedNetwork, "_record", lambda network, x: Replay(network._pass, x))
    network = RecordedNetwork(plain, "float32", compiler)
    with torch.inference_mode():
        for _ in range(USES_BEFORE):
            network(torch.zeros(SHAPE))
    wait_for(lambda: compiler._loaded is not None)
    assert compiler.busy, "it waits for the next call"
    del network
    gc.collect()
    wait_for(lambda: not compiler.busy)


def test_closing_ends_a_thread_that_waits_for_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.call(USES_BEFORE)
    bench.loaded()
    assert bench.compiler.busy
    bench.compiler.close(5)
    assert not bench.compiler.busy
    bench.call(USES_BEFORE)
    assert not bench.compiled


def test_recording_that_fails_while_the_compiler_works_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, quiet=60.0)
    bench.call(USES_BEFORE)

    def refuse(network: RecordedNetwork, x: Tensor) -> Recording:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(RecordedNetwork, "_record", refuse)
    bench.call(1, (1, 1, 16, 16, 32))
    assert not bench.network._plain
    bench.compiler.close(5)
    bench.call(1, (1, 1, 16, 16, 32))
    assert bench.network._plain and "could not be captured as a CUDA graph" in bench.network.explanation


def test_the_result_says_how_the_network_ran(
    monkeypatch: pytest.MonkeyPatch, volume: sitk.Image, package: Path
) -> None:
    engine = Engine(package, "cpu")
    assert engine.segment(volume).explanation == "The network runs in a form rewritten for processors."
    bench = Bench(monkeypatch)
    bench.network._compiler, bench.network._why_not_compiled = None, "Triton is not installed"
    engine._networks.built["cuda:0"] = bench.network
    assert engine._networks.explanation("cuda:0").endswith("it is not compiled: Triton is not installed.")
    report = segmentation_report(engine.segment(volume), StageTimer())
    assert report["explanation"].startswith("The network runs")
