"""The network on a device: batches of windows in, logits out, small enough for the device's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.core.labels import Swaps
from LightMedSegLib.core.out_of_memory import is_out_of_memory
from LightMedSegLib.core.pass_steps import Pass
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.aggregation import mirror_flips, mirrored_mean
from LightMedSegLib.inference.sliding_window.window_stream import WindowStream
from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.network.backend import Backend, Step, StreamingBackend, as_backend
from LightMedSegLib.network.cuda.settings import repeatable_convolutions
from LightMedSegLib.network.memory_format import fastest_format

CUDA_BATCH = 4
"""Windows a CUDA device gets at a time to begin with; the CPU computes one after the other just as fast."""


class Predictor:
    """Callable: float32 array or tensor (B, channels, z, y, x) -> float32 logits (B, classes, z, y, x) on the device.

    Args:
        network: a backend, or modules in evaluation mode, already on the device.
        device: torch's name of it.
        mirror: axes ("x", "y", "z" of the array) whose mirror images are predicted too; all of them are averaged.
        cancel: looked at before every layer, so that even a slow window stops soon.
        swaps: classes that change places in a mirror image along x.

    on_share is called with the share (0 to 1) of the present batch that is done. shifts: the layout's mirror_shifts.
    stream: a way to logits that needs less time and memory; None where the backend or a mirror image along z has none.
    """

    def __init__(
        self,
        network: torch.nn.Module | Backend,
        device: str = "cpu",
        mirror: Sequence[str] = (),
        cancel: CancelToken | None = None,
        swaps: Swaps = (),
    ):
        self._backend = as_backend(network)
        self.device = device
        self.batch = CUDA_BATCH if device.startswith("cuda") else 1
        self.cancel = cancel or CancelToken()
        self.on_share: Callable[[float], None] = lambda share: None
        self.shifts: Shape = (0, 0, 0)
        self._flips = mirror_flips(mirror, swaps)
        self.stream = self._window_stream()

    @property
    def total_stride(self) -> int:
        """Every spatial size of a batch must be a multiple of this."""
        return self._backend.total_stride

    def __call__(self, batch: NDArray[np.float32] | torch.Tensor) -> torch.Tensor:
        """Logits of batch, valid until the next call.

        Raises CancelledError once cancel is set, and torch's error when memory runs out.
        """
        x = torch.as_tensor(batch).to(self.device).contiguous(memory_format=fastest_format(self.device))
        with torch.inference_mode(), ExitStack() as stack:
            if self.device.startswith("cuda"):
                stack.enter_context(repeatable_convolutions())
            logits = mirrored_mean(self._pass, x, self._flips, self.shifts)
            if self.device.startswith("cuda"):
                torch.cuda.synchronize(self.device)
        return logits

    def _pass(self, x: torch.Tensor, number: int) -> torch.Tensor:
        """The logits, float32, of the mirror image with that number (0: the original)."""
        current = self._backend.steps.begin(tuple(x.shape), partial(self._share, number))
        logits = self._backend.logits(x, self._step(current))
        current.end()
        return logits

    def _share(self, number: int, share: float) -> None:
        self.on_share((number + share) / len(self._flips))

    def _step(self, current: Pass) -> Step:
        def step() -> None:
            self.cancel.raise_if_cancelled()
            current.step()

        return step

    def _window_stream(self) -> WindowStream | None:
        along_z = any(2 in flip.dimensions for flip in self._flips)
        if along_z or not isinstance(self._backend, StreamingBackend):
            return None
        return WindowStream(self._backend, self._flips, self.cancel)

    def end_volume(self) -> None:
        """Give memory back that the network keeps for the next window."""
        self._backend.end_volume()
        if self.stream is not None:
            self.stream.end_volume()

    def in_batches(self, windows: Sequence[NDArray[np.float32]]) -> Iterator[torch.Tensor]:
        """Logits (classes, z, y, x) of each window (channels, z, y, x), in order, as many at once as memory allows.

        Each is valid until the next is requested. Halves the batch when memory runs out, and keeps it so; with a batch
        of one torch's error is raised.
        """
        done = 0
        while done < len(windows):
            part = list(windows[done : done + self.batch])
            if self._backend.same_batch and len(windows) >= self.batch:
                part += [part[-1]] * (self.batch - len(part))
            try:
                logits = self(np.stack(part))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._backend.release()
                if self.batch == 1:
                    raise
                self.batch //= 2
            else:
                yield from logits[: len(windows) - done]
                done += len(logits)
