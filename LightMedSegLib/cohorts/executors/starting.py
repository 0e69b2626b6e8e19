"""How worker processes start: on Linux as copies of one process that has loaded everything a worker needs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing.context import BaseContext
from typing import Any, TypeVar, cast

Result = TypeVar("Result")

_SECONDS_BETWEEN_LOOKS = 0.1

PRELOADED = "LightMedSegLib.cohorts.executors.preloaded"
"""The module that loads everything a worker needs; Dask's workers take it with --preload."""


def start_context() -> BaseContext:
    """The way in which workers are started, for the functions of multiprocessing that take a context.

    Elsewhere than on Linux every worker is a new interpreter, which imports PyTorch again: macOS does not support what
    its own libraries make of a copied process, and Windows has no copies.
    """
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    return context


def begin_loading() -> None:
    """Begin to load what workers need, beside this process, so that the first of them start sooner; returns at once."""
    if not sys.platform.startswith("linux"):
        return
    start_context()
    from multiprocessing import forkserver, resource_tracker

    cast(Any, resource_tracker).ensure_running()  # It lets interrupts through again when it starts.
    with without_interrupts(), _modules_found():
        cast(Any, forkserver).ensure_running()


def loaded() -> threading.Event:
    """Begin to load as begin_loading does, and return what is set once workers start without delay."""
    event = threading.Event()

    def start_one() -> None:
        try:
            process = cast(Any, start_context()).Process(target=_nothing)
            process.start()
            process.join()
        finally:
            event.set()

    begin_loading()
    if sys.platform.startswith("linux"):
        threading.Thread(target=start_one, daemon=True).start()
    else:
        event.set()
    return event


def computed_elsewhere(function: Callable[..., Result], *arguments: Any) -> Result:
    """Return function(*arguments), computed in a copy of the process that has loaded PyTorch where there is one.

    This process then need not load it, and can be interrupted at once. Raises what the function raises.
    """
    if not sys.platform.startswith("linux"):
        return function(*arguments)
    loaded().wait()
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(1, start_context()) as pool:
        try:
            with without_interrupts():
                future = pool.submit(function, *arguments)
            # A signal that comes right before an endless wait would be noticed at its end only.
            while not wait([future], _SECONDS_BETWEEN_LOOKS).done:
                pass
            return future.result()
        except KeyboardInterrupt:
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            raise


def _nothing() -> None:
    pass


@contextlib.contextmanager
def _modules_found() -> Iterator[None]:
    """Let an interpreter that is started in the block find the modules that this one finds, and no others.

    Before Python 3.13 the process that workers are copied from looks in the current folder and not where this one does.
    """
    names = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Hold Ctrl+C back to the end of the block; processes that are started in it never see it, not even at once."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
