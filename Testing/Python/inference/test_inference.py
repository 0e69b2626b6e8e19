"""Windows, stitching and restoring against plain references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engine_stubs import (
    IDENTITY_WINDOW,
    RandomNetwork,
    ThresholdNetwork,
    array_of,
    make_image,
    smooth_noise,
    stub_card,
    stub_model,
)
from torch import Tensor, nn

from LightMedSegLib.core.devices import processor_threads
from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.core.progress import CancelToken, StageTimer
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.preprocessing import PreparedVolume, prepare_volume
from LightMedSegLib.inference.sliding_window import aggregation
from LightMedSegLib.inference.sliding_window import windows as windows_module
from LightMedSegLib.inference.sliding_window.aggregation import AIR_LOGIT, Aggregation, StitchedPlanes
from LightMedSegLib.inference.sliding_window.predictor import Predictor
from LightMedSegLib.inference.sliding_window.volume_labels import label_volume
from LightMedSegLib.inference.sliding_window.windows import (
    Layout,
    Shape,
    WindowRule,
    gaussian_weights,
    plan_layout,
    plan_windows,
)
from LightMedSegLib.network import build_network
from LightMedSegLib.network.cpu import accelerate, memory


def stitched_logits(predictor: Predictor, volume: np.ndarray, patch: tuple[int, int, int], overlap: float) -> Tensor:
    """Sliding-window logits (z, y, x, classes) through StitchedPlanes."""
    starts = plan_windows(volume.shape[1:], patch, overlap)
    windows = [volume[:, z : z + patch[0], y : y + patch[1], x : x + patch[2]] for z, y, x in starts]
    weights = torch.from_numpy(gaussian_weights(patch))
    planes = []
    stitched = None
    for start, logits in zip(starts, predictor.in_batches(windows), strict=True):
        stitched = stitched or StitchedPlanes(volume.shape[1:], patch[0], logits.shape[0])
        planes += list(stitched.take(start[0]))
        stitched.add(start, logits, weights)
    planes += list(stitched.take(volume.shape[1]))
    assert [index for index, _ in planes] == list(range(volume.shape[1]))
    return torch.stack([plane for _, plane in planes])


def reference_stitching(
    predictor: Predictor, volume: np.ndarray, patch: tuple[int, int, int], overlap: float
) -> Tensor:
    """The same with the whole sum in memory, as in the textbook."""
    weights = torch.from_numpy(gaussian_weights(patch)).double()
    total = norm = None
    for z, y, x in plan_windows(volume.shape[1:], patch, overlap):
        here = (slice(None), slice(z, z + patch[0]), slice(y, y + patch[1]), slice(x, x + patch[2]))
        logits = predictor(volume[here][None])[0].double()
        if total is None:
            total = torch.zeros((logits.shape[0], *volume.shape[1:]), dtype=torch.float64)
            norm = torch.zeros(volume.shape[1:], dtype=torch.float64)
        total[here] += logits * weights
        norm[here[1:]] += weights
    return (total / norm).permute(1, 2, 3, 0)


def prepared_volume(array: np.ndarray, **card: object) -> PreparedVolume:
    return prepare_volume([make_image(array)], stub_card(**card).input)


def layout_of(prepared: PreparedVolume, rule: WindowRule) -> Layout:
    return plan_layout(prepared.array.shape[1:], rule, prepared.body)


def labels_of(
    network: nn.Module,
    prepared: PreparedVolume,
    shape: tuple[int, ...],
    view: str = "windows",
    patch: tuple[int, int, int] = (16, 16, 16),
    overlap: float = 0.5,
    classes: int = 3,
    **options: object,
) -> np.ndarray:
    predictor = Predictor(network.eval(), **options)
    layout = layout_of(prepared, WindowRule(patch, overlap, predictor.total_stride, view == "whole", 1, classes))
    labels = np.full(shape, 99, dtype=np.uint8)
    box = tuple((0, size) for size in reversed(shape))
    label_volume(predictor, prepared, layout, labels, box, StageTimer())
    return labels


def test_stitching_in_a_few_planes_equals_stitching_in_the_whole_volume() -> None:
    volume = smooth_noise((37, 21, 26))[None] / 50 - 2
    predictor = Predictor(RandomNetwork().eval())
    for patch, overlap in (((12, 16, 8), 0.5), ((16, 12, 20), 0.25), ((12, 12, 12), 0.8)):
        result = stitched_logits(predictor, volume, patch, overlap)
        expected = reference_stitching(predictor, volume, patch, overlap)
        assert result.double() == pytest.approx(expected, abs=1e-4)


def test_sums_too_large_for_float32_lose_next_to_nothing_as_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = smooth_noise((20, 21, 26))[None] / 50 - 2
    predictor = Predictor(RandomNetwork().eval())
    exact = stitched_logits(predictor, volume, (12, 16, 8), 0.5)
    monkeypatch.setattr(aggregation, "LARGEST_FLOAT32_BYTES", 0)
    half = stitched_logits(predictor, volume, (12, 16, 8), 0.5)
    assert not torch.equal(half, exact)
    assert (half - exact).abs().max() < 5e-3 * exact.abs().max()
    assert (half.argmax(-1) == exact.argmax(-1)).float().mean() > 0.999


def test_planes_that_no_window_saw_are_background() -> None:
    stitched = StitchedPlanes((10, 4, 4), 4, 3)
    logits = torch.tensor([-1.0, 5.0, 2.0]).view(3, 1, 1, 1).expand(3, 4, 4, 2)
    stitched.add((0, 0, 0), logits, torch.ones(4, 4, 2))
    planes = dict(stitched.take(6))
    assert planes[3][2, 1].tolist() == [-1, 5, 2]
    assert planes[3][2, 3].tolist() == [AIR_LOGIT, 0, 0]
    assert planes[5][0, 0].tolist() == [AIR_LOGIT, 0, 0]
    stitched.add((6, 0, 0), logits, torch.ones(4, 4, 2))
    assert dict(stitched.take(10))[9][0, 0].tolist() == [-1, 5, 2]


def test_windows_out_of_order_are_refused() -> None:
    stitched = StitchedPlanes((10, 4, 4), 4, 2)
    logits, weights = torch.zeros(2, 4, 4, 4), torch.ones(4, 4, 4)
    with pytest.raises(ValueError, match="in the order"):
        stitched.add((1, 0, 0), logits, weights)
    list(stitched.take(5))
    with pytest.raises(ValueError, match="in the order"):
        stitched.add((4, 0, 0), logits, weights)


def test_where_one_window_covers_all_its_logits_are_those_of_the_whole_volume() -> None:
    volume = smooth_noise((16, 20, 24))[None]
    predictor = Predictor(RandomNetwork().eval())
    whole = predictor(volume[None])[0].permute(1, 2, 3, 0)
    assert stitched_logits(predictor, volume, (16, 20, 24), 0.5) == pytest.approx(whole, abs=1e-5)


def test_where_one_window_covers_all_both_views_are_one_and_the_same_pass() -> None:
    prepared = prepared_volume(smooth_noise((13, 15, 14)))
    whole = layout_of(prepared, WindowRule((16, 16, 16), stride=4, whole=True))
    windows = layout_of(prepared, WindowRule((16, 16, 16), stride=4))
    assert whole == windows
    assert whole.single and whole.shape == (16, 16, 16) and whole.before == (1, 0, 1)


def test_a_patch_that_is_no_multiple_of_the_networks_stride_grows_to_one() -> None:
    prepared = prepared_volume(smooth_noise((40, 40, 40)))
    assert layout_of(prepared, WindowRule((14, 16, 17), stride=8)).window == (16, 16, 24)


def test_a_whole_volume_beyond_the_memory_limit_goes_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepared_volume(smooth_noise((40, 40, 40)))
    rule = WindowRule((16, 16, 16), stride=8, whole=True)
    assert layout_of(prepared, rule).single
    monkeypatch.setattr(windows_module, "WHOLE_VOLUME_BYTES", 1_000_000)
    layout = layout_of(prepared, rule)
    assert not layout.single and layout.window == (16, 16, 16)


def test_labels_on_the_model_grid_are_the_argmax_of_the_whole_volume_logits() -> None:
    array = smooth_noise((13, 18, 15))
    prepared = prepared_volume(array)
    network = RandomNetwork()
    result = labels_of(network, prepared, array.shape, "whole")
    padded = np.pad(prepared.array, [(0, 0), (1, 2), (1, 1), (0, 1)], mode="edge")
    logits = Predictor(network.eval())(padded[None])[0][:, 1:14, 1:19, 0:15]
    assert np.array_equal(result, logits.argmax(0).numpy())
    assert set(np.unique(result)) == {0, 1, 2}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("mirror", [(), ("x",)])
@pytest.mark.parametrize(("patch", "single"), [((64, 32, 32), True), ((32, 32, 32), False)])
def test_logits_handed_over_in_parts_become_the_labels_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, patch: tuple[int, int, int], single: bool, mirror: tuple[str, ...], threads: int
) -> None:
    monkeypatch.setattr(memory, "SLAB_VALUES", 2**12)
    torch.manual_seed(0)
    network = build_network("lightmedseg-tiny", 1, 3).eval()
    image = make_image(smooth_noise((37, 29, 31)), spacing=(1.0, 1.0, 1.5))
    prepared = prepare_volume([image], stub_card().input)
    parts = []
    add = Aggregation.add

    def counted(added: Aggregation, start: Shape, first: int, logits: Tensor) -> None:
        parts.append(first)
        add(added, start, first, logits)
        logits.fill_(torch.nan)

    expected = labels_of(network, prepared, (37, 29, 31), patch=patch, mirror=mirror)
    monkeypatch.setattr(Aggregation, "add", counted)
    with processor_threads(threads):
        result = labels_of(accelerate(network), prepared, (37, 29, 31), patch=patch, mirror=mirror)
    turns = 2 if mirror and threads == 1 else 1
    assert len(parts) > parts.count(0) and (parts.count(0) == turns) == single
    assert (result == expected).mean() > 0.9999 and set(np.unique(expected)) == {0, 1, 2}


def test_only_windows_that_touch_the_body_are_computed_and_the_rest_is_background() -> None:
    array = np.full((48, 40, 44), -1000.0, dtype=np.float32)
    array[20:28, 16:22, 20:26] = 100
    prepared = prepared_volume(array, background_value=-500, normalization=IDENTITY_WINDOW)
    network = ThresholdNetwork(2)
    calls = []
    network.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    labels = labels_of(network, prepared, array.shape, overlap=0.0, classes=2)
    assert np.array_equal(labels, array == 100)
    assert 0 < sum(calls) < 27
    air = prepared_volume(array - 1000, background_value=-500)
    calls.clear()
    assert not labels_of(network, air, array.shape, classes=2).any()
    assert calls == []


def test_mirroring_averages_the_logits_of_all_combinations_of_the_axes() -> None:
    network = RandomNetwork().eval()
    volume = torch.from_numpy(smooth_noise((8, 12, 16)))[None, None]
    result = Predictor(network, mirror=("x", "z"))(volume.numpy())
    with torch.inference_mode():
        flips = [(), (4,), (2,), (2, 4)]
        expected = sum(network(volume.flip(flip)).flip(flip) if flip else network(volume) for flip in flips) / 4
    assert result == pytest.approx(expected, abs=1e-5)
    assert not np.allclose(result, Predictor(network)(volume.numpy()), atol=1e-2)


class Uneven(RandomNetwork):
    """Sees where a voxel lies in the window, as a network with strides does."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (1 + torch.arange(x.shape[-1]) % 4)


def test_a_mirror_image_along_x_exchanges_the_labels_of_left_and_right() -> None:
    both = {"test_time_mirroring": ("x",), "mirror_label_swaps": ((1, 2),)}
    engine = Engine(stub_model(Uneven(), patch=[16, 16, 16], **both), "cpu")
    # Of an odd length, so that the padding of the window is not the same on both sides.
    scan = smooth_noise((12, 16, 13))
    labels, mirrored = (array_of(engine.segment(make_image(array))) for array in (scan, scan[..., ::-1].copy()))
    exchanged = np.array([0, 2, 1], dtype=np.uint8)[mirrored[..., ::-1]]
    assert set(np.unique(labels)) == {0, 1, 2}
    # The padding itself, beside the border, is not mirrored.
    assert np.array_equal(labels[..., 1:-1], exchanged[..., 1:-1])
    assert not np.array_equal(labels, mirrored[..., ::-1])


def test_a_run_may_leave_out_the_mirror_images_of_the_card() -> None:
    network, swaps, scan = Uneven(), ((1, 2),), make_image(smooth_noise((12, 16, 13)))
    mirrored, plain = (
        Engine(stub_model(network, patch=[16, 16, 16], test_time_mirroring=axes, mirror_label_swaps=swaps), "cpu")
        for axes in (("x",), ())
    )
    without = array_of(mirrored.segment(scan, SegmentOptions(mirror=())))
    assert np.array_equal(without, array_of(plain.segment(scan)))
    assert not np.array_equal(without, array_of(mirrored.segment(scan)))


class Greedy(nn.Module):
    """Runs out of memory with more than limit windows at once."""

    total_stride = 4

    def __init__(self, limit: int):
        super().__init__()
        self.limit = limit
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        if len(x) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return torch.cat([x, -x], dim=1)


def test_a_batch_too_large_for_memory_is_halved_and_stays_so() -> None:
    network = Greedy(limit=2)
    predictor = Predictor(network)
    predictor.batch = 8
    windows = [np.full((1, 4, 4, 4), number, dtype=np.float32) for number in range(5)]
    results = list(predictor.in_batches(windows))
    assert network.sizes == [5, 4, 2, 2, 1]
    assert [float(logits[0, 0, 0, 0]) for logits in results] == [0, 1, 2, 3, 4]


def test_with_a_batch_of_one_running_out_of_memory_is_reported() -> None:
    predictor = Predictor(Greedy(limit=0))
    predictor.batch = 4
    with pytest.raises(torch.OutOfMemoryError):
        list(predictor.in_batches([np.zeros((1, 4, 4, 4), dtype=np.float32)] * 3))


def test_cancelling_stops_within_a_window_at_its_next_layer() -> None:
    token = CancelToken()
    reached = []
    network = nn.Sequential(nn.Identity(), nn.Identity(), nn.Identity())
    network[0].register_forward_hook(lambda *_: (reached.append(0), token.cancel()))
    network[1].register_forward_hook(lambda *_: reached.append(1))
    with pytest.raises(CancelledError):
        Predictor(network, cancel=token)(np.zeros((1, 1, 2, 2, 2), dtype=np.float32))
    assert reached == [0]
    assert all(not module._forward_pre_hooks for module in network.modules())
