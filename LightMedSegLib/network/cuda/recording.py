"""A pass of the network over inputs of one shape, captured as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UP = 2


class Recording:
    """Callable: an input shaped as the first one -> its logits, kept until the next call.

    Args:
        run: the pass to capture.
        x: an input on the device; later inputs are copied into the memory of a copy of it.
        compiled: whether run is compiled.

    Raises RuntimeError for a pass that cannot be captured, torch's error when memory runs out.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], x: Tensor, compiled: bool = False) -> None:
        self.compiled = compiled
        self.source = x.clone()
        side = torch.cuda.Stream(x.device)
        side.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                run(self.source)
        torch.cuda.current_stream(x.device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads of the application may use the device at the same time: capture only the calls of this one.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._logits = run(self.source)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the logits of x."""
        self.source.copy_(x)
        self._graph.replay()
        return self._logits
