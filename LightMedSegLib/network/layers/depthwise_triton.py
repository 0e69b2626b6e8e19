"""Depthwise 3D convolution in Triton: forward, gradient of the input, gradient of the weight.

Memory bound by design. A program owns a tile of the (y, x) plane of one channel of one batch item and walks along z:
each input plane is read once per (y, x) tap and feeds every output plane it touches, which wait in registers.
The gradient of the weight is summed per program into a float32 buffer that torch.sum reduces, so that it is the same
at every run. Sums are in float32 whatever the type of the data.

Import this only where Triton is installed; `depthwise.depthwise_conv3d` decides.
"""

# Upper case marks what Triton compiles in; its tuples know concatenation but no unpacking.
# ruff: noqa: N803, N806, RUF005
# mypy: disable-error-code="assignment, misc, untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

import contextlib
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

# Programs enough to fill a large GPU several times over, so that the last wave costs little.
_WANTED_PROGRAMS = 4096
_LONGEST_WALK = 32
_SHORTEST_WALK = 8


@triton.jit
def _convolve(
    x_ptr, weight_ptr, y_ptr, channels, depth, height, width, tiles, walks,
    K: tl.constexpr, FLIP: tl.constexpr, WALK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    P: tl.constexpr = K // 2
    pid = tl.program_id(0)
    tile = pid % tiles
    z0 = (pid // tiles) % walks * WALK
    item = pid // tiles // walks
    z1 = tl.minimum(z0 + WALK, depth)
    plane = height * width
    base = item.to(tl.int64) * depth * plane
    p = tile * BLOCK + tl.arange(0, BLOCK)
    py = p // width
    px = p % width
    inside = p < plane

    weights = ()
    for tap in tl.static_range(K * K * K):
        w = tl.load(weight_ptr + (item % channels) * (K * K * K) + ((K * K * K - 1 - tap) if FLIP else tap))
        weights = weights + (w.to(tl.float32),)

    zero = tl.zeros((BLOCK,), tl.float32)
    sums = ()
    for _ in tl.static_range(K):
        sums = sums + (zero,)
    for step in range(WALK + 2 * P):
        z = z0 - P + step
        usable = inside & (z >= 0) & (z < depth)
        for ky in tl.static_range(K):
            row = usable & (py + (ky - P) >= 0) & (py + (ky - P) < height)
            for kx in tl.static_range(K):
                mask = row & (px + (kx - P) >= 0) & (px + (kx - P) < width)
                offset = z * plane + p + (ky - P) * width + (kx - P)
                v = tl.load(x_ptr + base + offset, mask=mask, other=0.0).to(tl.float32)
                added = ()
                for j in tl.static_range(K):
                    added = added + (sums[j] + v * weights[((K - 1 - j) * K + ky) * K + kx],)
                sums = added
        done = z - P
        result = sums[0].to(y_ptr.dtype.element_ty)
        tl.store(y_ptr + base + done * plane + p, result, mask=inside & (done >= z0) & (done < z1))
        shifted = ()
        for j in tl.static_range(K - 1):
            shifted = shifted + (sums[j + 1],)
        sums = shifted + (zero,)


@triton.jit
def _weight_gradient(
    x_ptr, grad_ptr, partial_ptr, depth, height, width, walks, splits,
    K: tl.constexpr, SLABS: tl.constexpr, WALK: tl.constexpr, TILES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    # A program serves K // SLABS of the kernel's z taps: all 125 sums of a 5x5x5 kernel would not fit in registers.
    P: tl.constexpr = K // 2
    KZ: tl.constexpr = K // SLABS
    pid = tl.program_id(0)
    slab = pid % SLABS
    split = pid // SLABS % splits
    z0 = (pid // SLABS // splits) % walks * WALK
    item = pid // SLABS // splits // walks
    z1 = tl.minimum(z0 + WALK, depth)
    plane = height * width
    base = item.to(tl.int64) * depth * plane
    lowest = slab * KZ - P

    zero = tl.zeros((BLOCK,), tl.float32)
    sums = ()
    for _ in tl.static_range(KZ * K * K):
        sums = sums + (zero,)
    for turn in range(TILES):
        p = (split + turn * splits) * BLOCK + tl.arange(0, BLOCK)
        py = p // width
        px = p % width
        inside = p < plane
        # grads[i] is the plane of the gradient whose z tap lowest + i lands on the input plane z.
        grads = ()
        for _ in tl.static_range(KZ):
            grads = grads + (zero,)
        for step in range(WALK + KZ - 1):
            entering = z0 + step
            z = entering + lowest
            g = tl.load(grad_ptr + base + entering * plane + p, mask=inside & (entering < z1), other=0.0).to(tl.float32)
            moved = (g,)
            for i in tl.static_range(KZ - 1):
                moved = moved + (grads[i],)
            grads = moved
            usable = inside & (z >= 0) & (z < depth)
            values = ()
            for ky in tl.static_range(K):
                row = usable & (py + (ky - P) >= 0) & (py + (ky - P) < height)
                for kx in tl.static_range(K):
                    mask = row & (px + (kx - P) >= 0) & (px + (kx - P) < width)
                    offset = z * plane + p + (ky - P) * width + (kx - P)
                    values = values + (tl.load(x_ptr + base + offset, mask=mask, other=0.0).to(tl.float32),)
            added = ()
            for i in tl.static_range(KZ):
                for t in tl.static_range(K * K):
                    added = added + (sums[i * K * K + t] + grads[i] * values[t],)
            sums = added

    row_of_partial = (item.to(tl.int64) * walks + z0 // WALK) * splits + split
    for t in tl.static_range(KZ * K * K):
        tl.store(partial_ptr + row_of_partial * (K * K * K) + slab * (KZ * K * K) + t, tl.sum(sums[t], axis=0))


def _walk(depth: int, programs: int) -> tuple[int, int]:
    """Return the planes each program walks through and how many programs share the depth."""
    walks = triton.cdiv(depth, _LONGEST_WALK)
    while programs * walks < _WANTED_PROGRAMS and triton.cdiv(depth, walks + 1) >= _SHORTEST_WALK:
        walks += 1
    walk = triton.cdiv(depth, walks)
    return walk, triton.cdiv(depth, walk)


def _block(plane: int, largest: int) -> int:
    """Return the tile length (a power of two) that wastes least of its last tile; the longer one when they tie."""
    candidates = [size for size in (512, 256, 128, 64) if size <= largest]
    return min(candidates, key=lambda size: (triton.cdiv(plane, size) * size, -size))


def _on_device_of(x: Tensor) -> contextlib.AbstractContextManager[Any]:
    return torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext()


@torch.library.custom_op("lightmedseg::depthwise_conv3d", mutates_args=())
def depthwise(x: Tensor, weight: Tensor, flip: bool = False) -> Tensor:
    """Convolve x (batch, channel, z, y, x) with weight (channel, 1, k, k, k), flipped along each axis if `flip`."""
    x, weight = x.contiguous(), weight.contiguous()
    y = torch.empty_like(x)
    batch, channels, depth, height, width = x.shape
    if x.numel() == 0:
        return y
    k = weight.shape[-1]
    # A 5x5x5 kernel keeps 125 weights in registers, which leaves room for two voxels a thread and not four.
    block, voxels = (_block(height * width, 512), 128) if k == 3 else (_block(height * width, 256), 64)
    tiles = triton.cdiv(height * width, block)
    walk, walks = _walk(depth, batch * channels * tiles)
    with _on_device_of(x):
        _convolve[(batch * channels * walks * tiles,)](
            x, weight, y, channels, depth, height, width, tiles, walks,
            K=k, FLIP=flip, WALK=walk, BLOCK=block, num_warps=max(1, block // voxels), num_stages=1,
        )  # fmt: skip
    return y


@torch.library.custom_op("lightmedseg::depthwise_conv3d_weight_gradient", mutates_args=())
def weight_gradient(x: Tensor, grad: Tensor, kernel_size: int) -> Tensor:
    """Return the float32 gradient (channel, 1, k, k, k) of the weight for input x and output gradient `grad`."""
    x, grad = x.contiguous(), grad.contiguous()
    batch, channels, depth, height, width = x.shape
    k = kernel_size
    if x.numel() == 0:
        return x.new_zeros((channels, 1, k, k, k), dtype=torch.float32)
    slabs = 1 if k == 3 else k
    block = _block(height * width, 256)
    tiles = triton.cdiv(height * width, block)
    walk, walks = _walk(depth, batch * channels * slabs)
    splits = min(tiles, triton.cdiv(_WANTED_PROGRAMS, batch * channels * slabs * walks))
    partial = torch.empty((batch, channels, walks * splits, k**3), dtype=torch.float32, device=x.device)
    with _on_device_of(x):
        _weight_gradient[(batch * channels * walks * splits * slabs,)](
            x, grad, partial, depth, height, width, walks, splits,
            K=k, SLABS=slabs, WALK=walk, TILES=triton.cdiv(tiles, splits), BLOCK=block,
            num_warps=max(1, block // 64), num_stages=1,
        )  # fmt: skip
    return partial.sum(dim=(0, 2)).view(channels, 1, k, k, k)


@depthwise.register_fake
def _(x: Tensor, weight: Tensor, flip: bool = False) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@weight_gradient.register_fake
def _(x: Tensor, grad: Tensor, kernel_size: int) -> Tensor:
    shape = (x.shape[1], 1, kernel_size, kernel_size, kernel_size)
    return torch.empty(shape, dtype=torch.float32, device=x.device)


def _remember(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
    x, weight, flip = inputs
    ctx.save_for_backward(x, weight)
    ctx.flip = flip


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    x, weight = ctx.saved_tensors
    grad = grad.to(x.dtype)
    grad_x = depthwise(grad, weight, not ctx.flip) if ctx.needs_input_grad[0] else None
    grad_weight = None
    if ctx.needs_input_grad[1]:
        grad_weight = weight_gradient(x, grad, weight.shape[-1])
        grad_weight = (grad_weight.flip(2, 3, 4) if ctx.flip else grad_weight).to(weight.dtype)
    return grad_x, grad_weight, None


depthwise.register_autograd(_backward, setup_context=_remember)
