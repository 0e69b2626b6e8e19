"""Recognition of out-of-memory errors."""

from __future__ import annotations

_CUDA_ERROR = "OutOfMemoryError"
_WORDS = ("out of memory", "alloc_failed", "can't allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether torch, or a library below it, reports that memory ran out; torch need not be loaded."""
    if isinstance(error, MemoryError) or type(error).__name__ == _CUDA_ERROR:
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)
