"""Loading PyTorch in a running program without freezing its window."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import DependencyError, first_line
from LightMedSegLib.core.process.interruption import held_back

_RTLD_NOW = 2
_BLOCK_BYTES = 2**22
_SPINS = "10000"
"""The quickest of 0 to 100,000 for a whole head, on a quiet machine and beside two busy processes."""
_NO_MEMORY = ("failed to map segment", "cannot allocate memory", "Cannot allocate memory")
"""What the loader of Linux says when memory runs out."""
_turn = threading.Lock()


def import_torch() -> Any:
    """The module torch. Raises DependencyError, which says whether it is missing or broken."""
    try:
        # In the middle of its initialisation an interrupt would look like a broken installation, or crash it.
        with held_back():
            import torch
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise DependencyError("PyTorch is not installed; install the package torch to run a model.") from error
        raise _broken(error) from error
    except MemoryError as error:
        raise _too_large() from error
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        # A library that it needs is missing or of another version: the usual trouble on Windows.
        raise _broken(error) from error
    return torch


def _too_large() -> DependencyError:
    return DependencyError("There is not enough memory to load PyTorch; close other programs, or raise the limit.")


def _broken(error: Exception) -> DependencyError:
    if any(words in str(error) for words in _NO_MEMORY):
        return _too_large()
    return DependencyError(
        f"PyTorch is installed, but cannot be loaded; install the package torch again ({first_line(error)})."
    )


def load_torch_quietly() -> None:
    """Import PyTorch in small steps from a worker thread; call it before the first import of torch.

    A plain import freezes the window three times, each time for a quarter of a second or more, because it holds
    Python's global interpreter lock:

    - while the system maps and relocates some hundred megabytes. A foreign function is called without the lock, so
      the same loading done by calling the system's dlopen leaves the window alive, and the import finds it done;
    - while a disk is read. Here the libraries are read once before, which gives the lock away;
    - while the garbage collector looks at a million new objects. It is paused for the import, and what there is
      afterwards stays out of its sight: modules live until the program ends.

    Without PyTorch, or with a broken one, nothing happens: who needs it finds out by importing it.
    """
    with _turn:
        folder = None if "torch" in sys.modules else _torch_folder()
        if folder is None:
            return
        let_waiting_threads_sleep()
        libraries = _torch_libraries(folder)
        _read(libraries)
        for library in libraries:
            if library.stem == "libtorch_cpu":
                load = ctypes.CDLL(None).dlopen
                load.argtypes = [ctypes.c_char_p, ctypes.c_int]
                load.restype = ctypes.c_void_p
                load(os.fsencode(library), _RTLD_NOW)
        with contextlib.suppress(DependencyError), _garbage_kept():
            import_torch()


def let_waiting_threads_sleep() -> None:
    """Make PyTorch's threads sleep while they wait for each other, unless the user's environment sets another policy.

    By default they spin, and on a busy computer the spinning threads block the thread that they wait for: a scan then
    takes many times as long. GNU's threads spin for some microseconds first, because waking them takes longer than most
    waits. Works only before torch is loaded. The last variable is Intel's and LLVM's.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    os.environ.setdefault("KMP_BLOCKTIME", "0")


@contextlib.contextmanager
def _garbage_kept() -> Iterator[None]:
    """Pause the garbage collector in the block, and exclude the objects present at its end from later collections."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collected:
            gc.enable()


def _read(files: list[Path]) -> None:
    """Read files into the system's page cache."""
    for file in files:
        with contextlib.suppress(OSError), file.open("rb", buffering=0) as stream:
            while stream.read(_BLOCK_BYTES):
                pass


def _torch_folder() -> Path | None:
    try:
        package = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return None
    return None if package is None or package.origin is None else Path(package.origin).parent


def _torch_libraries(folder: Path) -> list[Path]:
    """Return the libraries that every import of PyTorch loads."""
    prefix, suffix = {"win32": ("", "dll"), "darwin": ("lib", "dylib")}.get(sys.platform, ("lib", "so"))
    paths = [folder / "lib" / f"{prefix}{name}.{suffix}" for name in ("torch_cpu", "torch_python")]
    return [path for path in paths if path.is_file()]
