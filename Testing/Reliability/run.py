"""All rows of Documentation/reliability.md, one after the other; the table of results is written as they end.

Usage: python Testing/Reliability/run.py [--short] [--only geometry] [--output reliability-output]

The long form takes about an hour on two processor cores, and tries more when it is run as root on Linux
(full and read-only disks, other users, a closed network).
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Reliability.surroundings import child_environment
from Reliability.tally import DEFAULT_OUTPUT


@dataclass(frozen=True)
class Row:
    """A script and the count of its short form; the long one is the script's own."""

    name: str
    short: int


ROWS = (
    Row("geometry", 100),
    Row("model_packages", 10),
    Row("image_files", 60),
    Row("contradictions", 80),
    Row("faults", 0),
    Row("soak", 14),
    Row("privacy", 0),
    Row("scene_actions", 3),
    Row("finetune_kill", 1),
    Row("compatibility", 0),
)


def main() -> int:
    """Run the rows, each in a process of its own, so that none disturbs another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true", help="what the tests run: about a minute")
    parser.add_argument("--only", action="append", choices=[row.name for row in ROWS], help="may be given repeatedly")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT)
    chosen = parser.parse_args()
    failed = []
    for row in ROWS:
        if chosen.only and row.name not in chosen.only:
            continue
        count = row.short if chosen.short else importlib.import_module(f"Reliability.{row.name}").COUNT
        script = Path(__file__).with_name(f"{row.name}.py")
        options = ["--count", str(count), "--seed", str(chosen.seed), "--output", str(chosen.output)]
        done = subprocess.run([sys.executable, str(script), *options], env=child_environment(), check=False)
        failed += [row.name] if done.returncode else []
    print(f"Failed: {', '.join(failed)}" if failed else f"Nothing failed; see {chosen.output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
