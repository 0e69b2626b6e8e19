"""Depthwise convolution: the plain path everywhere; the Triton kernel on a GPU, or under Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import REPOSITORY
from patience import limit

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from LightMedSegLib.network.layers.depthwise import DepthwiseConv3d, depthwise_conv3d  # noqa: E402

HAS_TRITON = importlib.util.find_spec("triton") is not None
HAS_CUDA = torch.cuda.is_available()
INTERPRETING = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if HAS_CUDA else "cpu"

needs_kernel = pytest.mark.skipif(
    not HAS_TRITON or not (HAS_CUDA or INTERPRETING), reason="needs Triton, and a GPU or TRITON_INTERPRET=1"
)
needs_cuda = pytest.mark.skipif(not (HAS_TRITON and HAS_CUDA), reason="needs a CUDA GPU with Triton")

# Odd sizes, one voxel thick, several tiles (plane of 135), several items. The interpreter is slow: sizes are small.
CASES = [
    (3, (1, 2, 7, 5, 9), "float32"),
    (3, (3, 1, 2, 4, 3), "bfloat16"),
    (3, (1, 1, 2, 5, 27), "float32"),
    (3, (1, 1, 1, 1, 1), "float32"),
    (5, (1, 2, 2, 3, 4), "float32"),
    (5, (3, 1, 1, 3, 3), "bfloat16"),
]
GPU_CASES = [
    (k, shape, dtype)
    for k in (3, 5)
    for shape in ((1, 3, 7, 5, 9), (3, 8, 41, 33, 50), (2, 4, 48, 64, 48), (1, 2, 128, 65, 129))
    for dtype in ("float32", "bfloat16", "float16")
]


def _random(shape: tuple[int, ...], k: int, dtype: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(shape) + k)
    x = torch.randn(shape, generator=generator).to(DEVICE, getattr(torch, dtype))
    weight = torch.randn((shape[1], 1, k, k, k), generator=generator).to(DEVICE)
    grad = torch.randn(shape, generator=generator).to(DEVICE, getattr(torch, dtype))
    return x, weight, grad


def _reference(x: torch.Tensor, weight: torch.Tensor, grad: torch.Tensor) -> list[torch.Tensor]:
    x, weight = x.cpu().double().requires_grad_(), weight.cpu().double().requires_grad_()
    y = functional.conv3d(x, weight, padding=weight.shape[-1] // 2, groups=x.shape[1])
    return [y.detach(), *torch.autograd.grad(y, (x, weight), grad.cpu().double())]


def _agree(k: int, shape: tuple[int, ...], dtype: str) -> None:
    from LightMedSegLib.network.layers.depthwise_triton import depthwise

    x, weight, grad = _random(shape, k, dtype)
    expected = _reference(x, weight, grad)
    x.requires_grad_()
    weight.requires_grad_()
    y = depthwise(x, weight)
    found = [y.detach(), *torch.autograd.grad(y, (x, weight), grad)]
    assert [t.dtype for t in found] == [x.dtype, x.dtype, torch.float32]
    # The sums are in float32: y and the gradient of x are only rounded to their type, the gradient of the weight never.
    # The interpreter cuts bfloat16 off where the hardware rounds it.
    bfloat16 = 2**-7 if INTERPRETING else 2**-8
    rounding = {"float32": 2e-6, "bfloat16": bfloat16, "float16": 2**-10}[dtype]
    for result, truth, tolerance in zip(found, expected, (rounding, rounding, 1e-5), strict=True):
        assert result.shape == truth.shape
        assert (result.cpu().double() - truth).abs().max() <= tolerance * truth.abs().max()


@pytest.mark.parametrize("k", [3, 5])
def test_the_module_is_an_nn_conv3d_with_as_many_groups_as_channels(k: int) -> None:
    torch.manual_seed(3)
    expected = torch.nn.Conv3d(4, 4, k, padding=k // 2, groups=4)
    torch.manual_seed(3)
    module = DepthwiseConv3d(4, k, bias=True)
    assert {n: p.shape for n, p in module.named_parameters()} == {n: p.shape for n, p in expected.named_parameters()}
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, expected.get_parameter(name))
    x = torch.randn(2, 4, 5, 6, 7)
    torch.testing.assert_close(module(x), expected(x))


def test_a_module_without_bias_has_a_weight_only() -> None:
    assert [name for name, _ in DepthwiseConv3d(2).named_parameters()] == ["weight"]


def test_an_even_kernel_and_a_wrong_channel_count_are_refused() -> None:
    with pytest.raises(ValueError, match="not 4"):
        DepthwiseConv3d(2, 4)
    with pytest.raises(ValueError, match="k 3 or 5"):
        depthwise_conv3d(torch.zeros(1, 2, 3, 3, 3), torch.zeros(2, 1, 3, 3, 5))
    with pytest.raises(ValueError, match=r"\(batch, 2, z, y, x\)"):
        depthwise_conv3d(torch.zeros(1, 3, 3, 3, 3), torch.zeros(2, 1, 3, 3, 3))


@pytest.mark.skipif(not HAS_TRITON or HAS_CUDA or INTERPRETING, reason="needs Triton; on a GPU the tests run directly")
def test_the_kernel_tests_pass_under_the_interpreter() -> None:
    # A process of its own: Triton reads the variable once, when it is first imported.
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__)), "-k", "test_kernel"]
    root = REPOSITORY
    result = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=limit(300))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(CASES) + 4} passed" in result.stdout, result.stdout


@needs_kernel
@pytest.mark.parametrize(("k", "shape", "dtype"), CASES)
def test_kernel_and_its_gradients_agree_with_conv3d(k: int, shape: tuple[int, ...], dtype: str) -> None:
    _agree(k, shape, dtype)


@needs_kernel
def test_kernel_agrees_when_several_programs_share_the_depth_and_the_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    from LightMedSegLib.network.layers import depthwise_triton

    monkeypatch.setattr(depthwise_triton, "_LONGEST_WALK", 3)
    monkeypatch.setattr(depthwise_triton, "_SHORTEST_WALK", 3)
    monkeypatch.setattr(depthwise_triton, "_WANTED_PROGRAMS", 6)
    assert depthwise_triton._walk(7, 1) == (3, 3)
    _agree(3, (1, 1, 7, 5, 27), "float32")


@needs_kernel
def test_kernel_takes_channels_last_and_strided_volumes() -> None:
    from LightMedSegLib.network.layers.depthwise_triton import depthwise

    x, weight, grad = _random((1, 2, 3, 4, 5), 3, "float32")
    expected = _reference(x, weight, grad)[0]
    last = x.to(memory_format=torch.channels_last_3d)
    sliced = torch.cat((x, x), dim=4)[..., :5]
    for volume in (last, sliced):
        assert not volume.is_contiguous()
        torch.testing.assert_close(depthwise(volume, weight).cpu().double(), expected, atol=1e-5, rtol=0)


@needs_kernel
def test_kernel_is_registered_as_torch_compile_wants() -> None:
    from LightMedSegLib.network.layers.depthwise_triton import depthwise

    x, weight, _ = _random((1, 1, 1, 2, 2), 3, "float32")
    torch.library.opcheck(depthwise, (x.requires_grad_(), weight.requires_grad_()))


@needs_kernel
def test_kernel_on_an_empty_batch_gives_an_empty_batch_and_a_zero_gradient() -> None:
    from LightMedSegLib.network.layers.depthwise_triton import depthwise

    x, weight, grad = _random((0, 2, 3, 3, 3), 3, "float32")
    y = depthwise(x, weight.requires_grad_())
    assert y.shape == x.shape
    assert torch.equal(torch.autograd.grad(y, weight, grad)[0], torch.zeros_like(weight))


@needs_cuda
@pytest.mark.parametrize(("k", "shape", "dtype"), GPU_CASES)
def test_on_a_gpu_large_volumes_agree_with_conv3d(k: int, shape: tuple[int, ...], dtype: str) -> None:
    _agree(k, shape, dtype)


@needs_cuda
def test_on_a_gpu_the_weight_gradient_is_the_same_every_time() -> None:
    from LightMedSegLib.network.layers.depthwise_triton import weight_gradient

    x, _, grad = _random((4, 8, 33, 40, 47), 3, "bfloat16")
    first = weight_gradient(x, grad, 3)
    assert all(torch.equal(first, weight_gradient(x, grad, 3)) for _ in range(5))


@needs_cuda
def test_on_a_gpu_the_module_follows_autocast_and_compiles_whole() -> None:
    module = DepthwiseConv3d(4, 3, bias=True).cuda()
    x = torch.randn(2, 4, 9, 10, 11, device="cuda")
    compiled = torch.compile(module, fullgraph=True)
    with torch.autocast("cuda", torch.bfloat16):
        eager, traced = module(x), compiled(x)
        traced.float().square().mean().backward()
    module.plain = True
    assert eager.dtype == traced.dtype == torch.bfloat16
    torch.testing.assert_close(eager, traced)
    torch.testing.assert_close(eager.float(), module(x), atol=3e-2, rtol=3e-2)
    assert module.weight.grad is not None and module.weight.grad.dtype == torch.float32
