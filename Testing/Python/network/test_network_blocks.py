"""Each of the five ideas does what its docstring says."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from LightMedSegLib.network import build_network
from LightMedSegLib.network.anchors import AnchorDetector, axis_coordinates
from LightMedSegLib.network.film import AnchorFiLM
from LightMedSegLib.network.layers.ghost import GhostConvolution
from LightMedSegLib.network.layers.normalization import GroupNorm
from LightMedSegLib.network.layers.position_bias import PositionBias
from LightMedSegLib.network.layers.resizing import interpolate_by_matrices, resize_to
from LightMedSegLib.network.layers.squeeze_excitation import SqueezeExcitation
from LightMedSegLib.network.skip_router import ScaleProjection, SkipRouter
from LightMedSegLib.network.structural_prior import StructuralPrior, TextureMap
from LightMedSegLib.network.texture_routing import TextureRouting

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def blob(size: int, centre: tuple[int, int, int]) -> torch.Tensor:
    axis = torch.arange(size, dtype=torch.float32)
    distances = torch.meshgrid(*((axis - c) ** 2 for c in centre), indexing="ij")
    return torch.exp(-sum(distances) / 18)[None, None].expand(1, 8, -1, -1, -1).contiguous()


@pytest.mark.parametrize(
    "block",
    [AnchorDetector, AnchorFiLM, StructuralPrior, TextureRouting, SkipRouter, PositionBias, GhostConvolution],
)
def test_the_docstring_of_each_block_says_what_comes_from_the_abstract(block):
    """README.md sends readers there."""
    source = block.__doc__.partition("Source: ")[2]
    assert "abstract" in source


def test_normalisation_is_as_exact_in_channels_last_as_otherwise():
    norm = GroupNorm(4, 8).eval()
    x = 1 + torch.randn(1, 8, 96, 96, 96)
    expected = functional.group_norm(x.double(), 4, norm.weight.double(), norm.bias.double())
    result = norm(x.contiguous(memory_format=torch.channels_last_3d))
    assert result.is_contiguous(memory_format=torch.channels_last_3d)
    assert (result - expected).abs().max() < 1e-5


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_normalisation_by_planes_is_as_exact_as_torchs_in_half_precision(device, offset):
    norm = GroupNorm(4, 16).eval()
    norm.weight.normal_(), norm.bias.normal_()
    x = offset + torch.randn(2, 16, 6, 20, 24) * torch.rand(16)[:, None, None, None]
    x[:, :, 2] = offset
    x = x.half()
    expected = functional.group_norm(x.double(), 4, norm.weight.double(), norm.bias.double())
    norm, x = norm.to(device), x.to(device)
    result, torchs = norm.by_planes(x), functional.group_norm(x, 4, norm.weight.half(), norm.bias.half())
    assert result.dtype == torch.half and result.shape == x.shape
    assert (result.cpu() - expected).abs().max() <= 1.1 * (torchs.cpu() - expected).abs().max()


def test_anchors_follow_what_they_see_when_it_moves():
    detector = AnchorDetector(8, anchors=4, hidden=16)
    detector.heat.weight.mul_(200)
    start, moved = detector(blob(32, (16, 16, 16))), detector(blob(32, (16, 22, 10)))
    shift = (moved - start)[0].mean(dim=0)
    assert shift[1] > 0.02 and shift[2] < -0.02
    assert shift[0].abs() < 0.25 * shift[1]


def test_anchors_are_normalised_positions_and_an_undecided_detector_points_to_the_middle():
    detector = AnchorDetector(8, anchors=4, hidden=16)
    anchors = detector(torch.randn(2, 8, 16, 24, 32))
    assert anchors.shape == (2, 4, 3) and anchors.dtype == torch.float32
    assert ((anchors > 0) & (anchors < 1)).all()
    detector.heat.weight.zero_()
    assert torch.allclose(detector(torch.randn(1, 8, 16, 24, 32)), torch.full((1, 4, 3), 0.5), atol=1e-6)


def test_film_starts_as_identity_and_moving_the_anchors_changes_its_output():
    film = AnchorFiLM(8, anchors=4)
    x, anchors = torch.randn(1, 8, 4, 4, 4), torch.rand(1, 4, 3)
    assert torch.equal(film(x, anchors), x)
    film.modulation.weight.normal_()
    moved = film(x, anchors + 0.1)
    assert not torch.allclose(film(x, anchors), moved)
    gamma, beta = film.modulation((anchors + 0.1).flatten(1) - 0.5)[0].chunk(2)
    assert torch.allclose(moved[0, 3], (1 + gamma[3]) * x[0, 3] + beta[3], atol=1e-5)


def test_the_position_bias_equals_its_definition_on_a_full_coordinate_volume():
    bias, size = PositionBias(anchors=2, channels=3), (4, 6, 5)
    anchors = torch.rand(1, 2, 3)
    expected = torch.zeros(1, 3, *size)
    grids = torch.meshgrid(*(axis_coordinates(n, anchors) for n in size), indexing="ij")
    for axis in range(3):
        offsets = torch.stack([grids[axis] - anchors[0, k, axis] for k in range(2)])
        features = torch.cat((offsets, torch.exp(-0.5 * (offsets / bias.width) ** 2)))
        expected[0] += torch.einsum("cf,fzyx->czyx", bias.mix[axis].weight, features)
    assert torch.allclose(sum(bias(anchors, size)), expected, atol=1e-6)


def test_moving_one_anchor_changes_the_shape_of_the_position_bias_not_only_its_level():
    bias = PositionBias(anchors=2, channels=3)
    anchors = torch.full((1, 2, 3), 0.3)
    moved = anchors.clone()
    moved[0, 1] = 0.8
    difference = sum(bias(moved, (8, 8, 8))) - sum(bias(anchors, (8, 8, 8)))
    assert difference.flatten(2).std(dim=2).min() > 1e-3


def test_the_texture_map_is_lowest_in_flat_regions_whatever_its_weights():
    for seed in range(5):
        torch.manual_seed(seed)
        texture = TextureMap(8)
        for parameter in texture.parameters():
            parameter.normal_(std=2)
        x = torch.zeros(1, 8, 16, 16, 16)
        x[..., 8:] = torch.randn(8)[None, :, None, None, None]
        values = texture(x)[0, 0]
        flat, edge = values[..., :4], values[..., 7:9]
        assert torch.allclose(flat, flat.flatten()[0].expand_as(flat), atol=1e-6)
        assert edge.min() > flat.max()


def test_the_two_gates_of_the_structural_prior_are_a_softmax():
    prior = StructuralPrior(8)
    x = torch.randn(1, 8, 8, 8, 8)
    y, texture = prior(x)
    logit = prior.gate(torch.cat((x, texture), dim=1))
    gates = torch.cat((logit, torch.zeros_like(logit)), dim=1).softmax(dim=1)
    expected = x + gates[:, :1] * prior.first(x) + gates[:, 1:] * prior.second(x)
    assert torch.allclose(y, expected, atol=1e-5)


def test_routing_takes_the_detail_branch_where_texture_is_one_and_the_smooth_one_where_it_is_zero():
    routing, x = TextureRouting(8), torch.randn(1, 8, 4, 4, 4)
    detail = functional.silu(routing.norm(routing.detail(x)))
    assert torch.allclose(routing(x, torch.ones(1, 1, 4, 4, 4)), x + detail, atol=1e-6)
    assert torch.allclose(routing(x, torch.zeros(1, 1, 4, 4, 4)), x + routing.smooth(x), atol=1e-6)


def test_a_ghost_convolution_costs_about_half_of_a_full_one():
    ghost, full = GhostConvolution(32, 32), GhostConvolution(32, 32, ghost=False)
    count = {kind: sum(p.numel() for p in block.parameters()) for kind, block in (("ghost", ghost), ("full", full))}
    assert 0.45 < count["ghost"] / count["full"] < 0.6
    assert ghost(torch.randn(1, 32, 4, 4, 4)).shape == full(torch.randn(1, 32, 4, 4, 4)).shape


def router_and_scales() -> tuple[SkipRouter, list[torch.Tensor]]:
    router = SkipRouter(scales=3, channels=8, hidden=8, anchors=4, position_bias=True)
    router.decide.weight.normal_()
    return router, [torch.randn(1, 8, n, n, n) for n in (16, 8, 4)]


@pytest.mark.parametrize("level", [0, 1])
def test_router_weights_sum_to_one_and_change_with_input_and_anchors(level):
    router, scales = router_and_scales()
    anchors = torch.rand(1, 4, 3)
    weights = router.weights(scales, anchors, level)
    assert torch.allclose(weights.sum(dim=1), torch.ones_like(weights[:, 0]), atol=1e-6)
    other = router.weights([torch.randn_like(scale) for scale in scales], anchors, level)
    assert (weights - other).abs().max() > 0.05
    assert (weights - router.weights(scales, 1 - anchors, level)).abs().max() > 1e-3


@pytest.mark.parametrize("level", [0, 1])
def test_the_router_equals_one_convolution_of_all_resized_scales(level):
    router, scales = router_and_scales()
    anchors, size = torch.rand(1, 4, 3), tuple(scales[level].shape[2:])
    resized = [resize_to(scale, size) for scale in scales]
    kernel = torch.cat([read.weight for read in router.read], dim=1)
    hidden = functional.conv3d(torch.cat(resized, dim=1), kernel, router.read[0].bias)
    hidden = hidden + sum(router.position(anchors, size))
    weights = router.decide(functional.silu(hidden)).softmax(dim=1)
    expected = sum(weights[:, i : i + 1] * scale for i, scale in enumerate(resized))
    assert torch.allclose(router(scales, anchors, level), expected, atol=1e-4)


def test_projecting_before_or_after_resizing_is_the_same():
    projection, x = ScaleProjection([8], 4), torch.randn(1, 8, 4, 4, 4)
    before = resize_to(projection([x])[0], (8, 8, 8))
    after = projection([resize_to(x, (8, 8, 8))])[0]
    assert torch.allclose(before, after, atol=1e-5)


def test_squeeze_excitation_scales_whole_channels():
    block, x = SqueezeExcitation(8, ratio=2), torch.randn(1, 8, 4, 4, 4)
    ratio = block(x) / x
    assert torch.allclose(ratio, ratio[..., :1, :1, :1].expand_as(ratio), atol=1e-4)
    assert ((ratio > 0) & (ratio < 2)).all()


def test_in_the_whole_network_the_anchors_see_the_input_and_the_output_sees_the_anchors():
    network = build_network("lightmedseg-tiny", 1, 2).eval()
    x = torch.randn(1, 1, 32, 32, 32)
    baseline = network(x)
    network.anchor_detector.heat.weight.mul_(100)
    assert (network(x) - baseline).abs().max() > 1e-5


def test_the_place_of_a_voxel_within_its_block_reaches_the_output_of_the_default_network():
    network = build_network("lightmedseg", 1, 2).eval()
    air, one, other = torch.zeros(3, 1, 1, 32, 32, 32)
    one[..., 16, 16, 16] = 5
    other[..., 17, 16, 16] = 5
    with torch.inference_mode():
        response = (network(one) - network(air)).abs().max()
        assert (network(one) - network(other)).abs().max() > 0.2 * response


def test_interpolating_by_matrices_equals_trilinear_interpolation():
    x = torch.randn(2, 3, 3, 5, 4, dtype=torch.float64)
    expected = functional.interpolate(x, size=(12, 20, 16), mode="trilinear", align_corners=False)
    assert torch.allclose(interpolate_by_matrices(x, (12, 20, 16)), expected, atol=1e-12)
