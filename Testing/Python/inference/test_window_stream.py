"""Windows that stream: two passes side by side give what one after the other gives, and end together."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from engine_stubs import smooth_noise
from torch import Tensor

from LightMedSegLib.core import devices
from LightMedSegLib.core.devices import processor_threads
from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.aggregation import Aggregation, padded
from LightMedSegLib.inference.sliding_window.predictor import Predictor
from LightMedSegLib.inference.sliding_window.second_passes import Keep, SecondPasses
from LightMedSegLib.inference.sliding_window.windows import Shape, WindowRule, place_of, plan_layout
from LightMedSegLib.network import build_network
from LightMedSegLib.network.backend import Step
from LightMedSegLib.network.cpu import FastLightMedSeg, head

SWAPS = ((1, 2),)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == threads
    assert not [thread for thread in threading.enumerate() if thread.name == "second passes"]


def tiny() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network("lightmedseg-tiny", 1, 3).eval()


def mean_logits(predictor: Predictor, shape: Shape) -> Tensor:
    """The logits (z, y, x, classes) of a padded volume of noise, by windows of 32 voxels."""
    layout = plan_layout(shape, WindowRule((32, 32, 32), 0.5, predictor.total_stride))
    volume = padded(torch.from_numpy(smooth_noise(shape))[None, None] / 50 - 2, layout)[0].numpy()
    windows = [volume[(slice(None), *place_of(start, layout.window))] for start in layout.starts]
    planes: list[Tensor] = []
    stream = predictor.stream
    predictor.shifts = layout.mirror_shifts
    aggregation = Aggregation(
        layout, lambda finished: planes.extend(plane.clone() for _, plane in finished), stream.turns if stream else 1
    )
    sinks = [partial(aggregation.add, start) for start in layout.starts]
    with torch.inference_mode():
        if stream is None:
            for sink, logits in zip(sinks, predictor.in_batches(windows), strict=True):
                sink(0, logits.permute(1, 2, 3, 0))
        else:
            done: list[int] = []
            stream(windows, sinks, layout.mirror_shifts, on_window=done.append)
            assert done == sorted(set(done)) and done[-1] == len(windows)
        aggregation.end()
    return torch.stack(planes)


@pytest.mark.parametrize("mirror", [(), ("x",), ("y", "x")])
@pytest.mark.parametrize("shape", [(16, 32, 15), (40, 32, 15), (64, 32, 15)])
def test_windows_that_stream_have_the_logits_of_those_that_do_not(
    shape: Shape, mirror: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Several parts of a window.
    monkeypatch.setattr(head, "_LARGEST_PART", 20_000)
    whole = Predictor(tiny(), mirror=mirror, swaps=SWAPS)
    assert whole.stream is None
    expected = mean_logits(whole, shape)
    found = []
    for threads in (1, 2):
        with processor_threads(threads):
            predictor = Predictor(FastLightMedSeg(tiny()), mirror=mirror, swaps=SWAPS)  # type: ignore[arg-type]
            assert predictor.stream is not None
            assert predictor.stream.turns == max(1, 2 ** len(mirror) // threads)
            found.append(mean_logits(predictor, shape))
            predictor.end_volume()
    torch.testing.assert_close(found[0], expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-5)


def test_mirror_images_along_z_do_not_stream() -> None:
    assert Predictor(FastLightMedSeg(tiny()), mirror=("z",)).stream is None  # type: ignore[arg-type]


@pytest.mark.parametrize("mirror", [(), ("x",)])
def test_two_passes_end_when_they_are_cancelled(mirror: tuple[str, ...]) -> None:
    cancel = CancelToken()

    def cancels(share: float) -> None:
        if share > 0.3:
            cancel.cancel()

    with processor_threads(2):
        predictor = Predictor(FastLightMedSeg(tiny()), mirror=mirror, cancel=cancel)  # type: ignore[arg-type]
        stream = predictor.stream
        assert stream is not None
        windows = [torch.zeros(1, 32, 32, 32).numpy()] * (1 if mirror else 2)
        with pytest.raises(CancelledError):
            stream(windows, [lambda first, planes: None] * len(windows), on_share=cancels)


@pytest.mark.parametrize("beside", [False, True])
def test_a_pass_that_fails_ends_the_other_one(beside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(backend: FastLightMedSeg, *arguments: object) -> None:
        if (threading.current_thread().name == "second passes") is beside:
            raise torch.OutOfMemoryError("not enough memory")
        label(backend, *arguments)

    label = FastLightMedSeg._label
    monkeypatch.setattr(FastLightMedSeg, "_label", run)
    with processor_threads(2):
        stream = Predictor(FastLightMedSeg(tiny()), mirror=("x",)).stream  # type: ignore[arg-type]
        assert stream is not None
        with pytest.raises(torch.OutOfMemoryError, match="not enough memory"):
            stream([torch.zeros(1, 32, 32, 32).numpy()], [lambda first, planes: None])


def test_a_second_backend_has_the_same_weights_and_memory_of_its_own() -> None:
    first = FastLightMedSeg(tiny())  # type: ignore[arg-type]
    second = first.with_own_memory()
    assert second._head is first._head and second._workspace is not first._workspace
    x = torch.randn(1, 1, 32, 32, 32)
    logits = first.logits(x, lambda: None)
    kept = logits.clone()
    second.logits(torch.zeros_like(x), lambda: None)
    assert torch.equal(logits, kept)
    assert torch.equal(second.logits(x, lambda: None), kept)


def copied(planes: Tensor, out: Tensor) -> None:
    out.copy_(planes)


def test_a_second_pass_waits_for_what_is_taken_and_uses_its_memory_again() -> None:
    handed: list[int] = []

    def run(keep: Keep, step: Step) -> None:
        for number in range(20):
            step()
            keep(copied, number, torch.full((1, 2, 2, 3), float(number)))
            handed.append(number)

    passes = SecondPasses(run, 1)
    places = set()
    try:
        for number, (first, planes) in enumerate(passes):
            assert first == number and float(planes.min()) == float(planes.max()) == number
            assert len(handed) <= number + 6
            places.add(planes.data_ptr())
    finally:
        passes.end()
    assert len(handed) == 20 and len(places) < 8


def test_a_second_pass_that_nobody_takes_from_can_be_ended() -> None:
    def run(keep: Keep, step: Step) -> None:
        for number in range(1000):
            step()
            keep(copied, number, torch.zeros(1, 1, 1, 1))

    passes = SecondPasses(run, 1)
    next(passes)
    passes.end()


def test_the_processor_threads_are_shared_out_and_other_threads_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[str, set[int]] = {}
    newcomers: set[int] = set()

    def counted(backend: FastLightMedSeg, *arguments: object) -> None:
        counts.setdefault(threading.current_thread().name, set()).add(torch.get_num_threads())
        # While a thread sets its own number, for some microseconds, a newcomer would get that.
        with devices._one_at_a_time, ThreadPoolExecutor(1) as newcomer:
            newcomers.add(newcomer.submit(torch.get_num_threads).result())
        label(backend, *arguments)

    label = FastLightMedSeg._label
    monkeypatch.setattr(FastLightMedSeg, "_label", counted)
    before = torch.get_num_threads()
    with ThreadPoolExecutor(1) as newcomer:
        others = newcomer.submit(torch.get_num_threads).result()
    with processor_threads(3):
        stream = Predictor(FastLightMedSeg(tiny())).stream  # type: ignore[arg-type]
        assert stream is not None
        stream([torch.zeros(1, 32, 32, 32).numpy()] * 3, [lambda first, planes: None] * 3)
    # The last window has no partner.
    assert counts == {threading.current_thread().name: {2, 3}, "second passes": {1}}
    assert newcomers == {others} and torch.get_num_threads() == before


@pytest.mark.parametrize(("windows", "mirror"), [(1, ()), (3, ()), (2, ("x",)), (2, ("y", "x"))])
def test_the_share_that_is_done_rises_to_the_end(windows: int, mirror: tuple[str, ...]) -> None:
    shares: list[float] = []
    done = [0]
    with processor_threads(2):
        stream = Predictor(FastLightMedSeg(tiny()), mirror=mirror).stream  # type: ignore[arg-type]
        assert stream is not None
        stream(
            [torch.zeros(1, 32, 32, 32).numpy()] * windows,
            [lambda first, planes: None] * windows,
            on_share=lambda share: shares.append(done[-1] + share),
            on_window=done.append,
        )
    assert shares == sorted(shares) and shares[-1] > 0.8 * windows and done[-1] == windows
    last = [share - (windows - 1) for share in shares if share >= windows - 1]
    if windows % 2 and not mirror:
        assert last[len(last) // 2] < 0.7, "half of the last window"


def test_the_memory_of_a_second_pass_that_failed_is_free_at_once() -> None:
    kept: list[weakref.ref[Tensor]] = []

    def run(keep: Keep, step: Step) -> None:
        memory = torch.zeros(1000)
        kept.append(weakref.ref(memory))
        raise MemoryError

    gc.disable()
    try:
        passes = SecondPasses(run, 1)
        with pytest.raises(MemoryError):
            next(passes)
        passes.end()
        del passes
        assert kept[0]() is None
    finally:
        gc.enable()


def test_second_passes_end_once_and_for_all() -> None:
    passes = SecondPasses(lambda keep, step: keep(copied, 0, torch.zeros(1, 1, 1, 1)), 1)
    assert len(list(passes)) == 1 and list(passes) == []
    passes.end()
