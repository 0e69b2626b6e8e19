"""Many attempts in one child process, each of which can still be blamed when the process dies or stands still.

The child writes a line before and after every attempt; when it ends before its time the parent blames the attempt that
had begun and starts a new child behind it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from patience import Patience

from Reliability.surroundings import child_environment
from Reliability.tally import Tally

_LOOK_SECONDS = 0.1
_LAST_WORDS = 1500


def run_in_children(module: str, count: int, seed: int, folder: Path, patience: float = 60.0) -> Tally:
    """Attempts 0..count-1 of ``python -m module``; patience: quiet seconds without a line after which a child hangs."""
    tally, first = Tally(), 0
    while first < count:
        first = _one_child(module, first, count, seed, folder, patience, tally)
    return tally


def _one_child(module: str, first: int, count: int, seed: int, folder: Path, patience: float, tally: Tally) -> int:
    """Run one child as far as it comes; returns the number of the next attempt."""
    journal = folder / "journal"
    journal.write_bytes(b"")
    command = [sys.executable, "-m", module, str(first), str(count), str(seed), str(journal), str(folder)]
    with tempfile.TemporaryFile() as noise:
        child = subprocess.Popen(command, env=child_environment(), stdout=noise, stderr=noise)
        ended = _watch(child, journal, patience)
        noise.seek(0)
        words = noise.read().decode("utf-8", "replace")[-_LAST_WORDS:]
    begun: dict[int, str | None] = {}
    for line in journal.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):  # the last line of a killed child may be cut
            _take(json.loads(line), begun, tally)
    if not begun:
        raise RuntimeError(f"{module} could not begin ({ended}):\n{words}")
    done = max(begun, default=first - 1) + 1
    open_attempts = [text for text in begun.values() if text is not None]
    if open_attempts:
        tally.failed(f"{open_attempts[0]}: {ended}\n{words}")
    elif done < count:
        raise RuntimeError(f"{module} ended between two attempts ({ended}):\n{words}")
    return done


def _take(line: dict[str, Any], begun: dict[int, str | None], tally: Tally) -> None:
    if "begin" in line:
        begun[line["begin"]] = f"attempt {line['begin']}"
        return
    begun[line["end"]] = None
    if line["problem"]:
        tally.failed(f"attempt {line['end']}, {line['what']}: {line['problem']}")
    else:
        tally.passed(line["outcome"])


def _watch(child: subprocess.Popen[bytes], journal: Path, patience: float) -> str:
    """How the child ended, in words; a child without progress is killed."""
    size, waiting = -1, Patience(patience)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = child.wait(_LOOK_SECONDS)
            return f"the process ended with exit code {code}" if code >= 0 else f"the process died of signal {-code}"
        now = journal.stat().st_size
        if now != size:
            size, waiting = now, Patience(patience)
        elif waiting.over():
            child.kill()
            child.wait()
            return f"nothing happened for {patience:g} s"


Attempt = Callable[[int, int], tuple[str, str, str]]
"""attempt(number, seed) gives what it was, how it ended, and the problem ("": none)."""


def child_main(prepare: Callable[[Path], Attempt]) -> int:
    """The child's side; prepare makes what all its attempts need in a folder."""
    parser = argparse.ArgumentParser()
    for name in ("first", "last", "seed"):
        parser.add_argument(name, type=int)
    for name in ("journal", "folder"):
        parser.add_argument(name, type=Path)
    chosen = parser.parse_args()
    attempt = prepare(chosen.folder)
    with chosen.journal.open("a", encoding="utf-8") as journal:
        for number in range(chosen.first, chosen.last):
            _write(journal, {"begin": number})
            what, outcome, problem = attempt(number, chosen.seed)
            _write(journal, {"end": number, "what": what, "outcome": outcome, "problem": problem})
    return 0


def _write(journal: Any, line: dict[str, Any]) -> None:
    journal.write(json.dumps(line) + "\n")
    journal.flush()
