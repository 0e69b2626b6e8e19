"""Time our network and engine against others on this machine; writes CSV files, a Markdown report and a plot.

Usage: python Testing/Benchmarks/run.py [--quick] [--device cuda] [--threads 2] [--output benchmark-output]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from end_to_end import end_to_end_rows, growth_rows, training_rows
from machine import facts
from network_table import network_rows
from report import markdown, plot, write_csv

from LightMedSegLib.network.cpu.choice import choose_cpu_path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="96 voxels cubed only, fewer networks: a few minutes")
    parser.add_argument("--edge", type=int, action="append", help="voxels along each side; may be repeated")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5, help="timed turns of every network")
    parser.add_argument(
        "--memory",
        action="store_true",
        help="measure peak memory too, one process per network; on a processor on Linux only",
    )
    parser.add_argument("--only", choices=("networks", "scans", "growth", "training"), action="append")
    parser.add_argument("--output", type=Path, default=Path("benchmark-output"))
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="monai")
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        print("This machine has no CUDA device.", file=sys.stderr)
        return 2
    torch.set_num_threads(arguments.threads)
    started = time.perf_counter()
    arguments.output.mkdir(parents=True, exist_ok=True)
    wanted = arguments.only or ("networks", "scans", "growth", "training")
    quick, device, rounds = arguments.quick, arguments.device, arguments.rounds
    machine = facts(device) | {"processor_path": choose_cpu_path().explanation}
    (arguments.output / "machine.json").write_text(json.dumps(machine, indent=2), encoding="utf-8")
    print(json.dumps(machine, indent=2))
    tables = {}
    if "networks" in wanted:
        edges = arguments.edge or ((96,) if quick else (96, 128))
        tables["networks"] = network_rows(edges, device, machine, rounds, quick, arguments.memory)
        plot(arguments.output / "networks.png", tables["networks"])
    if "scans" in wanted:
        tables["scans"] = end_to_end_rows(device, rounds, quick)
    if "growth" in wanted:
        tables["growth"] = growth_rows(rounds, quick)
    if "training" in wanted:
        tables["training"] = training_rows(rounds)
    sections = ["# Benchmark", "```json\n" + json.dumps(machine, indent=2) + "\n```"]
    for name, rows in tables.items():
        write_csv(arguments.output / f"{name}.csv", rows)
        sections.append(f"## {name.capitalize()}\n\n{markdown(rows)}")
    (arguments.output / "report.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    print(f"\n{arguments.output / 'report.md'}, {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
