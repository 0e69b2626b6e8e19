"""The network on a device: batches of windows in, logits out, small enough for the device's memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import combinations
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.cuda.network import RecordedNetwork
from LightMedSegLib.cuda.settings import repeatable_convolutions
from LightMedSegLib.fast import FastLightMedSeg, Sink, logits_memory
from LightMedSegLib.progress import CancelToken

CUDA_BATCH = 4
"""Windows a CUDA device gets at a time to begin with; the CPU computes one after the other just as fast."""

_DIMENSIONS = {"z": 2, "y": 3, "x": 4}


class Predictor:
    """Callable: float32 array (B, channels, z, y, x) -> float32 logits (B, classes, z, y, x) on the device.

    Args:
        network: in evaluation mode, already on the device.
        device: torch's name of it.
        mirror: axes ("x", "y", "z" of the array) whose mirror images are predicted too; all of them are averaged.
        cancel: looked at before every layer, so that even a slow window stops soon.
    """

    def __init__(
        self,
        network: torch.nn.Module | RecordedNetwork,
        device: str = "cpu",
        mirror: Sequence[str] = (),
        cancel: CancelToken | None = None,
    ):
        self.network = network
        self.device = device
        self.batch = CUDA_BATCH if device.startswith("cuda") else 1
        self.cancel = cancel or CancelToken()
        self._memory: torch.Tensor | None = None
        dimensions = [_DIMENSIONS[axis] for axis in mirror]
        self._flips = [flip for count in range(len(dimensions) + 1) for flip in combinations(dimensions, count)]

    @property
    def total_stride(self) -> int:
        """Every spatial size of a batch must be a multiple of this."""
        return int(getattr(self.network, "total_stride", 1))

    def __call__(self, batch: NDArray[np.float32]) -> torch.Tensor:
        """Logits of batch, valid until the next call.

        Raises CancelledError once cancel is set, and torch's error when memory runs out.
        """
        x = torch.from_numpy(batch).to(self.device).contiguous(memory_format=torch.channels_last_3d)
        with torch.inference_mode(), ExitStack() as stack:
            if self.device.startswith("cuda"):
                stack.enter_context(repeatable_convolutions())
            if isinstance(self.network, FastLightMedSeg):
                network = partial(self.network, checkpoint=self.cancel.raise_if_cancelled)
                logits = network(x, out=self._reusable(x))
            elif isinstance(self.network, RecordedNetwork):
                self.cancel.raise_if_cancelled()
                network = partial(self.network)
                logits = network(x)
                if len(self._flips) > 1:
                    logits = logits.clone()
            else:
                network = partial(self.network)
                stack.enter_context(_cancellable(self.network, self.cancel))
                logits = network(x).float()
            for flip in self._flips[1:]:
                logits = logits + network(x.flip(flip)).float().flip(flip)
            if len(self._flips) > 1:
                logits = logits / len(self._flips)
            if self.device.startswith("cuda"):
                torch.cuda.synchronize(self.device)
        return logits

    @property
    def streams(self) -> bool:
        """Whether stream can be used: the processor path without mirror images, which need all logits at once."""
        return isinstance(self.network, FastLightMedSeg) and len(self._flips) == 1

    def stream(self, window: NDArray[np.float32], sink: Sink) -> None:
        """Hand the logits of one window (channels, z, y, x) to sink a few planes at a time.

        Raises CancelledError once cancel is set, and torch's error when memory runs out.
        """
        network = cast(FastLightMedSeg, self.network)
        network.label(torch.from_numpy(window)[None], sink, self.cancel.raise_if_cancelled)

    def release(self) -> None:
        """Give memory back that the network keeps for the next window."""
        self._memory = None
        if isinstance(self.network, FastLightMedSeg):
            self.network.release()

    def in_batches(self, windows: Sequence[NDArray[np.float32]]) -> Iterator[torch.Tensor]:
        """Logits (classes, z, y, x) of each window (channels, z, y, x), in order, as many at once as memory allows.

        Each is valid until the next is asked for. Halves the batch when memory runs out, and keeps it so; with a batch
        of one torch's error is raised.
        """
        done = 0
        while done < len(windows):
            part = list(windows[done : done + self.batch])
            if isinstance(self.network, RecordedNetwork) and len(windows) >= self.batch:
                # Another size of the last batch would be recorded anew, which takes longer than a few windows.
                part += [part[-1]] * (self.batch - len(part))
            try:
                logits = self(np.stack(part))
            except Exception as error:
                if isinstance(self.network, RecordedNetwork) and is_out_of_memory(error):
                    self.network.release()
                if self.batch == 1 or not is_out_of_memory(error):
                    raise
                self.batch //= 2
            else:
                yield from logits[: len(windows) - done]
                done += len(logits)

    def _reusable(self, x: torch.Tensor) -> torch.Tensor:
        """Memory for the logits of x, the same as for the last x if that had the same shape."""
        classes = cast(FastLightMedSeg, self.network).num_classes
        if self._memory is None or self._memory.shape != (len(x), classes, *x.shape[2:]):
            self._memory = logits_memory(x, classes)
        return self._memory


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, or a library below it, says that memory ran out."""
    text = str(error).lower()
    return isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError)
        and any(words in text for words in ("out of memory", "alloc_failed", "can't allocate memory"))
    )


@contextmanager
def _cancellable(network: torch.nn.Module, cancel: CancelToken) -> Iterator[None]:
    def look(_module: torch.nn.Module, _inputs: Any) -> None:
        cancel.raise_if_cancelled()

    handles = [module.register_forward_pre_hook(look) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
