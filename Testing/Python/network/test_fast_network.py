"""The fast path computes what the plain modules compute: piece by piece, and as a whole in every configuration."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.inference.preprocessing import prepare_volume
from LightMedSegLib.io.sample_data import sample_path
from LightMedSegLib.model.store import resolve_model
from LightMedSegLib.network import CONFIGURATIONS, build_network
from LightMedSegLib.network.anchors import AnchorDetector
from LightMedSegLib.network.cpu import FastLightMedSeg, accelerate, convolution, memory
from LightMedSegLib.network.cpu.channels import ChannelAffine, ChannelMeans, ChannelSums
from LightMedSegLib.network.cpu.convolution import LAST, add_convolution, convolve_planes, packed
from LightMedSegLib.network.cpu.decoder import Doubling
from LightMedSegLib.network.cpu.encoder import FastStructuralPrior, find_anchors
from LightMedSegLib.network.cpu.enlarged import Enlarged
from LightMedSegLib.network.cpu.ghost import FastGhost
from LightMedSegLib.network.cpu.memory import Workspace, allocate, join
from LightMedSegLib.network.cpu.router import halved
from LightMedSegLib.network.layers.ghost import GhostConvolution
from LightMedSegLib.network.layers.squeeze_excitation import SqueezeExcitation
from LightMedSegLib.network.structural_prior import StructuralPrior

torch.set_num_threads(1)

IDEAS = ("film", "structural_prior", "texture_routing", "ghost", "skip_router", "position_bias")
SWITCHES = (*IDEAS, "head_refinement")


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several slabs even of small volumes, so that their seams are tested."""
    monkeypatch.setattr(memory, "SLAB_VALUES", 2**13)


def volume(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).contiguous(memory_format=LAST)


def stirred(module: nn.Module, seed: int = 0) -> nn.Module:
    """module with no parameter at zero or one, where a forgotten factor would not show."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return module.eval().requires_grad_(False)


def assert_close(result: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    assert result.shape == expected.shape
    assert (result - expected).abs().max() < tolerance


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_every_named_network_gives_the_same_logits(name: str) -> None:
    network = stirred(build_network(name, in_channels=2, num_classes=5))
    x = torch.randn(2, 2, 48, 16, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(x)
    logits = accelerate(network)(x)
    assert expected.std() > 0.1
    assert_close(logits, expected, 1e-4)


@pytest.mark.parametrize("idea", [*SWITCHES, "all"])
def test_networks_without_an_idea_give_the_same_logits(idea: str) -> None:
    switches = dict.fromkeys(SWITCHES if idea == "all" else (idea,), False)
    network = stirred(build_network("lightmedseg-tiny", 1, 3, **switches))
    x = torch.randn(1, 1, 32, 48, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(x)
    assert_close(accelerate(network)(x), expected, 1e-4)


def test_without_onednn_the_result_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network = stirred(build_network("lightmedseg-tiny", 1, 3))
    x = volume(1, 1, 32, 16, 16)
    with torch.inference_mode():
        expected = network(x)
    monkeypatch.setattr(convolution, "_has_packing", lambda dtype: False)
    assert_close(accelerate(network)(x), expected, 1e-4)
    monkeypatch.setattr(convolution, "has_onednn", lambda dtype: False)
    assert_close(accelerate(network)(x), expected, 1e-4)


def test_training_weights_and_mode_are_left_alone() -> None:
    network = build_network("lightmedseg-tiny", 1, 3, deep_supervision=True).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fast = accelerate(network)
    fast(volume(1, 1, 16, 16, 16))
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    for parameter in network.parameters():
        parameter.data.zero_()
    assert fast(volume(1, 1, 16, 16, 16)).abs().max() > 0


def test_the_shipped_model_labels_its_sample_the_same_in_every_precision() -> None:
    model = resolve_model("hippocampus-t1-mr")
    array = prepare_volume([sitk.ReadImage(str(sample_path("hippocampus")))], model.card.input).array
    x = torch.from_numpy(np.pad(array, [(0, 0)] + [(0, -size % 16) for size in array.shape[1:]], mode="edge"))[None]
    network = model.build_network().eval()
    with torch.inference_mode():
        expected = network(x)
    exact = accelerate(network)(x)
    assert_close(exact, expected, 1e-4)
    assert torch.equal(exact.argmax(1), expected.argmax(1))
    quick = accelerate(network, torch.bfloat16)(x)
    assert not torch.equal(quick, exact)
    for label in (1, 2):
        a, b = quick.argmax(1) == label, expected.argmax(1) == label
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= 0.999


def test_a_second_volume_of_another_size_does_not_see_the_first() -> None:
    network = stirred(build_network("lightmedseg-tiny", 1, 3))
    fast = accelerate(network)
    small, large = volume(1, 1, 16, 16, 16), volume(1, 1, 32, 32, 16, seed=1)
    first = fast(small)
    kept = first.clone()
    fast(large)
    assert torch.equal(first, kept)
    assert torch.equal(fast(small), kept)
    fast.release()
    assert torch.equal(fast(small), kept)


def test_logits_can_be_written_into_memory_that_is_given() -> None:
    fast = accelerate(stirred(build_network("lightmedseg-tiny", 1, 3)))
    x = volume(1, 1, 16, 32, 16)
    out = torch.full((1, 16, 32, 16, 3), torch.nan).permute(0, 4, 1, 2, 3)
    assert fast(x, out) is out
    assert torch.equal(out, fast(x))


def test_logits_are_handed_over_plane_by_plane_in_order() -> None:
    fast = accelerate(stirred(build_network("lightmedseg-tiny", 1, 3)))
    assert isinstance(fast, FastLightMedSeg)
    x, parts = volume(1, 1, 48, 32, 16), []
    fast.stream(x, lambda first, planes: parts.append((first, planes.clone())))
    assert len(parts) > 1
    assert [first for first, _ in parts] == list(np.cumsum([0] + [len(planes) for _, planes in parts[:-1]]))
    assert torch.equal(torch.cat([planes for _, planes in parts]).permute(3, 0, 1, 2)[None], fast(x))


def test_a_checkpoint_that_raises_ends_the_computation_and_the_next_one_is_sound() -> None:
    fast = accelerate(stirred(build_network("lightmedseg-tiny", 1, 3)))
    x = volume(1, 1, 32, 32, 32)
    expected = fast(x)
    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls == 20:
            raise CancelledError("stop")

    with pytest.raises(CancelledError):
        fast(x, checkpoint=checkpoint)
    assert calls == 20
    assert torch.equal(fast(x), expected)
    assert calls == 20


def test_wrong_input_is_refused_as_by_the_network() -> None:
    fast = accelerate(build_network("lightmedseg-tiny", 1, 3))
    assert isinstance(fast, FastLightMedSeg)
    with pytest.raises(ValueError, match="multiple of 16"):
        fast(torch.zeros(1, 1, 16, 16, 24))


def test_a_network_of_another_kind_is_handed_back() -> None:
    network = nn.Conv3d(1, 2, 1)
    assert accelerate(network) is network


@pytest.mark.parametrize("planes", [1, 2, 3, 7, 12])
@pytest.mark.parametrize(("kernel", "groups"), [(3, 1), (3, 4), (5, 4), (1, 1)])
def test_a_convolution_in_planes_equals_the_whole(kernel: int, groups: int, planes: int) -> None:
    x, weight = volume(1, 4, 24, 10, 12), volume(8, 4 // groups, kernel, kernel, kernel)
    expected = functional.conv3d(x, weight, padding=kernel // 2, groups=groups)
    depth = expected.shape[2]
    for own in (weight, packed(weight, groups=groups)):
        parts = [
            convolve_planes(x, first, min(first + planes, depth), own, groups=groups)
            for first in range(0, depth, planes)
        ]
        assert_close(torch.cat(parts, dim=2), expected, 1e-4)


@pytest.mark.parametrize("pack", [True, False])
def test_a_convolution_is_added_to_memory_that_is_there(pack: bool) -> None:
    x, weight, bias = volume(1, 6, 4, 5, 3), torch.randn(8, 6, 1, 1, 1), torch.randn(8)
    expected = functional.conv3d(x, weight, bias)
    whole = torch.full_like(expected.repeat(1, 1, 2, 1, 1), 7.0, memory_format=LAST)
    target = whole[:, :, 2:6]
    add_convolution(target, x, packed(weight) if pack else weight, bias)
    assert_close(target, expected + 7)
    assert (whole[:, :, :2] == 7).all()
    assert (whole[:, :, 6:] == 7).all()


@pytest.mark.parametrize("count", [1, 1000, 2**20 + 3, 3 * 2**20])
def test_memory_can_be_written_to_its_end(count: int) -> None:
    memory_ = allocate(count)
    assert memory_.shape == (count,)
    assert memory_.dtype is torch.float32
    memory_.fill_(2)
    assert memory_.sum(dtype=torch.float64) == 2 * count


def test_memory_without_huge_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no memory of this kind")

    monkeypatch.setattr(memory.mmap, "mmap", refuse)
    assert allocate(3 * 2**20).shape == (3 * 2**20,)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_planes_of_an_enlarged_map_equal_trilinear_interpolation(factor: int) -> None:
    x = volume(1, 3, 4, 2, 3)
    expected = functional.interpolate(x, scale_factor=factor, mode="trilinear", align_corners=False)
    enlarged = Enlarged(x, factor, "map", Workspace())
    for first, last in ((0, 2), (2, 6), (4 * factor - 3, 4 * factor), (0, 4 * factor)):
        part = torch.ones_like(expected[:, :, first:last], memory_format=LAST)
        assert_close(enlarged.planes(part, first), expected[:, :, first:last])
        enlarged.add_to(part, first)
        assert_close(part - 1, expected[:, :, first:last])


def test_halving_equals_average_pooling() -> None:
    x = volume(1, 3, 4, 6, 8)
    assert_close(halved(x), functional.avg_pool3d(x, 2))


def test_group_normalisation_from_sums_of_slabs_with_a_modulation() -> None:
    norm = stirred(nn.GroupNorm(4, 8))
    x = volume(1, 8, 9, 5, 7) * torch.arange(1, 9).view(1, 8, 1, 1, 1) + 30
    gamma, beta = torch.randn((2, 8), generator=torch.Generator().manual_seed(3))
    sums = ChannelSums(8)
    for first, last in ((0, 2), (2, 3), (3, 9)):
        sums.add(x[:, :, first:last])
    shape = (1, 8, 1, 1, 1)
    expected = norm(x) * gamma.view(shape) + beta.view(shape)
    assert_close(sums.group_affine(norm, (gamma, beta))(x), expected, 1e-4)


def test_a_scaled_slab_is_added_to_another() -> None:
    x, base, factor = volume(1, 8, 9, 5, 7), volume(1, 8, 9, 5, 7, seed=1), torch.randn(8)
    expected = base + factor.view(1, 8, 1, 1, 1) * x
    kept = base.clone()
    assert_close(ChannelAffine(factor, torch.full((8,), torch.nan)).scale_and_add(x, base), expected)
    assert_close(x, expected)
    assert torch.equal(base, kept)


def test_squeeze_excitation_from_means_of_slabs() -> None:
    module = stirred(SqueezeExcitation(8, 2))
    x = volume(1, 8, 9, 5, 7) + torch.arange(8).view(1, 8, 1, 1, 1)
    means = ChannelMeans(8)
    means.add(x[:, :, :4])
    means.add(x[:, :, 4:])
    assert_close(x * means.excitation(module).view(1, 8, 1, 1, 1), module(x))


@pytest.mark.parametrize("half", [1, 2, 3, 4, 16])
def test_joining_halves_equals_concatenation(half: int) -> None:
    first, second = volume(1, half, 2, 3, 4), volume(1, half, 2, 3, 4, seed=1)
    out = Workspace().take("out", 2 * half, (2, 3, 4))
    join(first, second, out)
    assert torch.equal(out, torch.cat((first, second), dim=1))


@pytest.mark.parametrize("cheap", [True, False])
def test_a_ghost_convolution_from_its_features_and_sums(cheap: bool) -> None:
    module = stirred(GhostConvolution(8, 16, ghost=cheap))
    x = volume(1, 8, 24, 16, 16)
    features, sums = FastGhost(module)(x, "features", Workspace())
    assert_close(sums.group_affine(module.norm)(features), module(x), 1e-4)


def test_the_structural_prior_and_its_texture_map() -> None:
    module = stirred(StructuralPrior(8))
    x = volume(1, 8, 20, 12, 16)
    features, texture = FastStructuralPrior(module)(x, Workspace())
    expected_features, expected_texture = module(x)
    assert expected_texture.std() > 0.01
    assert_close(features, expected_features)
    assert_close(texture, expected_texture)


def test_anchors_are_found_in_the_same_places() -> None:
    module = stirred(AnchorDetector(8, anchors=5, hidden=16))
    x = volume(1, 8, 12, 20, 16)
    assert_close(find_anchors(module, x), module(x))


def test_doubling_equals_the_transposed_convolution_of_scaled_features() -> None:
    layer, scale = nn.ConvTranspose3d(6, 4, 2, stride=2, bias=False).requires_grad_(False), torch.rand(6) + 0.5
    x = volume(1, 6, 4, 3, 5)
    doubling = Doubling(layer.weight)
    expected = layer(x * scale.view(1, -1, 1, 1, 1))
    target = torch.ones_like(expected, memory_format=LAST)
    for first in (0, 4):
        doubling.add_to(target[:, :, first : first + 4], x, first, first + 4, doubling.weight(scale))
    assert_close(target - 1, expected)
