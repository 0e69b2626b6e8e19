"""Train one stage of a run on a machine that is lent for minutes, and keep what the next stage goes on from.

    python Testing/Tools/run_training_stage.py RECIPE.toml --prepared FOLDER --state STATE --out OUT --limit 558 \
        [--budget 1150] [--set SECTION.KEY=VALUE ...]

STATE is the folder of the files that the stage before kept, or an empty one. OUT gets those of this stage, in parts of
15 MiB: every minute the checkpoint with averages and optimizer and the curves, once the compiled code, at the end the
package. The whole command takes --limit seconds. --budget is what the learning rate's schedule spans: the training
seconds of all stages.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

PART_BYTES = 15 * 2**20
MOST_PARTS = 3
EVERY_SECONDS = 60.0
RESERVED_SECONDS = 22.0
"""For the last validation and for keeping what is left."""

STATE, CODE, MODEL = "state.tar", "code.tar.xz", "model.tar"
SPLIT_FILE = "split.json"


def main(words: list[str] | None = None) -> int:
    """Train one stage; returns the exit code of the training command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--prepared", type=Path, required=True, help="prepared cases, with split.json beside them")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--budget", type=float)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--set", action="append", default=[])
    chosen = parser.parse_args(words)
    run, code = (Path(tempfile.gettempdir()) / "lightmedseg-stage" / name for name in ("run", "code"))
    # A machine that is still held has the newer files.
    if not (run / "checkpoint.json").is_file():
        unpack(chosen.state, STATE, run)
    if not code.is_dir():
        unpack(chosen.state, CODE, code)
    os.environ["TORCHINDUCTOR_CACHE_DIR"], os.environ["TRITON_CACHE_DIR"] = str(code / "inductor"), str(code / "triton")
    chosen.out.mkdir(parents=True, exist_ok=True)
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(run, code, chosen.out, over), daemon=True)
    keeper.start()
    try:
        return _train(chosen, run)
    finally:
        over.set()
        keeper.join()
        keep_state(run, chosen.out)
        pack(chosen.out, MODEL, sorted((run / "model").rglob("*")), run)


def _train(chosen: argparse.Namespace, run: Path) -> int:
    from LightMedSegLib.training.__main__ import main as train

    changes = [*chosen.set, *([] if chosen.budget is None else [f"optimizer.budget_seconds={chosen.budget}"])]
    words = ["--config", chosen.recipe, "--prepared", chosen.prepared, "--out", run, "--device", chosen.device]
    words += ["--split", chosen.prepared / SPLIT_FILE, "--time-limit", chosen.limit - RESERVED_SECONDS]
    return train([str(word) for word in words] + [word for change in changes for word in ("--set", change)])


def _keep(run: Path, code: Path, out: Path, over: threading.Event) -> None:
    while not over.wait(EVERY_SECONDS):
        keep_state(run, out)
        # With a checkpoint, the first steps are over: everything is compiled.
        if (out / f"{STATE}.00").is_file() and not (out / f"{CODE}.00").is_file():
            pack(out, CODE, sorted(code.rglob("*")), code)


def keep_state(run: Path, out: Path) -> None:
    """Pack checkpoint and curves; one that is replaced meanwhile is packed the next time."""
    try:
        index = json.loads((run / "checkpoint.json").read_text(encoding="utf-8"))
        pack(out, STATE, [run / "checkpoint.json", run / index["tensors"], *run.glob("*.csv")], run)
    except FileNotFoundError:
        return


def pack(out: Path, name: str, files: Iterable[Path], root: Path) -> None:
    """Write files, named relative to root, as an archive NAME.00, NAME.01 ... into out; not if it is too large."""
    memory = io.BytesIO()
    # A stronger compression of the compiled code takes minutes.
    compression = {"mode": "w:xz", "preset": 1} if name.endswith("xz") else {"mode": "w"}
    with tarfile.open(fileobj=memory, **compression) as archive:
        for path in files:
            if path.is_file():
                archive.add(path, str(path.relative_to(root)))
    data = memory.getvalue()
    parts = [data[first : first + PART_BYTES] for first in range(0, len(data), PART_BYTES)]
    if len(parts) > MOST_PARTS:
        print(f"{name} has {len(data) / 2**20:.0f} MiB and is not kept.", flush=True)
        return
    # All parts first, then their names: a command that is ended here leaves those of before.
    for number, part in enumerate(parts):
        (out / f".{name}.{number:02d}").write_bytes(part)
    for number in range(len(parts)):
        (out / f".{name}.{number:02d}").replace(out / f"{name}.{number:02d}")


def unpack(folder: Path, name: str, target: Path) -> None:
    """Unpack the archive that pack wrote into folder, if there is one."""
    parts = sorted(folder.glob(f"{name}.[0-9][0-9]"))
    if parts:
        with tarfile.open(fileobj=io.BytesIO(b"".join(path.read_bytes() for path in parts))) as archive:
            archive.extractall(target, filter="data")


if __name__ == "__main__":
    sys.exit(main())
