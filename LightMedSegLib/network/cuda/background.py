"""Compilation of the passes of a network in the background, one input size after the other."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from LightMedSegLib.core.errors import first_line
from LightMedSegLib.network.cuda.recording import Recording

Record = Callable[[], Recording]

USES_BEFORE = 3
"""An input size is compiled at its third use, because the sizes of many scans never recur."""

QUIET_SECONDS = 5.0
"""Pause in seconds before compiling, so that it does not delay the first result."""

_END_SECONDS = 30.0
_STOPPED = "it was stopped"

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class InputLayout:
    """The input layout that a pass is compiled for."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @classmethod
    def of(cls, x: Tensor) -> InputLayout:
        """The layout of x."""
        return cls(tuple(x.shape), tuple(x.stride()))


class BackgroundCompiler:
    """Offers CUDA graphs of the compiled pass for the layouts that recur.

    Args:
        warm: (layout, stop) -> why it cannot be compiled, "" where it can; compiles in another process, so that
            load finds everything on disk. Returns soon after stop is set.
        load: layout -> function that captures the compiled pass. Both run in one thread of this process, the function
            while the caller of offered waits, because nothing else may use the device during a capture.
        quiet_seconds: pause before anything is started.
    """

    def __init__(
        self,
        warm: Callable[[InputLayout, threading.Event], str],
        load: Callable[[InputLayout], Record],
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._warm, self._load, self._quiet_seconds = warm, load, quiet_seconds
        self._uses: Counter[InputLayout] = Counter()
        self._reasons: dict[InputLayout, str] = {}
        self._adopted: list[InputLayout] = []
        self._loaded: InputLayout | None = None
        self._recorded: Recording | None = None
        self._go_on, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        _alive.add(self)

    @property
    def busy(self) -> bool:
        """Whether a pass is being compiled or loaded."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def state(self) -> str:
        """Return the state in a few words."""
        if self._adopted:
            sizes = " and ".join("x".join(map(str, layout.shape)) for layout in self._adopted)
            return f"it is compiled for inputs of {sizes}"
        if self.busy:
            return "a compiled form is being prepared in the background"
        if self._reasons:
            return f"it is not compiled: {next(reversed(self._reasons.values()))}"
        if self._stop.is_set():
            return f"it is not compiled: {_STOPPED}"
        return "it is compiled once a size of input recurs"

    def offered(self, x: Tensor) -> Recording | None:
        """Return the CUDA graph of the compiled pass for inputs like x, once; None if there is none (yet)."""
        layout = InputLayout.of(x)
        if self._loaded == layout and self._thread is not None:
            self._go_on.set()
            self._thread.join()
            self._loaded = None
            recorded, self._recorded = self._recorded, None
            return recorded
        self._uses[layout] += 1
        recurs = self._uses[layout] >= USES_BEFORE and layout not in self._reasons
        if recurs and not self.busy and not self._stop.is_set():
            self._go_on.clear()
            self._thread = threading.Thread(target=self._compile, args=(layout,), name="compiler", daemon=True)
            self._thread.start()
        return None

    def adopt(self, x: Tensor) -> None:
        """Store that the CUDA graph offered for inputs like x is in use."""
        layout = InputLayout.of(x)
        if layout not in self._adopted:
            self._adopted.append(layout)

    def refuse(self, x: Tensor, reason: str) -> None:
        """Store why the CUDA graph offered for inputs like x is not used; none is made for them again."""
        self._reasons[InputLayout.of(x)] = reason

    def close(self, wait_seconds: float = 0.0) -> None:
        """Start no further compilation, end the other process, and wait for what this process is loading.

        An offered CUDA graph counts as rejected.
        """
        self._stop.set()
        self._go_on.set()
        self._adopted.clear()
        if self._thread is not None and wait_seconds > 0:
            self._thread.join(wait_seconds)

    def _compile(self, layout: InputLayout) -> None:
        reason = ""
        try:
            if not self._stop.wait(self._quiet_seconds):
                with _one_at_a_time:
                    reason = self._warm(layout, self._stop)
                    record = None if reason or self._stop.is_set() else self._load(layout)
                if record is not None:
                    self._loaded = layout
                    self._go_on.wait()
                if record is not None and not self._stop.is_set():
                    self._recorded = record()
                    return
        except Exception as error:  # compilers fail in many ways; the network runs without them
            reason = first_line(error)
        self._reasons[layout] = reason or _STOPPED


_alive: weakref.WeakSet[BackgroundCompiler] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """End all compilers: a thread that is inside torch when the interpreter ends would bring the program down."""
    alive = list(_alive)
    for compiler in alive:
        compiler.close()
    for compiler in alive:
        compiler.close(_END_SECONDS)
