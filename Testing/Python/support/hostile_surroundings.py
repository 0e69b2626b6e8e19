"""The program in a process of its own, in surroundings that a test makes hostile."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from paths import REPOSITORY
from patience import limit

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
    printed = [folder / name for name in ("standard-output", "standard-error")]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number, path in enumerate(printed, start=1):
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                os.dup2(handle, number)
            sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
            os.chdir(folder)
            os.environ["HOME"] = str(home)
            for name in ("LIGHTMEDSEG_HOME", "XDG_DATA_HOME"):
                os.environ.pop(name, None)
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
            code = main(words)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out, told = (path.read_text() for path in printed)
    for path in printed:
        path.unlink()
    return subprocess.CompletedProcess(list(words), code, out, told)


def is_one_sentence(text: str) -> bool:
    """Whether text is what the program says of a trouble: one line, without a traceback."""
    return text.count("\n") == 1 and text.startswith("lightmedseg: ") and "Traceback" not in text


def leftovers(folder: Path) -> list[str]:
    """Names of unfinished files below folder."""
    return [path.name for path in folder.rglob(".lightmedseg-tmp-*")]
