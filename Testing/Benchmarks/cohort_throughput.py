"""Throughput of folders of scans: one job, two jobs, a Dask cluster of two workers, and a worker killed in the middle.

    python Testing/Benchmarks/cohort_throughput.py --data hippocampus-t1-mr=FOLDER --data headneck-oar-ct=FOLDER \\
        [--cases 20] [--workers 2] [--output FOLDER]

Runs the command lightmedseg segment on the first cases of each folder, on a processor. Its whole time counts, with
importing and loading; before, all files are read, so that they are in the system's cache, and the first case of each
folder is segmented without being counted. Workers are killed with the scans of the first folder only. All labels are
compared with those of one job. Writes cohorts.csv, and cohort-curve.csv and .png: scans an hour to 64 workers,
simulated from the seconds of each scan with one job, with the measured seconds that each executor is busy for a task.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import SimpleITK as sitk  # noqa: E402
from cohort_simulation import curve, plot_curve  # noqa: E402
from distributed import LocalCluster  # noqa: E402
from report import markdown, write_csv  # noqa: E402

from LightMedSegLib.cohorts.executors import Executor  # noqa: E402
from LightMedSegLib.cohorts.executors.dask import DaskCluster  # noqa: E402
from LightMedSegLib.cohorts.executors.processes import Processes  # noqa: E402
from LightMedSegLib.cohorts.executors.starting import PRELOADED  # noqa: E402
from LightMedSegLib.cohorts.model_reference import ModelReference  # noqa: E402
from LightMedSegLib.cohorts.sharing import Share  # noqa: E402
from LightMedSegLib.cohorts.task import ScanTask  # noqa: E402
from LightMedSegLib.core.progress import CancelToken  # noqa: E402
from LightMedSegLib.inference.options import SegmentOptions  # noqa: E402
from LightMedSegLib.io.scan_folders import Scan  # noqa: E402
from LightMedSegLib.model.store import resolve_model  # noqa: E402

EMPTY_TASKS = 500
SIMULATED_SCANS = 2000


@dataclass
class Run:
    """One run of the command: its seconds, the seconds at which results were told, and the states in its report."""

    seconds: float
    told: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)


def run(model: str, scans: Path, output: Path, words: list[str], kill: Callable[[int], None] | None = None) -> Run:
    """Run the command; kill is called with its process once a third of the scans are told."""
    report = output.with_suffix(".json")
    command = [sys.executable, "-m", "LightMedSegLib", "segment", str(scans), str(output), "--model", model]
    began, told, third = time.perf_counter(), [], len(list(scans.iterdir())) // 3
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--json", str(report), *words], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    for line in process.stdout:
        if ": segmented" in line:
            told.append(time.perf_counter() - began)
            if kill and len(told) == max(1, third):
                kill(process.pid)
    if process.wait():
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
    states = [row["state"] for row in json.loads(report.read_text(encoding="utf-8"))["scans"]]
    return Run(time.perf_counter() - began, told, states)


def kill_a_job(process: int) -> None:
    """Kill one of the workers of a command: a child of the child that they are copied from, or of the command."""
    servers = [child for child, words in children(process) if "multiprocessing.forkserver" in words]
    workers = [child for server in servers for child, _ in children(server)]
    workers += [child for child, words in children(process) if "spawn_main" in words]
    os.kill(workers[0], signal.SIGKILL)


def children(process: int) -> list[tuple[int, str]]:
    """Number and words of each child of a process."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(process)], capture_output=True, text=True)
    return [(int(line.split()[0]), line) for line in listed.stdout.splitlines()]


def different(one: Path, other: Path) -> int:
    """How many results of one folder are missing or have other labels in the other."""
    count = 0
    for path in one.glob("*.nii.gz"):
        if not (other / path.name).exists():
            count += 1
            continue
        arrays = [sitk.GetArrayFromImage(sitk.ReadImage(str(folder / path.name))) for folder in (one, other)]
        count += bool((arrays[0] != arrays[1]).any())
    return count


def overhead(executor: Executor, task: ScanTask) -> float:
    """Seconds between reports of tasks whose result exists: what an executor is busy for a task."""
    times = [time.perf_counter() for _ in executor.run([task] * EMPTY_TASKS, lambda *_: None, CancelToken())]
    assert len(times) == EMPTY_TASKS
    return (times[-1] - times[0]) / (EMPTY_TASKS - 1)


def measure(
    model: str, scans: Path, folder: Path, workers: int, cluster: LocalCluster, kills: bool
) -> tuple[list[Any], Run]:
    """Rows of all ways for one folder of scans, with killed workers if asked for, and the run of one job."""
    jobs, dask = ["--jobs", str(workers)], ["--dask", cluster.scheduler_address]

    def kill_a_dask_worker(_: int) -> None:
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

    ways: list[tuple[str, list[str], Callable[[int], None] | None]] = [
        ("one job", [], None),
        (f"--jobs {workers}", jobs, None),
        (f"Dask, {workers} workers", dask, None),
    ]
    if kills:
        ways += [
            (f"--jobs {workers}, one killed", jobs, kill_a_job),
            (f"Dask, {workers} workers, one killed", dask, kill_a_dask_worker),
        ]
    (folder / model).mkdir()
    run(model, linked(scans, folder / "first" / model, 1), folder / model / "not-counted", [])
    for path in scans.iterdir():
        path.read_bytes()
    rows, runs = [], {}
    for way, words, kill in ways:
        output = folder / model / way.replace(" ", "-").replace(",", "")
        done = runs[way] = run(model, scans, output, words, kill)
        alone = runs["one job"]
        rows.append(
            {
                "model": model,
                "way": way,
                "scans": len(done.states),
                "segmented": done.states.count("segmented"),
                "other_labels": different(folder / model / "one-job", output),
                "seconds": round(done.seconds, 1),
                "scans_a_minute": round(60 * len(done.states) / done.seconds, 2),
                "times_one_job": round(alone.seconds / done.seconds, 2),
            }
        )
        print(rows[-1], flush=True)
    return rows, runs["one job"]


def linked(source: Path, folder: Path, cases: int) -> Path:
    """A folder with links to the first cases of another."""
    folder.mkdir(parents=True)
    for path in sorted(source.iterdir())[:cases]:
        (folder / path.name).symlink_to(path.resolve())
    return folder


def together(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of every way that all models have, added up over the models."""
    every = [row["way"] for row in rows]
    ways = [way for way in dict.fromkeys(every) if every.count(way) == every.count("one job")]
    sums = {
        way: {key: sum(row[key] for row in rows if row["way"] == way) for key in
              ("scans", "segmented", "other_labels", "seconds")}
        for way in ways
    }  # fmt: skip
    alone = sums["one job"]["seconds"]
    return [
        {"model": "all", "way": way, **one, "seconds": round(one["seconds"], 1),
         "scans_a_minute": round(60 * one["scans"] / one["seconds"], 2),
         "times_one_job": round(alone / one["seconds"], 2)}
        for way, one in sums.items()
    ]  # fmt: skip


def main() -> int:
    """Measure, simulate, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, metavar="MODEL=FOLDER")
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path())
    chosen = parser.parse_args()
    rows, seconds, starts = [], [], []
    with (
        tempfile.TemporaryDirectory(prefix="lightmedseg-") as name,
        LocalCluster(
            n_workers=chosen.workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", preload=PRELOADED
        ) as cluster,
    ):
        # The first command measures how this computer is to compute; all others do the same, whatever else runs.
        os.environ["LIGHTMEDSEG_HOME"] = f"{name}/home"
        for words in chosen.data:
            model, _, source = words.partition("=")
            scans = linked(Path(source), Path(name) / "scans" / model, chosen.cases)
            own, alone = measure(model, scans, Path(name), chosen.workers, cluster, kills=not rows)
            rows += own
            # Between two results lies one scan, with its reading and writing.
            between = [late - early for early, late in zip(alone.told, alone.told[1:], strict=False)]
            seconds += between
            starts.append(alone.told[0] - statistics.mean(between))
        first = next((Path(name) / model / "one-job").glob("*.nii.gz"))
        task = ScanTask(
            Scan(first.name.removesuffix(".nii.gz"), (first,)), first.parent, ModelReference.of(resolve_model(model)),
            SegmentOptions(device="cpu", threads=1),
        )  # fmt: skip
        overheads = {
            "processes": overhead(Processes(Share(("cpu",) * chosen.workers, 1)), task),
            "Dask": overhead(DaskCluster(cluster.scheduler_address), task),
        }
    rows += together(rows)
    for executor, busy in overheads.items():
        print(f"{executor}: {1000 * busy:.2f} ms a task")
    simulated = curve(seconds, SIMULATED_SCANS, max(0.0, statistics.mean(starts)), overheads)
    chosen.output.mkdir(parents=True, exist_ok=True)
    write_csv(chosen.output / "cohorts.csv", rows)
    write_csv(chosen.output / "cohort-curve.csv", simulated)
    plot_curve(chosen.output / "cohort-curve.png", simulated)
    print(f"{markdown(rows)}\n\n{markdown(simulated)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
