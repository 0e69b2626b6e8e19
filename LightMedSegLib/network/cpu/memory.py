"""Memory of the fast path: reused between layers and volumes, and processed in slabs that fit the cache."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

SLAB_VALUES = 2**20
"""Approximate size of one tensor of a slab: several of them fit into the last-level cache, even of a laptop.

On a server with a cache of 300 MB, twice this size was 5 % faster.
"""

_HUGE_PAGE = 2**21


def allocate(count: int) -> Tensor:
    """An uninitialised float32 (count,), in huge pages where Linux offers them.

    The system clears a page when it is first written to: five hundred small pages take many times as long as a huge
    one, and every later access has to look fewer of them up.
    """
    size = 4 * count
    if size < 2 * _HUGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(count)
    try:
        # Longer than asked for by up to a page, which is never touched, so that it can begin where a huge page does.
        block = mmap.mmap(-1, size + _HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        block.madvise(mmap.MADV_HUGEPAGE)
    except OSError:
        return torch.empty(count)
    whole = torch.frombuffer(block, dtype=torch.float32)
    skip = -whole.data_ptr() % _HUGE_PAGE // 4
    return whole[skip : skip + count]


class Workspace:
    """Named channels-last tensors whose memory is kept for the next time.

    Fresh memory costs more than the arithmetic on it: the system maps and clears every page of a large tensor again
    for every layer. A name asked for again gets the same memory, so it must no longer be in use.

    checkpoint: called between slabs; it may raise to end the computation.
    """

    def __init__(self) -> None:
        self.checkpoint: Callable[[], None] = _go_on
        self._memory: dict[str, Tensor] = {}

    def take(self, name: str, channels: int, size: tuple[int, int, int]) -> Tensor:
        """An uninitialised channels-last float32 (1, channels, z, y, x)."""
        count = channels * size[0] * size[1] * size[2]
        memory = self._memory.get(name)
        if memory is None or len(memory) < count:
            memory = allocate(count)
            self._memory[name] = memory
        return memory[:count].view(1, *size, channels).permute(0, 4, 1, 2, 3)

    def slabs(self, x: Tensor, multiple: int = 1) -> Iterator[tuple[int, int]]:
        """Ranges of planes (first, last) that go through x (1, C, z, y, x) in order, about SLAB_VALUES each.

        All but the last are a multiple of multiple planes. Calls checkpoint before each.
        """
        depth = x.shape[2]
        plane = x.shape[1] * x.shape[3] * x.shape[4]
        count = max(1, round(SLAB_VALUES / plane / multiple)) * multiple
        for first in range(0, depth, count):
            self.checkpoint()
            yield first, min(first + count, depth)

    def clear(self) -> None:
        """Release the memory."""
        self._memory.clear()


def rows(x: Tensor) -> Tensor:
    """A channels-last (1, C, z, y, x) as (voxels, C): the same memory."""
    return x.permute(0, 2, 3, 4, 1).reshape(-1, x.shape[1])


def join(first: Tensor, second: Tensor, out: Tensor) -> None:
    """Write the channels of first, then those of second, into out; all channels-last.

    Copies words of up to 16 bytes, because a copy of single values takes several times as long.
    """
    half = first.shape[1] * first.element_size()
    word = next(kind for size, kind in _WORDS if half % size == 0)
    target = rows(out).view(word).unflatten(1, (2, -1))
    target[:, 0].copy_(rows(first).view(word))
    target[:, 1].copy_(rows(second).view(word))


_WORDS = ((16, torch.complex128), (8, torch.int64), (4, torch.int32), (2, torch.int16))


def _go_on() -> None:
    pass
