"""No way through the program opens a socket, writes an identifier, or leaves image data readable to others.

The network is closed in three ways at once: an audit hook in every Python process refuses sockets and writes them down;
where the system allows it, the processes have no network device at all; and strace, where it is installed, counts the
sockets that native code opens.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Reliability.surroundings import child_environment, own_folder
from Reliability.tally import Tally, main

ROW, COUNT = "privacy", 1

_HOOK = """
import os, sys, traceback

_ASKING = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")

def _hook(event, arguments):
    internet = event == "socket.__new__" and arguments[1] in (2, 10)
    if internet or event in _ASKING:
        with open(os.environ["SOCKETS"], "a") as stream:
            stream.write(f"{event} {arguments[1:]!r}\\n" + "".join(traceback.format_stack()))
        raise PermissionError("the network is closed")

sys.addaudithook(_hook)
"""


def check(count: int, seed: int) -> Tally:
    """One walk; count 0: without training, export to ONNX and the module."""
    from Reliability.planted import plant

    tally = Tally()
    with own_folder() as folder:
        plant(folder)
        hooks = folder / "hooks"
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(_HOOK)
        sockets, traced = folder / "sockets", folder / "trace"
        environment = child_environment(SOCKETS=str(sockets), TMPDIR=str(folder / "temporary"))
        environment["PYTHONPATH"] = f"{hooks}:{environment['PYTHONPATH']}"
        (folder / "temporary").mkdir()
        command = [sys.executable, "-m", "Reliability.privacy_walk", str(folder), "long" if count else "short"]
        done = subprocess.run(_closed(command, traced), env=environment, capture_output=True, text=True, check=False)
        tally.expect(done.returncode == 0, "walk: every command ends as it should", done.stderr)
        told = sockets.read_text() if sockets.exists() else ""
        tally.expect(not told, "network: no Python code asks for a socket", told)
        if traced.exists():
            lines = [line for line in traced.read_text().splitlines() if "AF_INET" in line]
            tally.expect(not lines, "network: no native code opens a socket", "\n".join(lines[:5]))
        _search(folder, tally)
        _permissions(folder, tally)
    return tally


def _closed(command: list[str], traced: Path) -> list[str]:
    """The command without a network device and under strace, where the system allows either."""
    for wrapper in (
        ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=socket", "-o", str(traced)],
        ["unshare", "-n"],
    ):
        if shutil.which(wrapper[0]):
            tried = subprocess.run([*wrapper, "true"], capture_output=True, check=False)
            command = [*wrapper, *command] if tried.returncode == 0 else command
    return command


def _search(folder: Path, tally: Tally) -> None:
    from Reliability.planted import IN_HEADERS, IN_PATHS, found_in

    place = folder / IN_PATHS[0]
    seen = {word for path in place.rglob("*") if path.is_file() for word in found_in(path, IN_HEADERS)}
    tally.expect(seen == set(IN_HEADERS), f"search: it finds what was planted in the scans ({sorted(seen)})")
    for top in ("out", "home", "temporary"):
        for path in sorted((folder / top).rglob("*")):
            name = str(path.relative_to(folder))
            if path.is_file():
                words = found_in(path, (*IN_HEADERS, *IN_PATHS))
                tally.expect(not words, f"file: names nobody ({name}: {words})")
            parts = [word for word in (*IN_HEADERS, *IN_PATHS) if word.lower() in name.lower()]
            tally.expect(not parts, f"file name: names nobody ({name})")
    for path in sorted((folder / "words").iterdir()):
        # Messages may repeat the path that the person gave; a log may not.
        words = found_in(path, (*IN_HEADERS, *IN_PATHS) if path.suffix == ".log" else IN_HEADERS)
        tally.expect(not words, f"words: name nobody ({path.name}: {words})")


def _permissions(folder: Path, tally: Tally) -> None:
    """What the program keeps of a scan's voxels belongs to the user alone; results and pictures follow the umask."""
    places = ("home/cases/*/*/*", "out/tuned/cases/*/*/*", "out/run/prepared/*.npy")
    images = [path for place in places for path in folder.glob(place)]
    tally.expect(len(images) > 2, "permissions: there is something to look at")
    for path in images:
        closed = any(not place.stat().st_mode & 0o077 for place in _below(folder, path))
        shown = path.relative_to(folder)
        tally.expect(closed, f"permissions: the user's alone ({shown} has {path.stat().st_mode & 0o777:o})")


def _below(folder: Path, path: Path) -> list[Path]:
    """path and the folders between it and folder, whose own temporary place is private."""
    return [place for place in (path, *path.parents) if place.is_relative_to(folder) and place != folder]


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
