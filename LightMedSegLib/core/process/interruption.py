"""Ctrl+C and termination signals in a standalone program such as the command line.

A library must not install signal handlers: nothing here happens until a program calls :func:`end_at_once`.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

SENTENCE = "interrupted; no file is half written."

PATIENCE_SECONDS = 1.0
"""A second interrupt after this time ends the process at once; an earlier one is the same key held down."""

_SWALLOWED_SECONDS = 0.05


class _Received:
    """The first interrupt. held: blocks that it has to wait for."""

    number = 0
    time = 0.0
    held = 0


def end_at_once() -> None:
    """Make an interrupt end the process at once: during imports there is nothing to clean up.

    Native code that is interrupted in its initialisation fails in arbitrary ways. Signals that the parent process
    set to be ignored stay ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def unwind() -> None:
    """Make an interrupt raise KeyboardInterrupt in the main thread, so that unfinished files are removed."""
    _replace(_end, _raise)
    sys.unraisablehook = _raise_again


def ignore() -> None:
    """Ignore interrupts: the work is done, and the interpreter is ending."""
    _replace(_raise, signal.SIG_IGN)


def received() -> bool:
    """Return whether there was an interrupt; any exception after it is a consequence of it."""
    return _Received.number != 0


def exit_code() -> int:
    """Return the exit code of an interrupted program: 128 plus the signal's number, 130 for Ctrl+C."""
    return 128 + (_Received.number or int(signal.SIGINT))


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Delay an interrupt to the end of the block, where it raises KeyboardInterrupt."""
    _Received.held += 1
    try:
        yield
    finally:
        _Received.held -= 1
        if received() and not _Received.held:
            raise KeyboardInterrupt


@contextlib.contextmanager
def calling(action: Callable[[], None]) -> Iterator[None]:
    """Call action at the first interrupt in the block; a later one raises KeyboardInterrupt.

    Signals that are ignored, as a hang-up is under nohup, stay ignored.
    """
    before: dict[int, Any] = {}
    called = False

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal called
        if called:
            raise KeyboardInterrupt
        called = True
        if before[number] is _raise:
            _note(number)
        action()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, on_interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _note(number: int) -> None:
    _Received.number, _Received.time = number, time.monotonic()


def _end(number: int, frame: FrameType | None) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, f"lightmedseg: {SENTENCE}\n".encode())
    os._exit(128 + number)


def _raise(number: int, frame: FrameType | None) -> None:
    if not received():
        _note(number)
        if not _Received.held:
            raise KeyboardInterrupt
    elif time.monotonic() - _Received.time > PATIENCE_SECONDS:
        _end(number, frame)


def _raise_again(problem: Any) -> None:
    """Raise an interrupt later where Python cannot raise, as in a destructor: it would only print the exception."""
    if not isinstance(problem.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(problem)
        return
    number, _Received.number = _Received.number or int(signal.SIGINT), 0
    timer = threading.Timer(_SWALLOWED_SECONDS, _thread.interrupt_main, (number,))
    timer.daemon = True
    timer.start()


def _replace(old: Any, new: Any) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is old:
            signal.signal(number, new)
