"""Time forward + backward of depthwise 3D convolutions on a CUDA GPU, and check the Triton kernel's errors.

Usage: python Testing/Benchmarks/depthwise_cuda.py [--quick] [--kernel-size 3]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

SHAPES = [(16, 24, 48, 64, 48), (32, 16, 48, 64, 48), (32, 32, 24, 32, 24), (4, 16, 128, 128, 128)]
Convolution = Callable[[Tensor, Tensor], Tensor]


def cudnn(x: Tensor, weight: Tensor) -> Tensor:
    return functional.conv3d(x, weight.to(x.dtype), padding=weight.shape[-1] // 2, groups=weight.shape[0])


def shifts(x: Tensor, weight: Tensor) -> Tensor:
    """Sum one shifted, scaled copy of x per tap: what inductor fuses into one kernel."""
    k = weight.shape[-1]
    padded = functional.pad(x, (k // 2,) * 6)
    depth, height, width = x.shape[2:]
    scales = weight.to(x.dtype)
    y = torch.zeros_like(x)
    for dz in range(k):
        for dy in range(k):
            for dx in range(k):
                scale = scales[:, 0, dz, dy, dx].view(1, -1, 1, 1, 1)
                y = y + padded[:, :, dz : dz + depth, dy : dy + height, dx : dx + width] * scale
    return y


def milliseconds(step: Callable[[], object], repeats: int) -> float:
    """Return the median time of a step on the GPU after three that are not counted."""
    times = []
    for turn in range(repeats + 3):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        step()
        end.record()
        end.synchronize()
        if turn >= 3:
            times.append(start.elapsed_time(end))
    return statistics.median(times)


def forward_and_backward(convolution: Convolution, x: Tensor, weight: Tensor, grad: Tensor) -> list[Tensor]:
    y = convolution(x, weight)
    return [y.detach(), *torch.autograd.grad(y, (x, weight), grad)]


def error(found: list[Tensor], expected: list[Tensor]) -> str:
    """Return the largest difference over the largest value of y, of the gradient of x and of that of the weight."""
    ratios = [
        ((a.double() - b.double()).abs().max() / b.double().abs().max()).item()
        for a, b in zip(found, expected, strict=True)
    ]
    return " ".join(f"{ratio:.0e}" for ratio in ratios)


def float64_truth(x: Tensor, weight: Tensor, grad: Tensor) -> list[Tensor]:
    """Return y and both gradients for the first batch item, in float64 on the processor."""
    inputs = [t.detach().cpu().double().requires_grad_() for t in (x[:1], weight)]
    return [t.cuda() for t in forward_and_backward(cudnn, inputs[0], inputs[1], grad[:1].cpu().double())]


def attempt(work: Callable[[], str]) -> str:
    """Return the outcome of one entry of the table, or why there is none: the others are still wanted."""
    try:
        return work()
    except Exception as problem:  # whatever a compiler or the driver raises
        return f"{type(problem).__name__}: {str(problem).strip().splitlines()[-1][:100] if str(problem) else ''}"


def measure(shape: tuple[int, ...], dtype: torch.dtype, k: int, repeats: int, with_shifts: bool) -> None:
    from LightMedSegLib.network.layers.depthwise_triton import depthwise, weight_gradient

    generator = torch.Generator(device="cuda").manual_seed(1)
    x = torch.randn(shape, device="cuda", generator=generator).to(dtype).requires_grad_()
    grad = torch.randn(shape, device="cuda", generator=generator).to(dtype)
    weight = torch.randn((shape[1], 1, k, k, k), device="cuda", generator=generator).requires_grad_()
    last = x.detach().to(memory_format=torch.channels_last_3d).requires_grad_()
    grad_last = grad.to(memory_format=torch.channels_last_3d)
    compiled = torch.compile(shifts, dynamic=False)

    def timed(convolution: Convolution, x: Tensor = x, grad: Tensor = grad) -> str:
        return f"{milliseconds(lambda: forward_and_backward(convolution, x, weight, grad), repeats):.2f}"

    def parts() -> str:
        with torch.no_grad():
            forward = milliseconds(lambda: depthwise(x, weight), repeats)
            gradient = milliseconds(lambda: weight_gradient(x, grad, k), repeats)
            copy = milliseconds(x.clone, repeats)
        return f"forward {forward:.3f}, weight gradient {gradient:.3f}, one copy of x {copy:.3f}"

    def errors() -> str:
        one = x[:1].detach().clone().requires_grad_()
        whole = forward_and_backward(depthwise, x, weight, grad)
        against_truth = error(forward_and_backward(depthwise, one, weight, grad[:1]), float64_truth(x, weight, grad))
        return f"float64 {against_truth}; cuDNN {error(whole, forward_and_backward(cudnn, x, weight, grad))}"

    print(f"{shape} {str(dtype).removeprefix('torch.')} k={k}, forward + backward, ms", flush=True)
    rows: list[tuple[str, Callable[[], str]]] = [
        ("errors: y, gradient of x, of weight", errors),
        ("Triton kernel", lambda: timed(depthwise)),
        ("Triton kernel, its parts", parts),
        ("cuDNN contiguous", lambda: timed(cudnn)),
        ("cuDNN channels_last_3d", lambda: timed(cudnn, last, grad_last)),
    ]
    if with_shifts:
        rows.append(("shifts, compiled", lambda: timed(compiled)))
    for name, work in rows:
        print(f"  {name:36s} {attempt(work)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kernel-size", type=int, default=3, choices=(3, 5))
    parser.add_argument("--quick", action="store_true", help="leave out the compiled shifts, which take long to build")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("This benchmark needs a CUDA GPU.", file=sys.stderr)
        return 2
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    # TF32 would make cuDNN faster and coarser, and so the comparison unfair either way.
    torch.backends.cudnn.allow_tf32 = False
    for shape in SHAPES:
        for dtype in (torch.float32, torch.bfloat16):
            measure(shape, dtype, arguments.kernel_size, arguments.repeats, not arguments.quick)
            torch.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
