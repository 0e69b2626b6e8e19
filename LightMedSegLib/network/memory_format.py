"""The order of voxels and channels in memory that the network is fastest with."""

from __future__ import annotations

import torch


def fastest_format(device: str | torch.device) -> torch.memory_format:
    """Return the memory format of weights and inputs on device.

    On CUDA that is the contiguous one: between the convolutions, which cuDNN converts for itself, most kernels work on
    one channel at a time. On an H200 a recorded pass takes 12 % longer channels-last.
    """
    return torch.contiguous_format if torch.device(device).type == "cuda" else torch.channels_last_3d
