"""Dice after 1, 3, 5 and 10 prompts of an automatic user: our promptable model and classical methods.

    python Testing/Benchmarks/interaction.py --data FOLDER --out OUT [--methods LightMedSeg "random walker" ...]

FOLDER holds the data sets that prompted/cases.json names. The user's first prompt is the object's deepest voxel, each
next one the deepest voxel of the method's error, included if it was missed and excluded if it is too much; a prompt is
a ball. All methods get prompts by this rule. OUT gets prompts.csv (a line for each structure, case and method),
prompts.md and prompts.png; rows of an earlier run are kept for methods that are not run now. --resume also keeps those
of methods that are run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import torch  # noqa: E402
from prompted.kept_rows import read_rows  # noqa: E402
from prompted.prompt_methods import METHODS, methods  # noqa: E402
from prompted.prompt_plot import plot  # noqa: E402
from prompted.prompt_rounds import Rounds, play  # noqa: E402
from prompted.prompt_table import goal_rows, summary  # noqa: E402
from prompted.prompted_cases import LIST, case_groups, read_scans  # noqa: E402
from report import markdown, write_csv  # noqa: E402

from LightMedSegLib.core.errors import LightMedSegError  # noqa: E402
from LightMedSegLib.interaction.completer import Completer  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Play all rounds, write and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, metavar="METHOD")
    parser.add_argument("--cases", type=Path, default=LIST, help="another list of cases")
    parser.add_argument("--model", default="interactive")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--resume", action="store_true", help="keep the rows of all methods that OUT has")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    path = chosen.out / "prompts.csv"
    groups = case_groups("prompts", chosen.cases)
    listed = {(g["group"], case, structure) for g in groups for case in g["cases"] for structure in g["structures"]}
    kept = [entry for entry in map(Rounds.of_row, read_rows(path)) if entry.key[:3] in listed]
    done = {entry.key: entry for entry in kept if chosen.resume or entry.method not in chosen.methods}
    starts = methods(Completer(chosen.model, chosen.device))
    try:
        for group in groups:
            for scan in read_scans(group, chosen.data):
                for structure, truth in scan.structures.items():
                    for name in chosen.methods:
                        key = (scan.group, scan.case, structure, name)
                        if key not in done:
                            done[key] = play(key, starts[name](scan.image, truth), truth, scan.grid)
                            print(*done[key].row().values(), flush=True)
                write_csv(path, [entry.row() for entry in _ordered(list(done.values()))])
    except LightMedSegError as error:
        print(f"interaction: {error}", file=sys.stderr)
        return 2
    rounds = _ordered(list(done.values()))
    titles = {group["group"]: group["title"] for group in groups}
    unseen = [group["group"] for group in groups if not group["trained_on"]]
    tables = [markdown(rows) for rows in (summary(rounds, titles), goal_rows(rounds, unseen)) if rows]
    (chosen.out / "prompts.md").write_text("\n\n".join(tables) + "\n", encoding="utf-8")
    plot(chosen.out / "prompts.png", rounds, titles)
    print("\n\n".join(tables))
    return 0


def _ordered(rounds: Sequence[Rounds]) -> list[Rounds]:
    """The rounds in the order of the methods; within a method as they were played."""
    return sorted(rounds, key=lambda entry: METHODS.index(entry.method))


if __name__ == "__main__":
    sys.exit(main())
