"""Processes that were forked from one in which PyTorch has computed.

A forked process has only one of its parent's threads, and PyTorch would wait for the others forever.
"""

from __future__ import annotations

import os

from LightMedSegLib.core.errors import DeviceError

NOTE = (
    "This process was forked from one in which PyTorch had computed, so one thread was used; processes that "
    "multiprocessing.get_context('spawn') starts use all of them."
)


class _State:
    computed = False
    forked_after = False
    one_thread = False


def one_thread_if_forked(device: str) -> str:
    """Limit PyTorch to one thread in a forked process, where more would hang; call it before PyTorch computes.

    Return a sentence for the user, "" if nothing was changed. Raises DeviceError for CUDA, which cannot work there.
    """
    if not _State.forked_after:
        _State.computed = True
        return ""
    if device.startswith("cuda"):
        raise DeviceError(
            "CUDA cannot be used in a process that was forked from one in which PyTorch had computed; start processes "
            "with multiprocessing.get_context('spawn'), or choose the device cpu."
        )
    import torch

    _State.one_thread = _State.one_thread or torch.get_num_threads() > 1
    torch.set_num_threads(1)
    return NOTE if _State.one_thread else ""


def must_use_one_thread() -> bool:
    """Return whether this process was forked from one in which PyTorch had computed; more threads would hang."""
    return _State.forked_after


def _in_child() -> None:
    _State.forked_after = _State.forked_after or _State.computed


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
