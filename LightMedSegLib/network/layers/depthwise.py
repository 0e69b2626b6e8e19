"""Depthwise 3D convolution: PyTorch's own everywhere, a Triton kernel on CUDA.

cuDNN has no good depthwise 3D kernel, and training spends most of its time there. Everything else (CPU, MPS, a
CUDA machine without Triton, Windows) takes the plain path, which gives the same result.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

PLAIN_SWITCH = "LIGHTMEDSEG_PLAIN_DEPTHWISE"
KERNEL_SIZES = (3, 5)


def depthwise_conv3d(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, plain: bool = False) -> Tensor:
    """Convolve each channel with its own kernel, stride 1, zero padding that keeps the size.

    Args:
        x: (batch, channel, z, y, x).
        weight: (channel, 1, k, k, k), k being 3 or 5.
        bias: (channel,) or None.
        plain: never use the Triton kernel.

    Returns:
        A tensor shaped as x. Under autocast it has the autocast's type, as with torch.nn.functional.conv3d.

    Raises:
        ValueError: x or weight does not have the shape above.
    """
    _check_shapes(x, weight)
    kernel = _KERNEL
    if kernel is None or plain or not x.is_cuda or not _fits_the_kernel(x):
        return functional.conv3d(x, weight, bias, padding=int(weight.shape[-1]) // 2, groups=int(weight.shape[0]))
    if torch.is_autocast_enabled("cuda"):
        x = x.to(torch.get_autocast_dtype("cuda"))
    y = kernel(x, weight)
    return y if bias is None else y + bias.to(y.dtype).view(1, -1, 1, 1, 1)


class DepthwiseConv3d(nn.Module):
    """Depthwise 3D convolution as a module; its parameters are named, shaped and initialised as nn.Conv3d's.

    Setting `plain` to True, or the environment variable LIGHTMEDSEG_PLAIN_DEPTHWISE to 1 before this module
    is imported, keeps to PyTorch's own convolution (export to ONNX, comparison).
    """

    plain: bool = False

    def __init__(self, channels: int, kernel_size: int = 3, bias: bool = False) -> None:
        super().__init__()
        if kernel_size not in KERNEL_SIZES:
            raise ValueError(f"A depthwise kernel size is one of {KERNEL_SIZES}, not {kernel_size}.")
        self.channels = channels
        self.kernel_size = kernel_size
        self.weight = nn.Parameter(torch.empty(channels, 1, kernel_size, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters as nn.Conv3d does, in the same order."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.kernel_size**3)
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x, (batch, channel, z, y, x), to the same shape."""
        return depthwise_conv3d(x, self.weight, self.bias, plain=self.plain)

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size={self.kernel_size}, bias={self.bias is not None}"


def _check_shapes(x: Tensor, weight: Tensor) -> None:
    k = weight.shape[-1]
    if k not in KERNEL_SIZES or weight.dim() != 5 or tuple(weight.shape[1:]) != (1, k, k, k):
        raise ValueError(f"A depthwise weight is (channel, 1, k, k, k) with k 3 or 5, not {tuple(weight.shape)}.")
    if x.dim() != 5 or x.shape[1] != weight.shape[0]:
        raise ValueError(f"x is (batch, {weight.shape[0]}, z, y, x) for this weight, not {tuple(x.shape)}.")


def _fits_the_kernel(x: Tensor) -> bool:
    # Offsets inside one channel are 32-bit in the kernel; float64 is left to PyTorch, which accumulates in it.
    small = x.shape[2] * x.shape[3] * x.shape[4] < 2**30
    return small and x.dtype in (torch.float32, torch.bfloat16, torch.float16)


def _load_triton_kernel() -> Callable[[Tensor, Tensor], Tensor] | None:
    if os.environ.get(PLAIN_SWITCH, "0") not in ("", "0") or not torch.cuda.is_available():
        return None
    if importlib.util.find_spec("triton") is None:
        return None
    from LightMedSegLib.network.layers.depthwise_triton import depthwise

    return depthwise


# Chosen once, here: torch.compile traces the function above and could not follow an import inside it.
_KERNEL = _load_triton_kernel()
