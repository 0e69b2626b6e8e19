"""Training curves of a run: a CSV table and a plot."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from LightMedSegLib.storage.atomic_files import atomic_write

CSV_FILE = "curves.csv"
PNG_FILE = "curves.png"
COLUMNS = (
    "step",
    "seconds",
    "loss",
    "learning_rate",
    "milliseconds_per_step",
    "gradient_norm",
    "largest_gradient_norm",
    "returned_to_step",
)
_MOST_CURVES = 12


class Curves:
    """Rows of COLUMNS, dice_mean and one Dice per label.

    The norms of the gradients, of the median and of the worst step, are those before clipping. returned_to_step is
    filled where the run diverged and went back to earlier weights, Dice at validations. Rows after the step that a
    run resumes from are dropped.
    """

    def __init__(self, folder: Path, label_names: Sequence[str], resume_step: int = 0) -> None:
        self._folder = folder
        self._dice = ["dice_mean", *(f"dice {name}" for name in label_names)]
        self._columns = [*COLUMNS, *self._dice]
        self.rows: list[dict[str, str]] = self._read(resume_step) if resume_step else []

    def add(self, step: int, **values: float) -> None:
        """Add numbers to the row of step; dice takes its columns' names with underscores kept."""
        if not self.rows or int(self.rows[-1]["step"]) != step:
            self.rows.append({"step": str(step)})
        self.rows[-1].update({name: f"{value:.6g}" for name, value in values.items()})

    def add_dice(self, step: int, mean: float, per_label: Sequence[float]) -> None:
        """Add a validation to the row of step."""
        self.add(step, dice_mean=mean, **dict(zip(self._dice[1:], per_label, strict=True)))

    def write(self) -> None:
        """Replace the CSV file."""
        path = self._folder / CSV_FILE
        with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, self._columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)

    def draw(self) -> bool:
        """Replace the PNG file; return False, without a plot, if matplotlib is not installed."""
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            return False
        figure = Figure(figsize=(10, 4), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        left.plot(*self._series("loss"))
        left.set(xlabel="step", ylabel="training loss", yscale="log")
        # The names of many labels would leave no room for the curves.
        shown = self._dice if len(self._dice) <= _MOST_CURVES else self._dice[:1]
        for column in shown:
            right.plot(*self._series(column), marker=".", label=column.removeprefix("dice "))
        right.set(xlabel="step", ylabel="validation Dice")
        for step in self._series("returned_to_step")[0]:
            left.axvline(step, color="tab:red", linestyle="--", linewidth=1)
        right.legend(fontsize="small")
        with atomic_write(self._folder / PNG_FILE) as temporary:
            figure.savefig(temporary, format="png", dpi=100)
        return True

    def _series(self, column: str) -> tuple[list[int], list[float]]:
        rows = [row for row in self.rows if row.get(column)]
        return [int(row["step"]) for row in rows], [float(row[column]) for row in rows]

    def _read(self, resume_step: int) -> list[dict[str, str]]:
        path = self._folder / CSV_FILE
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as stream:
            return [row for row in csv.DictReader(stream) if int(row["step"]) <= resume_step]
