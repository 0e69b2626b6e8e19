"""Run the commands and the Python of README and documentation as they stand there, on small data made for it.

    python Testing/Tools/run_documented_commands.py [--slow] [DOCUMENT ...]

Words in capitals stand for a reader's own files; INPUTS says what they are here. Commands of pip and make are not run
(tests check that their extras and targets exist), --slow adds the blocks that take minutes. A training gets seconds in
place of minutes, two steps in place of many, and a Dask cluster a free port.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from documented_inputs import INPUTS
from documents import REPOSITORY, Block, blocks

sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "Testing")]

DOCUMENTS = (
    "README.md",
    "Documentation/scripting.md",
    "Documentation/training.md",
    "Documentation/bids.md",
    "Documentation/cohorts.md",
)
NOT_RUN = ("pip", "make", "python")
DASK_PORT, START_SECONDS = "8786", 60
_SHORTER = ((re.compile(r"--minutes \d+"), "--minutes 0.05"), (re.compile(r"\bsteps=\d+"), "steps=2"))

_IN_SLICER = """
import sys
sys.path[:0] = [{testing!r}]
from Runtime.bootstrap import start
session = start()
session.reset()
session.load_module({module!r})
exec(compile(open({code!r}, encoding="utf-8").read(), {place!r}, "exec"))
session.finish()
"""


def main(documents: list[Path], slow: bool) -> int:
    """Run the blocks of each document in a folder of its own; the number of blocks that failed."""
    failed = 0
    for document in documents:
        with tempfile.TemporaryDirectory() as scratch, closing(Runner(Path(scratch))) as runner:
            for block in blocks(document):
                if (
                    block.marker == "no"
                    or (block.marker == "slow" and not slow)
                    or block.language not in ("", "python")
                ):
                    continue
                problem = runner.run(block)
                failed += bool(problem)
                print(f"{block.place}: {problem or 'runs'}", flush=True)
    return failed


class Runner:
    """Runs blocks in one folder, with models of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        self._environment = os.environ | {
            "LIGHTMEDSEG_HOME": str(folder / "home"),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }
        self._made: set[str] = set()
        self._background: list[subprocess.Popen[str]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]

    def close(self) -> None:
        """End what runs in the background."""
        for process in reversed(self._background):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()

    def run(self, block: Block) -> str:
        """What went wrong, "" if nothing did."""
        if block.language == "python":
            return self._run_python(block)
        for command in block.commands():
            words = shlex.split(self._filled_in(command))
            if words[0] in NOT_RUN:
                continue
            if words[0] == "dask" and words[-1] == "&":
                self._start(["-m", *words[:-1]])
                continue
            if words[0] != "lightmedseg":
                return f"{words[0]} is no command that this script knows"
            problem = self._run_program(words[1:])
            if problem:
                return f"{command}: {problem}"
        return ""

    def _start(self, words: list[str]) -> None:
        """Start a part of a Dask cluster, in a process group of its own, and wait for the scheduler's port."""
        self._background.append(
            subprocess.Popen(
                [sys.executable, *words],
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
                return
            time.sleep(0.1)

    def _run_program(self, words: list[str]) -> str:
        # A forked process has no workers of its own to copy.
        if not hasattr(os, "fork") or "--jobs" in words:
            return self._run([sys.executable, "-m", "LightMedSegLib", *words])
        from LightMedSegLib.cli import main as program

        return self._forked(lambda: program(words), words)

    def _forked(self, work: Callable[[], int], words: list[str]) -> str:
        """Forked, because to import PyTorch takes longer than most commands. It is imported here, once."""
        import torch as _torch  # noqa: F401
        from forked import forked

        from LightMedSegLib.inference import segmentation as _segmentation  # noqa: F401
        from LightMedSegLib.network import build_network as _network  # noqa: F401

        def in_environment() -> int:
            os.environ.clear()
            os.environ.update(self._environment)
            return work()

        return _problem(forked(in_environment, words, self._folder))

    def _run_python(self, block: Block) -> str:
        code = self._folder / "block.py"
        code.write_text(self._filled_in(block.text), encoding="utf-8")
        if block.marker != "slicer":
            if not hasattr(os, "fork"):
                return self._run([sys.executable, str(code)])
            return self._forked(lambda: _execute(code, block.place), [block.place])
        module = REPOSITORY / "LightMedSeg" / "LightMedSeg.py"
        text = _IN_SLICER.format(
            testing=str(REPOSITORY / "Testing"), module=str(module), code=str(code), place=block.place
        )
        return self._run([sys.executable, "-c", text])

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            words,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return _problem(done)

    def _filled_in(self, text: str) -> str:
        """The text with what stands for the reader's files, which are made when they are first named."""
        for word, (name, make) in INPUTS.items():
            pattern = rf"(?<![\w.-]){re.escape(word)}(?![\w.-])"
            if re.search(pattern, text):
                if make.__name__ not in self._made:
                    self._made.add(make.__name__)
                    make(self._folder)
                text = re.sub(pattern, name, text)
        for pattern, short in _SHORTER:
            text = pattern.sub(short, text)
        return text.replace(DASK_PORT, str(self._port))


def _execute(code: Path, place: str) -> int:
    exec(compile(code.read_text(encoding="utf-8"), place, "exec"), {"__name__": "__main__"})
    return 0


def _problem(done: subprocess.CompletedProcess[str]) -> str:
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("documents", nargs="*", type=Path, default=[REPOSITORY / name for name in DOCUMENTS])
    parser.add_argument("--slow", action="store_true", help="also what takes minutes")
    arguments = parser.parse_args()
    sys.exit(1 if main([path.resolve() for path in arguments.documents], arguments.slow) else 0)
