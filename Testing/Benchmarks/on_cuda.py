"""Compare our network and nnU-Net's on a CUDA device, and time whole scans; prints and writes each row at once.

    python Testing/Benchmarks/on_cuda.py --output OUTPUT [--seconds 110]

Networks at 128 voxels cubed with 14 classes, then scans from image to labelmap (these need SimpleITK). DynUNet needs
MONAI. What is missing or fails is named and left out. Compiling runs in processes of their own, all at once, and beside
them the forms that are not compiled are timed a first time. What is not compiled in time is left out too. With
--device cpu --edge 64 it only shows that it works.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import torch  # noqa: E402
from cuda_forms import CLASSES, FORMS, Form, build, measured, prepared  # noqa: E402
from cuda_scans import Scan, scans  # noqa: E402

from LightMedSegLib.network.cuda.compilation import compile_pass, recorded  # noqa: E402
from LightMedSegLib.network.cuda.kept import private_task_folder, read_outcome, task_folder  # noqa: E402
from LightMedSegLib.network.cuda.settings import repeatable_convolutions  # noqa: E402
from LightMedSegLib.network.cuda.support import why_not_compiled  # noqa: E402
from LightMedSegLib.network.cuda.task import CompileTask  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
OURS = "lightmedseg, recorded, float16"
_AFTER_COMPILING = 45.0
_THREADS = 3


class Table:
    """Rows that are printed and written as they come."""

    def __init__(self, path: Path) -> None:
        self.rows: list[dict[str, Any]] = []
        self._path = path

    def add(self, row: dict[str, Any]) -> None:
        """Print row and write all rows."""
        self.rows.append(row)
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        with self._path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)


def attempt(what: str, work: Callable[[], None]) -> None:
    """Do work; say why where that fails, and go on."""
    started = time.perf_counter()
    try:
        work()
    except Exception as error:
        print(f"FAILED {what}: {type(error).__name__}: {str(error)[:400]}", flush=True)
        traceback.print_exc(limit=-4, file=sys.stdout)
    print(f"[{what}: {time.perf_counter() - started:.1f} s]", flush=True)


def plain_rows(table: Table, x: torch.Tensor, rounds: int, forms: Sequence[Form]) -> None:
    """The forms that need no compiler; nnU-Net's network may choose its fastest convolutions."""
    for form in forms:
        if form.recorded and not x.is_cuda:
            continue
        ours = form.network == "lightmedseg"
        with repeatable_convolutions(fastest=not ours):
            row = partial(measured, form.title, partial(prepared, form, x), x, rounds)
            attempt(form.title, lambda row=row: table.add(row()))


class Compiling:
    """Tasks, each compiled by a process of its own."""

    def __init__(self) -> None:
        self._processes: list[tuple[CompileTask, subprocess.Popen[bytes]]] = []

    def start(self, tasks: Sequence[CompileTask]) -> None:
        """Start compiling tasks."""
        for task in tasks:
            folder = private_task_folder(task.key)
            command = [sys.executable, "-m", "LightMedSegLib.network.cuda", task.to_json(), str(folder), str(_THREADS)]
            self._processes.append((task, subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)))

    def wait(self, seconds: float) -> list[CompileTask]:
        """Those done within seconds; the others are ended."""
        deadline = time.perf_counter() + seconds
        done = []
        for task, process in self._processes:
            try:
                process.wait(max(0.1, deadline - time.perf_counter()))
            except subprocess.TimeoutExpired:
                process.kill()
                print(f"NOT COMPILED IN TIME {task.shape}, {task.num_classes} classes", flush=True)
                continue
            outcome = read_outcome(task_folder(task.key))
            words = "compiled" if outcome is not None and not outcome.reason else "NOT COMPILED"
            print(f"{words} {task.shape}, {task.num_classes} classes: {outcome}, code {process.returncode}", flush=True)
            if words == "compiled":
                done.append(task)
        return done


def compiled_row(table: Table, task: CompileTask, x: torch.Tensor, rounds: int) -> None:
    """Ours compiled, loaded from what its process left on disk."""
    run = task.network_pass()
    started = time.perf_counter()
    with torch.inference_mode():
        compiled = compile_pass(run, task.sample(), task_folder(task.key))
    print(f"loaded what was compiled in {time.perf_counter() - started:.1f} s", flush=True)
    with repeatable_convolutions():
        title = "lightmedseg, recorded, compiled, float16"
        table.add(measured(title, lambda: recorded(compiled, x), x, rounds))
        with torch.inference_mode():
            found, expected = recorded(compiled, x)(x), run(x)
        error = float((found - expected).norm() / expected.norm())
        alike = float((found.argmax(1) == expected.argmax(1)).float().mean())
    print(f"compiled against plain float16: error {error:.2e}, labels alike {alike:.5f}", flush=True)


def ratios(rows: list[dict[str, Any]]) -> None:
    """Print the best form of DynUNet over each of ours."""
    best = next((row for row in rows if row["form"] == fastest_peer(rows)), None)
    if best is None:
        return
    print(f"best form of DynUNet: {best['form']}, {best['ms']} ms", flush=True)
    for row in rows:
        if not row["form"].startswith("DynUNet"):
            print(f"DynUNet's best over {row['form']}: {best['ms'] / row['ms']:.2f}", flush=True)


def fastest_peer(rows: list[dict[str, Any]]) -> str:
    """The fastest form of DynUNet; "" if none ran."""
    peers = {row["form"]: row["ms"] for row in rows if row["form"].startswith("DynUNet")}
    return min(peers, key=lambda name: peers[name], default="")


def main() -> int:
    started = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--edge", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=110.0, help="for everything; what comes late is left out")
    parser.add_argument("--output", type=Path, default=Path("benchmark-output"))
    parser.add_argument("--no-scans", action="store_true")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    arguments.output.mkdir(parents=True, exist_ok=True)
    device, edge, rounds = arguments.device, arguments.edge, arguments.rounds
    reason = why_not_compiled(torch.device(device))
    name = torch.cuda.get_device_name(device) if torch.cuda.is_available() else device
    print(f"{name}, torch {torch.__version__}; compiling: {reason or 'can be tried'}", flush=True)
    networks, whole = Table(arguments.output / "cuda-networks.csv"), Table(arguments.output / "cuda-scans.csv")
    x = torch.randn(1, 1, edge, edge, edge, generator=torch.Generator().manual_seed(0)).to(device)
    compiling, task, timed = Compiling(), None, list[Scan]()
    if not reason:
        network = build("lightmedseg", CLASSES, edge, device, last=False)
        task = CompileTask.of(network, "float16", tuple(x.shape), tuple(x.stride()), device)
        compiling.start([task])
    if not arguments.no_scans:
        attempt("making scans", lambda: timed.extend(scans(device, small=not x.is_cuda)))
        if not reason:
            for scan in timed:
                attempt(f"first run, {scan.name}", lambda scan=scan: compiling.start(scan.tasks()))
    plain_rows(networks, x, rounds, FORMS)
    ratios(networks.rows)
    done = compiling.wait(arguments.seconds - _AFTER_COMPILING - (time.perf_counter() - started))
    if done:
        print("again, with nothing beside it:", flush=True)
        best = fastest_peer(networks.rows)
        networks = Table(arguments.output / "cuda-networks-again.csv")
        plain_rows(networks, x, rounds, [form for form in FORMS if form.title in (best, OURS)])
    if task in done:
        attempt("compiled", lambda: compiled_row(networks, task, x, rounds))
    if done:
        ratios(networks.rows)
    for scan in timed:
        attempt(scan.name, lambda scan=scan: whole.add(scan.row("float16")))
    for scan in timed if done else ():
        if time.perf_counter() - started < arguments.seconds - 5:
            attempt(f"{scan.name}, compiled", lambda scan=scan: whole.add(scan.compiled_row(done)))
    print(f"DONE after {time.perf_counter() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
