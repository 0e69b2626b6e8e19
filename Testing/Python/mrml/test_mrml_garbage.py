"""No garbage is collected in the worker's thread, where widgets must not be destroyed."""

from __future__ import annotations

import gc
import threading

import pytest

from LightMedSegLib.mrml.jobs.garbage import allow_collection, collection_held


class Cycle:
    """Garbage that only the collector finds; tells in which thread it ended."""

    def __init__(self, ended: list[int]) -> None:
        self._itself, self._ended = self, ended

    def __del__(self) -> None:
        self._ended.append(threading.get_ident())


@pytest.fixture(autouse=True)
def _eager_collector() -> object:
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1, 1, 1)
    yield
    gc.set_threshold(*before)
    assert gc.isenabled()


def allocate() -> None:
    kept = [[number] for number in range(1000)]
    assert kept


def test_a_thread_does_not_end_what_others_left_not_even_after_its_work() -> None:
    ended: list[int] = []

    def work() -> None:
        with collection_held():
            allocate()
        allocate()

    with collection_held():
        Cycle(ended)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    allocate()
    assert ended == []
    allow_collection()
    gc.collect()
    assert ended == [threading.get_ident()]


def test_without_holding_the_collector_a_thread_would_end_it() -> None:
    ended: list[int] = []
    gc.disable()
    Cycle(ended)
    idents: list[int] = []

    def work() -> None:
        idents.append(threading.get_ident())
        gc.enable()
        allocate()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == idents


def test_a_collector_that_is_held_or_was_off_is_not_allowed() -> None:
    with pytest.raises(ValueError), collection_held(), collection_held():
        allow_collection()
        assert not gc.isenabled()
        raise ValueError
    assert not gc.isenabled()
    allow_collection()
    assert gc.isenabled()
    gc.disable()
    with collection_held():
        pass
    allow_collection()
    assert not gc.isenabled()
    gc.enable()
