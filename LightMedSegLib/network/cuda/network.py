"""The network on a CUDA device as a CUDA graph: the kernels of one pass, launched together.

A light network runs about a thousand small kernels, and launching them one by one takes longer than running them: a
CUDA graph of the pass is replayed instead. Convolutions run in half precision, whose float16 has three more mantissa
bits than bfloat16; sums stay float32 inside them and inside normalisations. If a compiled form of the pass is offered,
its CUDA graph replaces the first one, provided that both compute the same.
"""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn

from LightMedSegLib.core.pass_steps import PassSteps
from LightMedSegLib.network.backend import Step
from LightMedSegLib.network.cuda.agreement import disagreement
from LightMedSegLib.network.cuda.background import BackgroundCompiler
from LightMedSegLib.network.cuda.network_pass import NetworkPass
from LightMedSegLib.network.cuda.recording import Recording

_SHAPES_KEPT = 2


class RecordedNetwork:
    """Callable: (B, channels, z, y, x) on the device -> float32 logits (B, classes, z, y, x), kept until the next call.

    A backend (see LightMedSegLib.network.backend), which prefers batches of one size: another one needs a recording of
    its own.

    The first call with a shape captures a CUDA graph, later ones replay it. Other passes run plainly.

    Args:
        network: a trained network in evaluation mode on a CUDA device.
        precision: "float32", "float16" or "bfloat16".
        compiler: offers compiled forms of the pass.
        why_not_compiled: the reason in a few words where there is no compiler.
    """

    same_batch = True

    def __init__(
        self,
        network: nn.Module,
        precision: str,
        compiler: BackgroundCompiler | None = None,
        why_not_compiled: str = "",
    ):
        self.network = network
        self.steps = PassSteps()
        self.total_stride = int(getattr(network, "total_stride", 1))
        self._precision = precision
        self._pass = NetworkPass(network, precision)
        self._compiler = compiler
        if compiler is not None:
            # Its thread may wait for a next call, and would keep the network on the device.
            weakref.finalize(self, compiler.close).atexit = False
        self._why_not_compiled = why_not_compiled
        self._recordings: dict[tuple[int, ...], Recording] = {}
        self._plain = False

    @property
    def explanation(self) -> str:
        """A sentence for the log and the panel."""
        if self._plain:
            return f"The network runs on CUDA in {self._precision}; it could not be captured as a CUDA graph."
        state = f"it is not compiled: {self._why_not_compiled}" if self._why_not_compiled else ""
        if self._compiler is not None:
            state = self._compiler.state
        return f"The network runs on CUDA as a CUDA graph in {self._precision}{'; ' if state else ''}{state}."

    def __call__(self, x: Tensor) -> Tensor:
        """Return the logits of x. Raises torch's error when memory runs out."""
        if self._plain:
            return self._pass(x)
        shape = tuple(x.shape)
        if shape not in self._recordings:
            while len(self._recordings) >= _SHAPES_KEPT:
                self._recordings.pop(next(iter(self._recordings)))
            try:
                self._recordings[shape] = self._record(x)
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError:
                # Recording is an optimisation: what a driver or a layer does not allow is no reason to fail.
                # While the compiler's thread uses the device it may have been the cause, and the next try succeeds.
                self._plain = self._compiler is None or not self._compiler.busy
                return self._pass(x)
        recording = self._recordings[shape]
        if self._compiler is not None and not recording.compiled:
            offered = self._compiler.offered(recording.source)
            if offered is not None:
                recording = self._recordings[shape] = self._better(recording, offered, x, self._compiler)
        return recording(x)

    def logits(self, x: Tensor, step: Step) -> Tensor:
        """Return the logits of x; a pass is one step, which nothing can end once it began."""
        step()
        return self(x).float()

    def end_volume(self) -> None:
        """Keep the recordings: the next volume has windows of the same size."""

    def release(self) -> None:
        """Release the memory of the CUDA graphs, and stop compiling."""
        if self._compiler is not None:
            self._compiler.close()
        self._recordings.clear()

    def _record(self, x: Tensor) -> Recording:
        return Recording(self._pass, x)

    def _better(self, recording: Recording, candidate: Recording, x: Tensor, compiler: BackgroundCompiler) -> Recording:
        """Return candidate if it computes the same as recording, else recording."""
        try:
            problem = disagreement(candidate(x), recording(x))
        except torch.cuda.OutOfMemoryError:
            problem = "memory ran out"
        if problem:
            compiler.refuse(recording.source, problem)
            return recording
        compiler.adopt(recording.source)
        return candidate
