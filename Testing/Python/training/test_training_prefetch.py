"""Batches that are made ahead are the batches that would have been made in turn."""

from __future__ import annotations

import threading

import pytest
import torch
from patience import limit
from synthesis_factory import head_case, settings
from training_factory import CPU

from LightMedSegLib.learning.augmentation.spatial import Batch
from LightMedSegLib.learning.case_stack import stack_cases
from LightMedSegLib.training.acceleration.prefetch import BatchesAhead
from LightMedSegLib.training.synthesis.images import SyntheticBatchSource


def empty_batch(step: int) -> Batch:
    return Batch(torch.full((1,), float(step)), torch.zeros(1), torch.zeros(1))


def test_batches_made_ahead_are_those_made_in_turn_and_after_a_jump_too():
    chosen = settings({"noise_probability": 1.0})
    plain, used = (SyntheticBatchSource(stack_cases([head_case()], 4, CPU), chosen) for _ in range(2))
    ahead = BatchesAhead(lambda step: used.batch(step, [0]), CPU)
    for step in (3, 4, 5, 9, 10):
        made, expected = ahead.batch(step), plain.batch(step, [0])
        assert torch.equal(made.images, expected.images)
        assert torch.equal(made.labels, expected.labels)
    ahead.close()
    assert torch.equal(ahead.batch(4).images, plain.batch(4, [0]).images), "it can go on after it was closed"
    ahead.close()


def test_the_next_batch_is_made_by_another_thread_while_the_present_one_is_used():
    made: dict[int, threading.Event] = {step: threading.Event() for step in range(5)}
    threads = set()

    def make(step: int) -> Batch:
        threads.add(threading.get_ident())
        made[step].set()
        return empty_batch(step)

    ahead = BatchesAhead(make, CPU)
    assert float(ahead.batch(0).images) == 0
    assert made[1].wait(limit(10)), "nobody asked for batch 1 yet"
    assert not made[2].is_set()
    ahead.close()
    assert threading.get_ident() not in threads
    assert len(threads) == 1


def test_what_goes_wrong_in_the_thread_is_raised_where_the_batch_is_asked_for():
    def make(step: int) -> Batch:
        if step == 1:
            raise RuntimeError("no memory")
        return empty_batch(step)

    ahead = BatchesAhead(make, CPU)
    ahead.batch(0)
    with pytest.raises(RuntimeError, match="no memory"):
        ahead.batch(1)
    ahead.close()
