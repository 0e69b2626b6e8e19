"""Windows that stream: two passes side by side give what one after the other gives, and end together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
import torch
from engine_stubs import smooth_noise
from torch import Tensor

from LightMedSegLib.core.devices import processor_threads
from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.aggregation import Aggregation, padded
from LightMedSegLib.inference.sliding_window.passes_beside import Keep, PassesBeside
from LightMedSegLib.inference.sliding_window.predictor import Predictor
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
    assert not [thread for thread in threading.enumerate() if thread.name == "passes beside"]


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
            stream.shifts = layout.mirror_shifts
            done: list[int] = []
            stream(windows, sinks, done.append)
            assert done == sorted(done) and done[-1] == len(windows)
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

    class Cancelling:
        """The share of a pass at which somebody clicks Cancel."""

        def __call__(self, share: float) -> None:
            if share > 0.3:
                cancel.cancel()

    with processor_threads(2):
        predictor = Predictor(FastLightMedSeg(tiny()), mirror=mirror, cancel=cancel)  # type: ignore[arg-type]
        stream = predictor.stream
        assert stream is not None
        stream.on_share = Cancelling()
        windows = [torch.zeros(1, 32, 32, 32).numpy()] * (1 if mirror else 2)
        with pytest.raises(CancelledError):
            stream(windows, [lambda first, planes: None] * len(windows))


@pytest.mark.parametrize("beside", [False, True])
def test_a_pass_that_fails_ends_the_other_one(beside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(backend: FastLightMedSeg, *arguments: object) -> None:
        if (threading.current_thread().name == "passes beside") is beside:
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
    second = first.beside()
    assert second._head is first._head and second._workspace is not first._workspace
    x = torch.randn(1, 1, 32, 32, 32)
    logits = first.logits(x, lambda: None)
    kept = logits.clone()
    second.logits(torch.zeros_like(x), lambda: None)
    assert torch.equal(logits, kept)
    assert torch.equal(second.logits(x, lambda: None), kept)


def copied(planes: Tensor, out: Tensor) -> None:
    out.copy_(planes)


def test_a_pass_beside_waits_for_what_is_taken_and_uses_its_memory_again() -> None:
    handed: list[int] = []

    def run(keep: Keep, step: Step) -> None:
        for number in range(20):
            step()
            keep(copied, number, torch.full((1, 2, 2, 3), float(number)))
            handed.append(number)

    beside = PassesBeside(run, 1)
    places = set()
    try:
        for number, (first, planes) in enumerate(beside):
            assert first == number and float(planes.min()) == float(planes.max()) == number
            assert len(handed) <= number + 6
            places.add(planes.data_ptr())
    finally:
        beside.end()
    assert len(handed) == 20 and len(places) < 8


def test_a_pass_beside_that_nobody_takes_from_can_be_ended() -> None:
    def run(keep: Keep, step: Step) -> None:
        for number in range(1000):
            step()
            keep(copied, number, torch.zeros(1, 1, 1, 1))

    beside = PassesBeside(run, 1)
    next(beside)
    beside.end()
