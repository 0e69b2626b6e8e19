"""The largest patch and data set that a device's memory holds in training."""

from __future__ import annotations

from LightMedSegLib.core.process.available_memory import available_bytes
from LightMedSegLib.training.planning.input_plan import SMALL_PATCH, Limits

LEAST_BATCH = 2
MOST_BATCH = 16

BYTES_PER_VOXEL = 1_200
"""Of the patches of a batch, with what the gradient needs: measured on a CPU, without what PyTorch takes itself."""

_CUDA_PATCH = 128**3
_LEAST_PATCH = 32**3
_USED_SHARE = 0.4
"""Of the free memory, for the patches and again for the cases."""

_UNKNOWN = 4 * 2**30


def memory_limits(device: str, channels: int) -> Limits:
    """Return the limits of the memory that is free now, on the computer and on the CUDA device.

    The cases are float16 with a byte for the label: on the device once, and twice in the memory of the computer, which
    reads them and fills them up to one size.
    """
    host = available_bytes() or _UNKNOWN
    free, most = host, SMALL_PATCH
    if device.startswith("cuda"):
        import torch

        free, most = torch.cuda.mem_get_info(torch.device(device))[0], _CUDA_PATCH
    voxel = 2 * channels + 1
    patch = min(most, int(_USED_SHARE * free / (LEAST_BATCH * BYTES_PER_VOXEL)))
    stored = min(_USED_SHARE * host / (2 * voxel), _USED_SHARE * free / voxel)
    return Limits(max(_LEAST_PATCH, patch), stored)


def batch_size(patch_voxels: int, limits: Limits, device: str) -> int:
    """Return the cases of a batch: on CUDA smaller patches leave room for more, a CPU rather takes more steps."""
    most = MOST_BATCH if device.startswith("cuda") else LEAST_BATCH
    return max(LEAST_BATCH, min(most, LEAST_BATCH * limits.patch // patch_voxels))
