"""Convolutions of one channels-last volume by oneDNN, whole or a few planes at a time."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

LAST = torch.channels_last_3d

Triple = tuple[int, int, int]


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Return whether this build of torch runs oneDNN convolutions of dtype on this machine."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.aten, "mkldnn_convolution"):
        return False
    with torch.inference_mode():
        x = torch.ones(1, 2, 3, 3, 3, dtype=dtype).contiguous(memory_format=LAST)
        weight = torch.ones(2, 2, 1, 1, 1, dtype=dtype)
        try:
            torch.ops.aten.mkldnn_convolution(x, weight, None, [0] * 3, [1] * 3, [1] * 3, 1)
        except RuntimeError:
            return False
    return True


@cache
def _has_packing(dtype: torch.dtype) -> bool:
    if not has_onednn(dtype):
        return False
    try:
        weight = _reordered(torch.ones(2, 2, 1, 1, 1, dtype=dtype), 1)
        x = torch.ones(1, 2, 3, 3, 3, dtype=dtype).contiguous(memory_format=LAST)
        target = convolve(x, weight)
        add_convolution(target, x, weight)
        return bool((target == 4).all())
    except (RuntimeError, AttributeError):
        return False


def packed(weight: Tensor, *, groups: int = 1) -> Tensor:
    """weight in the order in which oneDNN reads it, for convolve; weight itself where torch cannot keep it so.

    Otherwise every call brings the weights into that order again, which takes as long as a small convolution.
    """
    return _reordered(weight, groups) if _has_packing(weight.dtype) else weight


def _reordered(weight: Tensor, groups: int) -> Tensor:
    padding = [size // 2 for size in weight.shape[2:]]
    return torch.ops.mkldnn._reorder_convolution_weight(weight, padding, [1] * 3, [1] * 3, groups, None)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: Triple = (0, 0, 0),
    stride: Triple = (1, 1, 1),
    groups: int = 1,
) -> Tensor:
    """torch.nn.functional.conv3d of a channels-last (1, C, z, y, x) on the processor, channels-last again.

    torch's own choice avoids oneDNN for one small volume, where its native kernel takes ten times as long and
    returns channels-first. weight: may be packed.
    """
    if weight.is_mkldnn:
        return torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, padding, stride, (1, 1, 1), groups, "none", [], None
        )
    if has_onednn(x.dtype):
        return torch.ops.aten.mkldnn_convolution(x, weight, bias, padding, stride, (1, 1, 1), groups)
    y = functional.conv3d(x, weight, bias, stride=stride, padding=padding, groups=groups)
    return y.contiguous(memory_format=LAST)


def add_convolution(target: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
    """Add the 1x1x1 convolution of x to target, in place; both channels-last, of the same slab."""
    if weight.is_mkldnn and target.dtype is x.dtype:
        torch.ops.mkldnn._convolution_pointwise_.binary(
            target, x, weight, bias, (0, 0, 0), (1, 1, 1), (1, 1, 1), 1, "add", 1.0, None, [], None
        )
    else:
        target += convolve(x, weight, bias)


def convolve_planes(x: Tensor, first: int, last: int, weight: Tensor, *, groups: int = 1) -> Tensor:
    """Planes first to last (not included) of the convolution of x with zero padding of half a kernel.

    Only the planes of x that these depend on are read. weight: (out, in / groups, k, k, k), k odd; where it has
    another type than x, the planes are converted to it, and so is the result.
    """
    border = weight.shape[2] // 2
    depth = x.shape[2]
    begin, end = max(0, first - border), min(depth, last + border)
    padded = begin > first - border or end < last + border
    padding = (border if padded else 0, weight.shape[3] // 2, weight.shape[4] // 2)
    y = convolve(x[:, :, begin:end].to(weight.dtype), weight, padding=padding, groups=groups)
    # Padding comes on both sides: where only one needed it, the planes it made on the other are cut off.
    skip = first - begin if padded else 0
    return y[:, :, skip : skip + last - first]
