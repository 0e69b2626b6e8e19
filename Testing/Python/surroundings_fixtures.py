"""The program in a process of its own, in surroundings that a test makes hostile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from patience import limit

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "LightMedSegLib")


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment with the library of this repository and the changes; None leaves a variable out."""
    made: dict[str, str | None] = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    return {name: value for name, value in made.items() if value is not None}


def run(
    words: Sequence[str], folder: Path, shell: str = "", program: Sequence[str] = PROGRAM, **changes: str | None
) -> subprocess.CompletedProcess[str]:
    """Run the program in folder; shell: what a shell command has behind the program's words, such as ">&-"."""
    command: Sequence[str] = [*program, *words]
    if shell:
        command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=limit(120),
        check=False,
    )


def is_one_sentence(text: str) -> bool:
    """Whether text is what the program says of a trouble: one line, without a traceback."""
    return text.count("\n") == 1 and text.startswith("lightmedseg: ") and "Traceback" not in text


def leftovers(folder: Path) -> list[str]:
    """Names of unfinished files below folder."""
    return [path.name for path in folder.rglob(".lightmedseg-tmp-*")]
