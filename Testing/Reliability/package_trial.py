"""The child process of model_packages.py: meets spoiled packages and watches itself while it does.

Refused with one of our errors, in one line, or loaded and usable: everything else is a problem. So are writing outside
the store, starting a program, unpickling, opening a socket, and taking much memory.
"""

from __future__ import annotations

import hashlib
import os
import random
import resource
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from model_factory import make_model
from patience import Patience

from LightMedSegLib.cli.card_text import card_text
from LightMedSegLib.core.errors import CancelledError, LightMedSegError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.finetuning.gate.reference_set import encode_reference, read_reference
from LightMedSegLib.inference.segmentation import segment
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.model.package import Model, load_model
from LightMedSegLib.model.package_folder import REFERENCE_FILE
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage.safetensors_file import write_tensors
from Reliability.batches import child_main
from Reliability.package_mutations import PLANTED, REFERENCE, WEIGHTS, spoil_card, spoil_tensors
from Reliability.zip_mutations import spoil_zip

MOST_SECONDS = 30.0
MOST_MEGABYTES = 400
"""For everything but segmenting, which needs what the card's patch needs."""

MOST_MEGABYTES_TO_SEGMENT = 2800
_PATIENCE_SECONDS = 5.0
_ADDRESS_SPACE = 3 * 2**30
_FORBIDDEN = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "pickle.find_class", "socket.")
_CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate")


class Watch:
    """Python's audit events between begin and end."""

    def __init__(self) -> None:
        self.allowed: tuple[Path, ...] = ()
        self.seen: list[str] | None = None
        sys.addaudithook(self._hook)

    @contextmanager
    def inside(self, *allowed: Path) -> Iterator[list[str]]:
        """The list of what must not happen, filled during the block; files may be changed below allowed only."""
        self.allowed, self.seen = allowed, []
        try:
            yield self.seen
        finally:
            self.seen = None

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is None:
            return
        if event.startswith(_FORBIDDEN):
            self.seen.append(f"{event} {arguments!r}"[:200])
        elif event == "open" and self._writes(arguments):
            self._check(event, arguments[:1])
        elif event in _CHANGES:
            self._check(event, arguments[:2])

    @staticmethod
    def _writes(arguments: tuple[Any, ...]) -> bool:
        return bool(int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    def _check(self, event: str, paths: tuple[Any, ...]) -> None:
        assert self.seen is not None
        for path in paths:
            if isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path) != os.devnull:
                real = Path(os.path.realpath(os.fsdecode(path)))
                if not any(real.is_relative_to(folder) for folder in self.allowed):
                    self.seen.append(f"{event} {real}")


class Bench:
    """Made once in each child: a sound package, a store with a shipped model, a small volume."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve() / f"child-{os.getpid()}"
        self.folder.mkdir()
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir()
        os.environ["TMPDIR"] = str(self.temporary)
        # PyTorch makes this folder when its compiler is imported, wherever the first optimizer or the like does that.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(self.temporary / "compiler")
        # What is imported late is no doing of the package that is loaded then.
        sys.dont_write_bytecode = True
        os.chdir(self.temporary)
        case = PreparedCase(
            "reference-0", np.zeros((1, 16, 16, 16), dtype=np.float16), np.zeros((16, 16, 16), dtype=np.uint8), (1,)
        )
        write_tensors(self.folder / REFERENCE_FILE, encode_reference([case, case], 2))
        self.sound = self._package("sound", "test-model", self.folder / REFERENCE_FILE)
        shipped = self._package("shipped/shipped-model", "shipped-model", None)
        self.store = ModelStore(shipped.parent, self.folder / "store")
        self.shipped = _snapshot(shipped.parent)
        array = np.random.default_rng(0).integers(0, 500, (12, 12, 12)).astype(np.int16)
        self.volume = sitk.GetImageFromArray(array)
        load_model(self.sound).build_network()
        self.watch = Watch()
        # What a header claims must never be allocated: beyond this the system itself refuses.
        resource.setrlimit(resource.RLIMIT_AS, (virtual_bytes() + _ADDRESS_SPACE, resource.RLIM_INFINITY))

    def _package(self, place: str, name: str, reference: Path | None) -> Path:
        extra: dict[str, Any] = {}
        if reference is not None:
            content = reference.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            extra["reference"] = {"cases": 2, "data": "None.", "license": "CC0-1.0", "sha256": digest,
                "bytes": len(content)}  # fmt: skip
        folder = self.folder / place
        folder.parent.mkdir(parents=True, exist_ok=True)
        make_model(folder, name=name, input={"patch": [16, 16, 16]}, **extra)
        if reference is not None:
            shutil.copyfile(reference, folder / REFERENCE_FILE)
        (folder / "README.md").write_text("text")
        return folder

    def attempt(self, number: int, seed: int) -> tuple[str, str, str]:
        """Spoil, load, add to the store, build, read the reference set, segment."""
        rng = random.Random(f"{seed} {number}")
        source, what = self._spoiled(rng)
        reset_peak()
        before, patience = memory("VmRSS"), Patience(MOST_SECONDS)
        with self.watch.inside(self.folder) as seen:
            outcome, problem = _meet(source, self, rng)
        late, megabytes = patience.over(), memory("VmHWM") - before
        segmented = outcome in ("loaded", "cancelled", "refused at segment")
        problems = [problem, *seen]
        if late:
            problems.append(f"it took more than {MOST_SECONDS:.0f} s ({outcome})")
        if megabytes > (MOST_MEGABYTES_TO_SEGMENT if segmented else MOST_MEGABYTES):
            problems.append(f"it took {megabytes:.0f} MB of memory ({outcome})")
        if _snapshot(self.store.shipped) != self.shipped:
            problems.append("the shipped models were changed")
        if Path(PLANTED).exists():
            problems.append("code in a pickle was run")
        strangers = [path for path in self.folder.iterdir() if path.name not in _KNOWN]
        problems += [f"{path.name} was written beside the store" for path in strangers]
        shutil.rmtree(self.store.user, ignore_errors=True)
        return ", ".join(what), outcome, "; ".join(filter(None, problems))

    def _spoiled(self, rng: random.Random) -> tuple[Path, list[str]]:
        """A folder or zip file with something wrong, and what that is."""
        place, packed = self.folder / "package", self.folder / "package.zip"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.sound, place)
        what = []
        if rng.random() < 0.8:
            files = rng.choice(((), (), (WEIGHTS,), (WEIGHTS,), (REFERENCE,), (WEIGHTS, REFERENCE)))
            what += [spoil_tensors(place, name, rng) for name in files]
            if not what or rng.random() < 0.2:
                what.append(spoil_card(place, rng))
        if not what or rng.random() < 0.2:
            return packed, [*what, spoil_zip(place, packed, rng)]
        return place, what


_KNOWN = ("temporary", "sound", "shipped", "store", "package", "package.zip", REFERENCE_FILE)


def _meet(source: Path, bench: Bench, rng: random.Random) -> tuple[str, str]:
    """How far the package came, and what was wrong with how it was refused."""
    stage = "load"
    try:
        model = load_model(source)
        stage = "add"
        added = bench.store.add(source)
        if added.folder.parent != bench.store.user and added.folder.parent != bench.store.shipped:
            return "added", f"it was added at {added.folder}"
        bench.store.find(model.card.identifier)
        stage = "show"
        card_text(model)
        stage = "reference"
        read_reference(model)
        stage = "build"
        network = model.build_network()
        del network
        stage = "segment"
        if rng.random() < 0.5:
            _segment(bench.volume, model)
    except CancelledError:
        return "cancelled", ""
    except LightMedSegError as error:
        text = str(error)
        bad = "\n" in text or "\r" in text or not text.endswith(".") or len(text) > 1500
        return f"refused at {stage}", f"the message is no sentence: {text[:300]!r}" if bad else ""
    except Exception as error:
        return f"failed at {stage}", f"{type(error).__name__} at {stage}: {error}"[:500]
    return "loaded", ""


def _segment(volume: sitk.Image, model: Model) -> None:
    """A card may ask for any grid, and so for hours of work; the user's patience is what ends it."""
    cancel = CancelToken()
    timer = threading.Timer(_PATIENCE_SECONDS, cancel.cancel)
    timer.start()
    try:
        segment(volume, model, "cpu", cancel=cancel)
    finally:
        timer.cancel()


def _snapshot(folder: Path | None) -> dict[str, bytes]:
    assert folder is not None
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def memory(item: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{item}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(item)


def virtual_bytes() -> int:
    return int(memory("VmSize") * 2**20)


if __name__ == "__main__":
    sys.exit(child_main(lambda folder: Bench(folder).attempt))
