"""Backends: the interface of inference to a trained network on a device (modules, fast path, or CUDA graph)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from LightMedSegLib.core.labels import Swaps
from LightMedSegLib.core.pass_steps import PassSteps

Step = Callable[[], None]
"""A callback that is called repeatedly during a pass; it may raise to end it."""

Sink = Callable[[int, Tensor], None]
"""A callback for finished logits: index of their first plane, and (planes, y, x, classes), valid during the call."""


@runtime_checkable
class Backend(Protocol):
    """One implementation of a network on one device.

    total_stride: every size of the input is a multiple of it. steps: the step counts of its passes. same_batch:
    whether batches must keep one size, because another size costs more than a few windows.
    """

    total_stride: int
    steps: PassSteps
    same_batch: bool

    @property
    def explanation(self) -> str:
        """A sentence on implementation and precision for the log and the panel; "" for the network as trained."""

    def logits(self, x: Tensor, step: Step) -> Tensor:
        """Return the logits (B, classes, z, y, x), float32, of x (B, channels, z, y, x), valid until the next call.

        Raises what step raises, and torch's error when memory runs out.
        """

    def end_volume(self) -> None:
        """Release the memory that is kept between windows."""

    def release(self) -> None:
        """Release all memory that is kept for later passes, because it ran out or the device failed."""


@runtime_checkable
class StreamingBackend(Backend, Protocol):
    """A backend that needs no memory for the logits of a whole window."""

    def stream(self, x: Tensor, sink: Sink, step: Step, swaps: Swaps = ()) -> None:
        """Hand the logits of one window x (1, channels, z, y, x) to sink a few planes at a time; see logits.

        swaps: classes that change places in what is handed on.
        """

    def with_own_memory(self) -> StreamingBackend:
        """Return a backend that shares the weights and has memory of its own, for another thread."""


class ModuleBackend:
    """The backend of a network as trained, made of modules."""

    same_batch = False
    explanation = ""

    def __init__(self, network: nn.Module):
        self.total_stride = int(getattr(network, "total_stride", 1))
        # Every module is a step, for inputs of all sizes.
        self.steps = PassSteps(fixed=sum(1 for _ in network.modules()))
        self._network = network

    def logits(self, x: Tensor, step: Step) -> Tensor:
        """Return the logits, see Backend; step is called before every module."""
        with _before_each_module(self._network, step):
            logits: Tensor = self._network(x).float()
        return logits

    def end_volume(self) -> None:
        """Keep nothing, give nothing back."""

    def release(self) -> None:
        """Keep nothing, give nothing back."""


def as_backend(network: nn.Module | Backend) -> Backend:
    """Return network itself if it is a backend, else a backend of its modules."""
    if isinstance(network, Backend):
        return network
    return ModuleBackend(network)


@contextmanager
def _before_each_module(network: nn.Module, step: Step) -> Iterator[None]:
    def look(_module: nn.Module, _inputs: Any) -> None:
        step()

    handles = [module.register_forward_pre_hook(look) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
