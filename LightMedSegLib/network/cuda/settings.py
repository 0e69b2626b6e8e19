"""The cuDNN settings of the network."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def repeatable_convolutions(fastest: bool = False) -> AbstractContextManager[None]:
    """cuDNN, unless it is switched off, with algorithms that give the same result each time.

    fastest: instead with whichever algorithms are fastest in a trial, for comparisons.
    """
    # Of the settings left out, torch would take a fixed default: without the first, no cuDNN at all.
    cudnn = torch.backends.cudnn
    settings: AbstractContextManager[None] = cudnn.flags(
        enabled=cudnn.enabled, benchmark=fastest, deterministic=not fastest, allow_tf32=cudnn.allow_tf32
    )
    return settings
