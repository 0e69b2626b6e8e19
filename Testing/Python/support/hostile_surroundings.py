"""The program in a process of its own, in surroundings that a test makes hostile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from forked import forked
from paths import REPOSITORY
from patience import limit

from LightMedSegLib import __main__
from LightMedSegLib.cli import main

_NOBODY = 65534
PROGRAM = (sys.executable, "-m", "LightMedSegLib")


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment with the library of this repository and the changes; None leaves a variable out."""
    made: dict[str, str | None] = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": None, **changes}
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


def as_somebody(words: Sequence[str], folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the program in folder under an account that permissions hold for; nothing of the computer's is its own.

    A forked process: such an account need not be allowed to start this Python. What is imported later must not lie
    where it may not read, so run a command here first that imports it.
    """

    def work() -> int:
        os.environ["HOME"] = str(home)
        for name in ("LIGHTMEDSEG_HOME", "XDG_DATA_HOME"):
            os.environ.pop(name, None)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        return main(words)

    return forked(work, words, folder)


def with_closed_streams(words: Sequence[str], folder: Path, closed: Sequence[int]) -> subprocess.CompletedProcess[str]:
    """Run the program in folder, forked, so that nothing is imported again, with these standard streams closed."""

    def work() -> int:
        for number in closed:
            os.close(number)
            setattr(sys, ("stdin", "stdout", "stderr")[number], None)
        sys.argv = ["lightmedseg", *words]
        return __main__.main()

    return forked(work, words, folder)


def is_one_sentence(text: str) -> bool:
    """Whether text is what the program says of a trouble: one line, without a traceback."""
    return text.count("\n") == 1 and text.startswith("lightmedseg: ") and "Traceback" not in text


def leftovers(folder: Path) -> list[str]:
    """Names of unfinished files below folder."""
    return [path.name for path in folder.rglob(".lightmedseg-tmp-*")]
