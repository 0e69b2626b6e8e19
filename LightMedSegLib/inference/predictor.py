"""The network on a device: batches of windows in, logits out, small enough for the device's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.core.out_of_memory import is_out_of_memory
from LightMedSegLib.core.pass_steps import PassSteps
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.aggregation import mirror_flips, mirrored_mean
from LightMedSegLib.network.cpu import FastLightMedSeg, Sink, logits_memory
from LightMedSegLib.network.cuda.network import RecordedNetwork
from LightMedSegLib.network.cuda.settings import repeatable_convolutions

CUDA_BATCH = 4
"""Windows a CUDA device gets at a time to begin with; the CPU computes one after the other just as fast."""


class Predictor:
    """Callable: float32 array (B, channels, z, y, x) -> float32 logits (B, classes, z, y, x) on the device.

    Args:
        network: in evaluation mode, already on the device.
        device: torch's name of it.
        mirror: axes ("x", "y", "z" of the array) whose mirror images are predicted too; all of them are averaged.
        cancel: looked at before every layer, so that even a slow window stops soon.
        steps: what is known of passes of this network; kept by the caller, the first window has its progress as well.

    on_share is called with the share (0 to 1) of the present batch that is done.
    """

    def __init__(
        self,
        network: torch.nn.Module | RecordedNetwork,
        device: str = "cpu",
        mirror: Sequence[str] = (),
        cancel: CancelToken | None = None,
        steps: PassSteps | None = None,
    ):
        self.network = network
        self.device = device
        self.batch = CUDA_BATCH if device.startswith("cuda") else 1
        self.cancel = cancel or CancelToken()
        self.on_share: Callable[[float], None] = lambda share: None
        self._steps = steps or steps_of(network)
        self._memory: torch.Tensor | None = None
        self._flips = mirror_flips(mirror)

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
            logits = mirrored_mean(self._pass, x, self._flips)
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
        x = torch.from_numpy(window)[None]
        current = self._steps.begin(tuple(x.shape), self.on_share)

        def step() -> None:
            self.cancel.raise_if_cancelled()
            current.step()

        cast(FastLightMedSeg, self.network).label(x, sink, step)
        current.end()

    def _pass(self, x: torch.Tensor, number: int) -> torch.Tensor:
        """The logits, float32, of the mirror image with that number (0: the original)."""
        passes = len(self._flips)
        if isinstance(self.network, RecordedNetwork):
            self.cancel.raise_if_cancelled()
            logits = self.network(x).float()
            # The next mirror image overwrites them.
            return logits.clone() if number == 0 and passes > 1 else logits
        current = self._steps.begin(tuple(x.shape), lambda share: self.on_share((number + share) / passes))

        def step() -> None:
            self.cancel.raise_if_cancelled()
            current.step()

        if isinstance(self.network, FastLightMedSeg):
            logits = self.network(x, out=None if number else self._reusable(x), checkpoint=step)
        else:
            with _watched(self.network, step):
                logits = self.network(x).float()
        current.end()
        return cast(torch.Tensor, logits)

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
                # Another size of the last batch would need another recording, which takes longer than a few windows.
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


def steps_of(network: torch.nn.Module | RecordedNetwork) -> PassSteps:
    """How the steps of a network are counted: those of a network of modules do not depend on the size of the input."""
    if isinstance(network, (FastLightMedSeg, RecordedNetwork)):
        return PassSteps()
    return PassSteps(fixed=sum(1 for _ in network.modules()))


@contextmanager
def _watched(network: torch.nn.Module, step: Callable[[], None]) -> Iterator[None]:
    def look(_module: torch.nn.Module, _inputs: Any) -> None:
        step()

    handles = [module.register_forward_pre_hook(look) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
