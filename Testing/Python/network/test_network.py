"""The network as a whole: size, cost, shapes, switches and gradients."""

from __future__ import annotations

import pytest
import torch

from LightMedSegLib.network import CONFIGURATIONS, build_network, network_configuration
from LightMedSegLib.network.complexity import count_multiply_adds, count_parameters

IDEAS = {
    "film": False,
    "structural_prior": False,
    "texture_routing": False,
    "ghost": False,
    "skip_router": False,
    "position_bias": False,
}
SMALL = {"in_channels": 1, "num_classes": 3}


def test_the_default_network_has_the_papers_parameters_and_operations():
    network = build_network("lightmedseg", in_channels=1, num_classes=14)
    assert count_parameters(network) == pytest.approx(0.48e6, abs=0.01e6)
    # A multiply-add is two operations.
    assert 2 * count_multiply_adds(network, (1, 1, 128, 128, 128)) == pytest.approx(14.64e9, rel=0.02)


@pytest.mark.filterwarnings("ignore")
def test_fvcore_counts_the_same_multiply_adds():
    from fvcore.nn import FlopCountAnalysis

    network = build_network("lightmedseg", in_channels=1, num_classes=14).eval()
    counter = FlopCountAnalysis(network, torch.zeros(1, 1, 32, 32, 32))
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    by_operator = counter.by_operator()
    witness = sum(by_operator[kind] for kind in ("conv", "linear", "matmul", "einsum"))
    assert count_multiply_adds(network, (1, 1, 32, 32, 32)) == pytest.approx(witness, rel=0.005)


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_every_named_network_gives_one_logit_per_class_and_voxel(name):
    network = build_network(name, in_channels=2, num_classes=5).eval()
    stride = network.total_stride
    with torch.inference_mode():
        logits = network(torch.randn(2, 2, stride, 2 * stride, 3 * stride))
    assert logits.shape == (2, 5, stride, 2 * stride, 3 * stride)
    assert torch.isfinite(logits).all()


def test_a_size_that_is_no_multiple_of_the_stride_is_refused_in_words():
    network = build_network("lightmedseg-tiny", **SMALL)
    with pytest.raises(ValueError, match="multiple of 16"):
        network(torch.zeros(1, 1, 16, 16, 24))
    with pytest.raises(ValueError, match="needs"):
        network(torch.zeros(1, 2, 16, 16, 16))


def test_unknown_names_settings_and_counts_are_refused_in_words():
    with pytest.raises(ValueError, match="known networks are"):
        build_network("unet", 1, 2)
    with pytest.raises(ValueError, match="has no setting 'width'"):
        build_network("lightmedseg", 1, 2, width=3)
    with pytest.raises(ValueError, match="earlier form of the network"):
        build_network("lightmedseg", 1, 2, detail_channels=8)
    with pytest.raises(ValueError, match="two classes"):
        build_network("lightmedseg", 1, 1)
    with pytest.raises(ValueError, match="exactly one entry fewer"):
        build_network("lightmedseg", 1, 2, decoder_channels=(64, 32))
    with pytest.raises(ValueError, match="multiple of 8"):
        build_network("lightmedseg", 1, 2, stem_channels=12)


@pytest.mark.parametrize("idea", IDEAS)
def test_turning_an_idea_off_changes_the_parameters_and_leaves_none_dead(idea):
    full = build_network("lightmedseg-tiny", **SMALL)
    without = build_network("lightmedseg-tiny", **SMALL, **{idea: False})
    assert count_parameters(without) != count_parameters(full)
    _assert_every_parameter_learns(without)


def test_all_ideas_can_be_off_together():
    _assert_every_parameter_learns(build_network("lightmedseg-tiny", **SMALL, **IDEAS))


def test_every_parameter_of_the_default_network_learns():
    _assert_every_parameter_learns(build_network("lightmedseg", **SMALL))


def _assert_every_parameter_learns(network: torch.nn.Module) -> None:
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    x, target = torch.randn(1, 1, 32, 32, 32), torch.randint(0, 3, (1, 32, 32, 32))
    for _ in range(2):  # FiLM starts at zero, so what feeds its input learns from the second step on
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), target).backward()
        optimizer.step()
    dead = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert dead == []


def test_deep_supervision_gives_halving_sizes_in_training_and_one_result_otherwise():
    network = build_network("lightmedseg-tiny", **SMALL, deep_supervision=True)
    x = torch.randn(1, 1, 32, 48, 32)
    shapes = [tuple(logits.shape[2:]) for logits in network.train()(x)]
    assert shapes == [(32, 48, 32), (16, 24, 16), (8, 12, 8), (4, 6, 4)]
    assert network.eval()(x).shape == (1, 3, 32, 48, 32)


def test_a_packaged_model_needs_no_parameters_of_deep_supervision():
    trained = build_network("lightmedseg-tiny", **SMALL, deep_supervision=True)
    state = {k: v for k, v in trained.state_dict().items() if not k.startswith("auxiliary_heads.")}
    shipped = build_network("lightmedseg-tiny", **SMALL)
    shipped.load_state_dict(state, strict=True)
    x = torch.randn(1, 1, 16, 16, 16)
    assert torch.equal(shipped.eval()(x), trained.eval()(x))


def test_lists_from_a_card_are_accepted_as_widths():
    configuration = network_configuration("lightmedseg-tiny", {"decoder_channels": [16, 16, 16]})
    assert configuration.decoder_channels == (16, 16, 16)


def test_counting_leaves_the_network_as_it_was():
    network = build_network("lightmedseg-tiny", **SMALL).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count_multiply_adds(network, (1, 1, 16, 16, 16))
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_under_autocast_features_stay_in_bfloat16_and_a_training_step_runs():
    network = build_network("lightmedseg-tiny", **SMALL, deep_supervision=True).train()
    seen = {}
    for module in network.modules():
        if type(module).__name__ in ("GroupNorm", "TextureRouting", "ThreeBranchMixer", "SkipRouter", "DecoderStage"):
            module.register_forward_hook(lambda module, _, output: seen.update({type(module).__name__: output.dtype}))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(torch.randn(1, 1, 32, 32, 32))
    assert set(seen.values()) == {torch.bfloat16}
    sum(part.float().square().mean() for part in logits).backward()
