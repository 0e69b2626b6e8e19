"""Bringing PyTorch into a running program without stopping its window."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from LightMedSegLib.errors import DependencyError

_RTLD_NOW = 2


def import_torch() -> Any:
    """The module torch. Raises DependencyError, which says whether it is missing or broken."""
    try:
        import torch
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise DependencyError("PyTorch is not installed; install the package torch to run a model.") from error
        raise _broken(error) from error
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        # A library that it needs is missing or of another version: the usual trouble on Windows.
        raise _broken(error) from error
    return torch


def _broken(error: Exception) -> DependencyError:
    reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    return DependencyError(f"PyTorch is installed, but cannot be loaded; install the package torch again ({reason}).")


def load_torch_quietly() -> None:
    """Load PyTorch's large library, from a thread that is not the window's; call it before the first import torch.

    The import holds Python's interpreter lock while the system maps and relocates some hundred megabytes,
    a quarter of a second in which no window can react. A foreign function is called without the lock, so the
    same loading done by calling the system's dlopen leaves the window alive, and the import finds it done.
    Where that is not possible nothing happens: the import then takes the time at once.
    """
    if "torch" in sys.modules:
        return
    let_waiting_threads_sleep()
    library = _torch_library()
    if library is None:
        return
    load = ctypes.CDLL(None).dlopen
    load.argtypes = [ctypes.c_char_p, ctypes.c_int]
    load.restype = ctypes.c_void_p
    load(os.fsencode(library), _RTLD_NOW)


def let_waiting_threads_sleep() -> None:
    """Have PyTorch's threads sleep while they wait for each other, unless the user's environment decides otherwise.

    By default they spin, and on a busy computer the spinning keeps the thread that all wait for from running: a scan
    then takes many times as long. Works only before torch is loaded. The first variable is GNU's, the second Intel's
    and LLVM's.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


def _torch_library() -> Path | None:
    if sys.platform == "win32":
        return None
    package = importlib.util.find_spec("torch")
    if package is None or package.origin is None:
        return None
    suffix = "dylib" if sys.platform == "darwin" else "so"
    library = Path(package.origin).parent / "lib" / f"libtorch_cpu.{suffix}"
    return library if library.is_file() else None
