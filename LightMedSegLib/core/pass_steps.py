"""Progress within one pass of a network, by its steps, whose number is known from earlier passes."""

from __future__ import annotations

from collections.abc import Callable

Shape = tuple[int, ...]

_STEPS_PER_MILLION = 90.0
_FEWEST = 30
_NEARLY = 0.97


class PassSteps:
    """Counts the steps of passes over inputs of the same or different shapes.

    fixed: the number of steps if it does not depend on the shape, such as the number of a network's modules; None if
    a step is work of constant size.
    """

    def __init__(self, fixed: int | None = None):
        self._fixed = fixed
        self._known: dict[Shape, int] = {}

    def begin(self, shape: Shape, on_share: Callable[[float], None]) -> Pass:
        """Return a pass over an input of that shape; it calls on_share at each step with the share that is done."""
        return Pass(self, shape, self.expected(shape), on_share)

    def expected(self, shape: Shape) -> float:
        """Return the number of steps: as counted before, else in proportion to the nearest size, else a guess."""
        if shape in self._known:
            return self._known[shape]
        if self._fixed is not None:
            return next(iter(self._known.values()), self._fixed)
        voxels = _voxels(shape)
        if not self._known:
            return max(_FEWEST, _STEPS_PER_MILLION * voxels / 1e6)
        nearest = min(self._known, key=lambda known: abs(_voxels(known) - voxels))
        return max(_FEWEST, self._known[nearest] * voxels / _voxels(nearest))

    def remember(self, shape: Shape, steps: int) -> None:
        """Store the number of steps of a complete pass over such an input."""
        self._known[shape] = steps


class Pass:
    """One pass: step() at every step, end() when it is complete."""

    def __init__(self, steps: PassSteps, shape: Shape, expected: float, on_share: Callable[[float], None]):
        self._steps, self._shape, self._expected, self._on_share = steps, shape, expected, on_share
        self._done = 0

    def step(self) -> None:
        """Count the start of a step, and report the share of the pass that is done."""
        # A pass with more steps than expected stays just below its end.
        self._on_share(min(_NEARLY, self._done / self._expected))
        self._done += 1

    def end(self) -> None:
        """Remember the number of steps: all are done."""
        self._steps.remember(self._shape, self._done)


def _voxels(shape: Shape) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
