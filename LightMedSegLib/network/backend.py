"""A trained network ready on a device, as inference sees it, whatever its form: modules, rewritten, or recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from LightMedSegLib.core.pass_steps import PassSteps

Step = Callable[[], None]
"""Called again and again during a pass; it may raise to end it."""

Sink = Callable[[int, Tensor], None]
"""Takes finished logits: the number of their first plane, and (planes, y, x, classes), valid during the call."""


@runtime_checkable
class Backend(Protocol):
    """One form of a network on one device.

    total_stride: divides every size of the input. steps: what is known of the steps of its passes.
    same_batch: whether another number of windows at a time costs more than a few windows, and is avoided.
    """

    total_stride: int
    steps: PassSteps
    same_batch: bool

    @property
    def explanation(self) -> str:
        """A sentence on how it runs, and in which precision, for the log and the panel; "" where it runs as trained."""

    def logits(self, x: Tensor, step: Step) -> Tensor:
        """Logits (B, classes, z, y, x), float32, of x (B, channels, z, y, x) on the device, until the next call.

        Raises what step raises, and torch's error when memory runs out.
        """

    def end_volume(self) -> None:
        """Give back memory that is kept from window to window."""

    def release(self) -> None:
        """Give back all memory that is kept for later passes: it ran out, or the device failed."""


@runtime_checkable
class StreamingBackend(Backend, Protocol):
    """A form that needs no memory for the logits of a whole window."""

    def stream(self, x: Tensor, sink: Sink, step: Step) -> None:
        """Hand the logits of one window x (1, channels, z, y, x) to sink a few planes at a time; see logits."""


class ModuleBackend:
    """A network of modules as it was trained."""

    same_batch = False
    explanation = ""

    def __init__(self, network: nn.Module):
        self.total_stride = int(getattr(network, "total_stride", 1))
        # Every module is a step, for inputs of all sizes.
        self.steps = PassSteps(fixed=sum(1 for _ in network.modules()))
        self._network = network

    def logits(self, x: Tensor, step: Step) -> Tensor:
        """See Backend; step is called before every module."""
        with _before_each_module(self._network, step):
            logits: Tensor = self._network(x).float()
        return logits

    def end_volume(self) -> None:
        """Keep nothing, give nothing back."""

    def release(self) -> None:
        """Keep nothing, give nothing back."""


def as_backend(network: nn.Module | Backend) -> Backend:
    """Return network itself if it is a backend, else one of its modules."""
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
