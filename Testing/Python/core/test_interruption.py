"""What an interrupt does in a block that wants to be told of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from LightMedSegLib.core.process import interruption

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of POSIX")


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_what_the_parent_process_ignores_stays_ignored() -> None:
    """So nohup keeps a cohort running when its terminal is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    calls: list[str] = []
    with interruption.calling(lambda: calls.append("called")):
        os.kill(os.getpid(), signal.SIGHUP)
        assert calls == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert calls == ["called"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
