"""Failures of a device that another device, or a smaller volume, would not have."""

from __future__ import annotations

_CARD_FAILURES = ("cuda error", "cuda driver error", "cudnn", "cublas", "gpu is lost")


def why_it_failed(error: Exception, device: str) -> str | None:
    """The reason in words if another device, or a smaller volume, would have helped; None for other errors."""
    from LightMedSegLib.core.out_of_memory import is_out_of_memory

    name = {"cuda": "CUDA", "mps": "The Apple GPU"}.get(device.split(":")[0], "The computer")
    if is_out_of_memory(error):
        return f"{name} ran out of memory"
    text = str(error).lower()
    if device == "mps" or "no kernel image" in text:
        return f"{name} cannot run this model with the installed PyTorch"
    if device.startswith("cuda") and any(words in text for words in _CARD_FAILURES):
        return f"{name} stopped working (if it happens again, restart the program)"
    return None
