"""Progress of a run in percent of its expected time, from the measured speed of each stage on this computer."""

from __future__ import annotations

from LightMedSegLib.core.progress import ProgressCallback

PARTS = ("search preparation", "search", "preparation", "network", "finish")
"""In this order; a run without a coarse search leaves the first two out."""

_FIRST_GUESS = {"preparation": 0.1, "network": 3.0, "restoration": 0.2, "finish": 0.1}
_GRAPHICS_CARD = 0.05
_GUESSED_MILLIONS = 2.0
"""A guess weighs as much as this many million measured voxels, because small volumes give unreliable times."""
_REMEMBERED_MILLIONS = 5.0


class Pace:
    """Seconds per million voxels for each kind of work on a device: first a guess, then measured."""

    def __init__(self, device: str):
        self._millions = dict.fromkeys(_FIRST_GUESS, _GUESSED_MILLIONS)
        self._seconds = {work: _GUESSED_MILLIONS * guess for work, guess in _FIRST_GUESS.items()}
        if device != "cpu":
            self._seconds["network"] *= _GRAPHICS_CARD

    def expected(self, work: str, voxels: float) -> float:
        """Expected seconds of this kind of work on this many voxels."""
        return self._seconds[work] / self._millions[work] * voxels / 1e6

    def learn(self, work: str, voxels: float, seconds: float) -> None:
        """Add a measured time for this many voxels; older measurements lose weight."""
        kept = min(1.0, _REMEMBERED_MILLIONS / self._millions[work])
        self._millions[work] = kept * self._millions[work] + voxels / 1e6
        self._seconds[work] = kept * self._seconds[work] + seconds


_paces: dict[str, Pace] = {}


def pace_of(device: str) -> Pace:
    """Return the speeds of a device ("cpu", "cuda:0"), shared by all runs of this process."""
    return _paces.setdefault(device, Pace(device))


class WorkPlan:
    """Combines the progress of the parts into that of the run; reported values rise and never repeat."""

    def __init__(self, report: ProgressCallback):
        self._report = report
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._told = (-1, "")

    def expect(self, part: str, seconds: float) -> None:
        """Set the expected seconds of one of PARTS; the reported progress never falls if the rest takes longer."""
        self._seconds[part] = seconds

    def at(self, part: str, share: float, message: str) -> None:
        """Report that the work is in one of PARTS, of which share (0 to 1) is done."""
        done = 0.0
        for name in PARTS:
            if name == part:
                done += min(max(share, 0.0), 1.0) * self._seconds[name]
                break
            done += self._seconds[name]
        total = sum(self._seconds.values())
        # 100 is for the end alone.
        self._tell(min(99, int(100 * done / total)) if total > 0 else 0, message)

    def end(self, message: str) -> None:
        """Report that everything is done."""
        self._tell(100, message)

    def _tell(self, percent: int, message: str) -> None:
        percent = max(percent, self._told[0])
        if (percent, message) != self._told:
            self._told = (percent, message)
            self._report(percent, 100, message)
