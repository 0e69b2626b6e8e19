"""What a row tried and what went wrong, the table of results, and the rows' common command line."""

from __future__ import annotations

import argparse
import csv
import datetime
import platform
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_OUTPUT = Path("reliability-output")
TABLE = "results.csv"
COLUMNS = ("row", "tried", "failures", "outcomes", "seconds", "command", "date", "python", "system")


@dataclass
class Tally:
    """tried: attempts. outcomes: how many attempts ended in which way. failures: one text for each that went wrong."""

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def passed(self, outcome: str) -> None:
        """One attempt ended in an allowed way."""
        self.tried += 1
        self.outcomes[outcome] += 1

    def failed(self, text: str) -> None:
        """One attempt went wrong."""
        self.tried += 1
        self.failures.append(text)

    def expect(self, holds: bool, text: str, detail: str = "") -> bool:
        """One attempt, which passed if holds.

        text: what was expected, after the kind of attempt and a colon. detail: what was found instead.
        """
        if holds:
            self.passed(text.split(":")[0].split(",")[0])
        else:
            self.failed("\n".join(filter(None, (f"not so: {text}", detail))))
        return holds

    def add(self, other: Tally) -> None:
        """Take another tally's attempts over."""
        self.tried += other.tried
        self.outcomes.update(other.outcomes)
        self.failures += other.failures

    @property
    def summary(self) -> str:
        """Numbers in words."""
        return f"{self.tried} tried, {len(self.failures)} failures"


Check = Callable[[int, int], Tally]
"""check(count, seed): about count attempts, the same for the same seed."""


def record(output: Path, row: str, tally: Tally, seconds: float, command: str) -> None:
    """Replace the row's line of the table in the folder output, and write its failures beside it."""
    output.mkdir(parents=True, exist_ok=True)
    table = output / TABLE
    lines = []
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as stream:
            lines = [line for line in csv.DictReader(stream) if line["row"] != row]
    outcomes = "; ".join(f"{name}: {count}" for name, count in sorted(tally.outcomes.items()))
    values = (
        row, tally.tried, len(tally.failures), outcomes, f"{seconds:.0f}", command,
        datetime.date.today().isoformat(), platform.python_version(), platform.system(),
    )  # fmt: skip
    lines.append(dict(zip(COLUMNS, map(str, values), strict=True)))
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(lines, key=lambda line: line["row"]))
    failures = output / f"{row}-failures.txt"
    failures.unlink(missing_ok=True)
    if tally.failures:
        failures.write_text("\n\n".join(tally.failures) + "\n", encoding="utf-8")


def run_row(row: str, check: Check, count: int, seed: int, output: Path) -> bool:
    """Run one row, print a line, record it; True if nothing failed."""
    started = time.perf_counter()
    tally = check(count, seed)
    seconds = time.perf_counter() - started
    record(output, row, tally, seconds, f"python Testing/Reliability/{row}.py --count {count} --seed {seed}")
    print(f"{row}: {tally.summary} ({seconds:.0f} s)", flush=True)
    for text in tally.failures[:5]:
        print(f"  {text.strip().splitlines()[0][:200]}")
    return not tally.failures


def main(row: str, check: Check, default_count: int) -> int:
    """The command line of a row's script; the exit code says whether nothing failed."""
    parser = argparse.ArgumentParser(prog=f"{row}.py")
    parser.add_argument("--count", type=int, default=default_count, help=f"attempts (default {default_count})")
    parser.add_argument("--seed", type=int, default=1, help="other seeds try other inputs (default 1)")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="folder for the table of results")
    arguments = parser.parse_args()
    return 0 if run_row(row, check, arguments.count, arguments.seed, arguments.output) else 1
