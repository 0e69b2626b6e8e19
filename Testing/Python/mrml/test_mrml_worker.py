"""The worker thread and its jobs: every way a job can begin, go on and end."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mrml_job_stubs import poll_until, until_cancelled
from patience import Patience, limit

from LightMedSegLib.core.errors import DeviceError, LightMedSegError
from LightMedSegLib.mrml.jobs.job_state import Job, JobContext, JobState
from LightMedSegLib.mrml.jobs.worker import Worker


def job_of(work: Callable[[JobContext], Any], **how: Any) -> Job:
    how.setdefault("preparation", iter(()))
    how.setdefault("deliver", lambda value, final: value)
    return Job(work=work, **how)


def run(worker: Worker, job: Job) -> Job:
    worker.submit(job)
    worker.wait(job, on_idle=Patience(20).check)
    return job


def test_a_job_is_prepared_and_delivered_on_the_main_thread_and_worked_on_in_another(worker: Worker) -> None:
    threads: dict[str, int] = {}

    def prepare() -> Iterator[None]:
        threads["prepare"] = threading.get_ident()
        yield

    def work(context: JobContext) -> int:
        threads["work"] = threading.get_ident()
        return 42

    def deliver(value: int, final: bool) -> str:
        threads["deliver"] = threading.get_ident()
        return f"{value} {final}"

    ended: list[Job] = []
    job = job_of(work, preparation=prepare(), deliver=deliver, on_end=ended.append)
    worker.submit(job)
    assert (job.state, threads) == (JobState.QUEUED, {})
    worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.DONE
    assert job.outcome == "42 True"
    assert ended == [job]
    assert worker.job is None
    assert threads["prepare"] == threads["deliver"] == threading.get_ident() != threads["work"]


def test_one_thread_serves_all_jobs_because_cuda_starts_slowly_in_a_new_one(worker: Worker) -> None:
    first, second = (run(worker, job_of(lambda context: threading.get_ident())).outcome for _ in range(2))
    assert first == second


def test_a_forgotten_worker_leaves_no_thread_behind() -> None:
    worker = Worker()
    job = run(worker, job_of(lambda context: threading.current_thread()))
    thread = job.outcome
    assert thread.is_alive()
    del worker
    gc.collect()
    thread.join(limit(20))
    assert not thread.is_alive()


def test_a_long_preparation_is_spread_over_several_polls(worker: Worker) -> None:
    steps: list[int] = []

    def prepare() -> Iterator[None]:
        for number in range(5):
            time.sleep(0.02)
            steps.append(number)
            yield

    job = job_of(lambda context: list(steps), preparation=prepare())
    worker.submit(job)
    worker.poll()
    assert 0 < len(steps) < 5
    assert job.state is JobState.QUEUED
    worker.wait(job, on_idle=Patience(20).check)
    assert job.outcome == [0, 1, 2, 3, 4]


def test_a_second_job_is_refused_while_one_runs_and_while_it_is_being_stopped(worker: Worker) -> None:
    job = job_of(until_cancelled)
    worker.submit(job)
    with pytest.raises(LightMedSegError, match="Another task of LightMedSeg is running; cancel it first"):
        worker.submit(job_of(until_cancelled))
    poll_until(worker, lambda: job.state is JobState.RUNNING)
    worker.cancel()
    with pytest.raises(LightMedSegError, match="is being stopped; try again in a moment"):
        worker.submit(job_of(until_cancelled))
    worker.wait(job, on_idle=Patience(20).check)
    assert run(worker, job_of(lambda context: 1)).state is JobState.DONE


def test_a_cancelled_job_ends_as_cancelled_and_nothing_is_delivered(worker: Worker) -> None:
    delivered: list[Any] = []
    job = job_of(until_cancelled, deliver=lambda *arguments: delivered.append(arguments))
    worker.submit(job)
    poll_until(worker, lambda: job.state is JobState.RUNNING)
    worker.cancel()
    worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.CANCELLED
    assert job.message == "Cancelled: nothing was written."
    assert delivered == []


def test_cancelling_before_the_work_begins_never_begins_it(worker: Worker) -> None:
    started: list[int] = []
    job = job_of(started.append)
    worker.submit(job)
    worker.cancel()
    worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.CANCELLED
    assert started == []


def test_a_result_that_comes_after_the_cancel_is_not_delivered(worker: Worker) -> None:
    go, delivered = threading.Event(), []
    job = job_of(lambda context: go.wait(limit(20)), deliver=lambda *arguments: delivered.append(arguments))
    worker.submit(job)
    poll_until(worker, lambda: job.state is JobState.RUNNING)
    worker.cancel()
    go.set()
    worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.CANCELLED
    assert delivered == []


def test_an_error_for_the_user_is_the_message_as_it_is(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    def work(context: JobContext) -> None:
        raise DeviceError("The device 'cuda' is not available on this computer; use auto, cpu.")

    job = run(worker, job_of(work))
    assert job.state is JobState.FAILED
    assert job.message == "The device 'cuda' is not available on this computer; use auto, cpu."
    assert not caplog.records


def test_a_defect_is_logged_with_its_traceback_and_told_in_a_sentence(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    def work(context: JobContext) -> None:
        raise KeyError("lost")

    with caplog.at_level(logging.ERROR, "LightMedSeg"):
        job = run(worker, job_of(work))
    assert job.state is JobState.FAILED
    assert job.message.startswith("An unexpected problem stopped the task (KeyError: 'lost')")
    assert "Traceback" in caplog.text
    assert run(worker, job_of(lambda context: 1)).state is JobState.DONE


@pytest.mark.parametrize("where", ["preparation", "deliver"])
def test_an_error_on_the_main_thread_fails_the_job_and_leaves_the_worker_usable(where: str, worker: Worker) -> None:
    def fail(*_: Any) -> Any:
        raise DeviceError("No.")

    def failing_steps() -> Iterator[None]:
        yield
        fail()

    how = {"preparation": failing_steps()} if where == "preparation" else {"deliver": fail}
    job = run(worker, job_of(lambda context: 1, **how))
    assert (job.state, job.message) == (JobState.FAILED, "No.")
    assert run(worker, job_of(lambda context: 1)).state is JobState.DONE


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_death_of_the_thread_fails_the_job_and_the_next_job_gets_a_new_thread(worker: Worker) -> None:
    def die(context: JobContext) -> None:
        raise SystemExit

    job = run(worker, job_of(die))
    assert job.state is JobState.FAILED
    assert job.message.startswith("The worker stopped unexpectedly")
    assert run(worker, job_of(lambda context: 1)).outcome == 1


def test_what_nobody_wants_any_more_is_dropped_with_the_reason_and_its_work_is_stopped(worker: Worker) -> None:
    reasons, delivered = [""], []
    job = job_of(until_cancelled, unwanted=lambda: reasons[-1], deliver=lambda *a: delivered.append(a))
    worker.submit(job)
    poll_until(worker, lambda: job.state is JobState.RUNNING)
    reasons.append("'Scan' was removed from the scene.")
    worker.wait(job, on_idle=Patience(20).check)
    assert (job.state, job.message) == (JobState.DROPPED, "'Scan' was removed from the scene.")
    assert delivered == []


def test_a_finished_result_is_dropped_if_it_became_unwanted_before_its_delivery(worker: Worker) -> None:
    reasons, delivered, finished = [""], [], threading.Event()

    def work(context: JobContext) -> None:
        finished.set()

    job = job_of(work, unwanted=lambda: reasons[-1], deliver=lambda *a: delivered.append(a))
    worker.submit(job)
    worker.poll()
    assert finished.wait(limit(20))
    reasons.append("Closed.")
    worker.wait(job, on_idle=Patience(20).check)
    assert (job.state, delivered) == (JobState.DROPPED, [])


def test_intermediate_results_are_delivered_in_order_before_the_final_one(worker: Worker) -> None:
    def work(context: JobContext) -> str:
        context.publish("coarse")
        context.publish("finer")
        return "final"

    delivered: list[Any] = []
    run(worker, job_of(work, deliver=lambda value, final: delivered.append((value, final))))
    assert delivered == [("coarse", False), ("finer", False), ("final", True)]


def test_an_intermediate_result_that_cannot_be_delivered_stops_and_fails_the_job(worker: Worker) -> None:
    def deliver(value: Any, final: bool) -> None:
        raise DeviceError("Cannot be shown.")

    def work(context: JobContext) -> None:
        context.publish("coarse")
        until_cancelled(context)

    job = run(worker, job_of(work, deliver=deliver))
    assert (job.state, job.message) == (JobState.FAILED, "Cannot be shown.")


def test_a_poll_from_within_a_delivery_does_not_deliver_the_next_result_first(worker: Worker) -> None:
    delivered, worked = [], threading.Event()

    def work(context: JobContext) -> str:
        context.publish("coarse")
        context.publish("finer")
        worked.set()
        return "final"

    def deliver(value: Any, final: bool) -> None:
        assert worked.wait(limit(20))
        worker.poll()
        delivered.append(value)

    job = run(worker, job_of(work, deliver=deliver))
    assert job.state is JobState.DONE, job.message
    assert delivered == ["coarse", "finer", "final"]


def test_closing_cancels_what_runs_ends_the_thread_and_refuses_more() -> None:
    worker, ended = Worker(), []
    job = job_of(until_cancelled, on_end=ended.append)
    worker.submit(job)
    poll_until(worker, lambda: job.state is JobState.RUNNING)
    thread = worker._thread
    assert thread is not None and thread.is_alive()
    assert worker.close()
    assert not thread.is_alive()
    assert ended == [job]
    assert job.state is JobState.CANCELLED
    with pytest.raises(LightMedSegError, match="shutting down"):
        worker.submit(job_of(until_cancelled))
    assert worker.close(), "closing twice is allowed"


def test_closing_does_not_wait_for_ever_for_work_that_does_not_listen() -> None:
    worker, release = Worker(), threading.Event()
    job = job_of(lambda context: release.wait(limit(20)))
    worker.submit(job)
    poll_until(worker, lambda: job.state is JobState.RUNNING)
    assert not worker.close(timeout=0.05)
    assert job.state is JobState.CANCELLED
    release.set()


def test_waiting_serves_the_caller_meanwhile_and_gives_up_in_time(worker: Worker) -> None:
    idle: list[int] = []
    job = job_of(until_cancelled)
    worker.submit(job)
    with pytest.raises(TimeoutError):
        worker.wait(job, timeout=0.2, on_idle=lambda: idle.append(1))
    assert idle
    worker.cancel()
    worker.wait(job, on_idle=Patience(20).check)


def test_an_ended_job_holds_none_of_its_input(worker: Worker) -> None:
    import gc
    import weakref

    def make() -> tuple[Job, Any]:
        big = threading.Event()
        return job_of(lambda context: big and 1, deliver=lambda value, final: big and 2), weakref.ref(big)

    job, reference = make()
    assert run(worker, job).outcome == 2
    poll_until(worker, lambda: gc.collect() >= 0 and reference() is None)


@pytest.mark.parametrize("close_scene", [False, True], ids=["done", "scene closed"])
def test_the_end_is_told_in_a_poll_of_its_own_after_the_delivery(worker: Worker, close_scene: bool) -> None:
    """Writing a result and showing it would be one long stop together."""
    told: list[str] = []
    job = job_of(lambda context: 1, deliver=lambda value, final: told.append("delivered"))
    job.on_end = lambda job: told.append("ended")
    worker.submit(job)
    poll_until(worker, lambda: bool(told))
    assert told == ["delivered"] and worker.job is job
    if close_scene:
        job.drop("The scene was closed.")
    worker.poll()
    assert told == ["delivered", "ended"] and worker.job is None
    assert job.state is (JobState.DROPPED if close_scene else JobState.DONE)


def test_the_work_rests_until_its_preview_is_delivered(worker: Worker) -> None:
    order: list[str] = []

    def work(context: JobContext) -> str:
        context.publish("coarse", rest_seconds=limit(20))
        order.append("goes on")
        return "final"

    run(worker, job_of(work, deliver=lambda value, final: order.append(value)))
    assert order == ["coarse", "goes on", "final"]


def test_cancelling_ends_the_rest(worker: Worker) -> None:
    cancelled = threading.Event()

    def work(context: JobContext) -> None:
        assert cancelled.wait(limit(20))
        context.publish("coarse", rest_seconds=10_000)
        context.cancel.raise_if_cancelled()

    worker.submit(job := job_of(work))
    worker.poll()
    job.cancel()
    cancelled.set()
    worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.CANCELLED
