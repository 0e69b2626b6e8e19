"""Recognition of out-of-memory errors."""

from __future__ import annotations

_CUDA_ERROR = "OutOfMemoryError"
_OF_THE_COMPUTER = ("can't allocate memory", "defaultcpuallocator: not enough memory")
"""What PyTorch says on Linux and macOS, and on Windows."""
_WORDS = ("out of memory", "alloc_failed", *_OF_THE_COMPUTER)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether torch, or a library below it, reports that memory ran out; torch need not be loaded."""
    if isinstance(error, MemoryError) or type(error).__name__ == _CUDA_ERROR:
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)


def is_of_the_computer(error: BaseException) -> bool:
    """Return whether an out-of-memory error is about the computer's own memory, not that of a graphics card."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OF_THE_COMPUTER)
