"""Compiling for CUDA: where it is tried, the process that does it, and what is kept on disk; without a device."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from paths import REPOSITORY
from patience import limit, wait_for

from LightMedSegLib.network import LightMedSeg, build_network
from LightMedSegLib.network.cuda import choice, support
from LightMedSegLib.network.cuda.__main__ import main
from LightMedSegLib.network.cuda.agreement import LEAST_ON_NOISE, disagreement
from LightMedSegLib.network.cuda.choice import CUDA_PATH_VARIABLE, prepare_for_cuda
from LightMedSegLib.network.cuda.compilation import compile_pass
from LightMedSegLib.network.cuda.kept import (
    Outcome,
    compiled_folder,
    make_room,
    read_outcome,
    task_folder,
    write_outcome,
)
from LightMedSegLib.network.cuda.network import RecordedNetwork
from LightMedSegLib.network.cuda.task import CompileTask
from LightMedSegLib.network.cuda.warming import warm
from LightMedSegLib.storage.file_lock import exclusive


def network() -> LightMedSeg:
    torch.manual_seed(0)
    return build_network("lightmedseg-tiny", 1, 3).eval()


def a_task(**changes: Any) -> CompileTask:
    x = torch.zeros(1, 1, 16, 16, 16)
    task = CompileTask.of(network(), "float32", tuple(x.shape), tuple(x.stride()), "cpu")
    return CompileTask(**{**vars(task), **changes})


def program(code: str) -> list[str]:
    return [sys.executable, "-c", f"import sys, time, json, pathlib; folder = pathlib.Path(sys.argv[2]); {code}"]


READY = "(folder / 'outcome.json').write_text(json.dumps({'reason': '', 'seconds': 1.0}))"


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def can_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer on which everything is there."""
    monkeypatch.setattr(support.sys, "platform", "linux")
    monkeypatch.setattr(support.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(support.shutil, "which", lambda name: name)
    monkeypatch.setattr(support.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(support.torch.cuda, "get_device_capability", lambda device: (8, 6))


@pytest.mark.parametrize(
    ("where", "name", "value", "words"),
    [
        (support.sys, "platform", "win32", "Linux only"),
        (support.importlib.util, "find_spec", lambda name: None, "Triton is not installed"),
        (support.shutil, "which", lambda name: None, "no C compiler"),
        (support.torch.cuda, "is_available", lambda: False, "no CUDA device"),
        (support.torch.cuda, "get_device_capability", lambda device: (6, 1), "does not support this graphics card"),
    ],
)
def test_what_is_missing_is_said_and_the_network_is_recorded_all_the_same(
    can_compile: None, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, value: Any, words: str
) -> None:
    device = torch.device("cuda:0")
    assert support.why_not_compiled(device) == ""
    monkeypatch.setattr(where, name, value)
    reason = support.why_not_compiled(device)
    assert words in reason
    monkeypatch.setattr(choice, "why_not_compiled", lambda device: reason)
    recorded = prepare_for_cuda(network())
    assert isinstance(recorded, RecordedNetwork) and recorded._compiler is None
    assert recorded.explanation.endswith(f"it is not compiled: {reason}.")


def test_one_setting_switches_compiling_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "why_not_compiled", lambda device: "")
    monkeypatch.delenv(CUDA_PATH_VARIABLE, raising=False)
    chosen = prepare_for_cuda(network())
    assert isinstance(chosen, RecordedNetwork) and chosen._compiler is not None
    for path in ("float16", "float32"):
        monkeypatch.setenv(CUDA_PATH_VARIABLE, path)
        chosen = prepare_for_cuda(network())
        assert isinstance(chosen, RecordedNetwork) and chosen._compiler is None
        assert chosen.explanation == f"The network runs on CUDA as a CUDA graph in {path}."


def test_a_task_survives_json_and_its_key_changes_with_what_it_depends_on() -> None:
    task = a_task()
    assert CompileTask.from_json(task.to_json()).to_json() == task.to_json()
    assert CompileTask.from_json(task.to_json()).key == task.key
    others = [a_task(shape=(2, 1, 16, 16, 16)), a_task(precision="float16"), a_task(num_classes=4)]
    assert len({task.key, *(other.key for other in others)}) == 4
    rebuilt = CompileTask.from_json(task.to_json()).network_pass()
    expected = {name: tuple(value.shape) for name, value in network().state_dict().items()}
    assert {name: tuple(value.shape) for name, value in rebuilt.network.state_dict().items()} == expected
    assert task.sample().stride() == task.stride


def test_the_process_compiles_once_and_the_next_session_finds_it(stop: threading.Event) -> None:
    task = a_task()
    assert warm(task, stop, program(READY)) == ""
    assert warm(task, stop, program("sys.exit('a second process')")) == ""
    failed = a_task(num_classes=5)
    reason = READY.replace("'reason': ''", "'reason': 'no header'")
    assert warm(failed, stop, program(reason)) == "no header"
    assert warm(failed, stop, program(READY)) == "no header", "a failure of the compiler is remembered"


def test_a_process_that_dies_is_a_reason_and_is_tried_again(stop: threading.Event) -> None:
    task = a_task()
    assert warm(task, stop, program("sys.exit(7)")) == "the compiler ended with code 7"
    assert warm(task, stop, program(READY)) == ""


def test_stopping_ends_the_process_at_once(stop: threading.Event) -> None:
    started = "(folder / 'pid').write_text(str(__import__('os').getpid())); time.sleep(600)"
    task = a_task()
    file = task_folder(task.key) / "pid"

    def stop_once_it_runs() -> None:
        wait_for(lambda: file.is_file() and file.read_text())
        stop.set()

    threading.Thread(target=stop_once_it_runs).start()
    assert warm(task, stop, program(started)) == "it was stopped"
    pid = int(file.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert read_outcome(task_folder(task.key)) is None


def test_the_process_ends_when_its_parent_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of its standard input is the end of its parent."""
    import subprocess

    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    code = (
        "import LightMedSegLib.core.child_process as process; process._GRACE_SECONDS = 0.1; "
        "import LightMedSegLib.network.cuda.trial as trial, time; trial.trial = lambda *rest: time.sleep(600) or ''; "
        "from LightMedSegLib.network.cuda.__main__ import main; import sys; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, a_task().to_json(), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        time.sleep(1.0)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(limit(60)) == 1
    assert read_outcome(tmp_path) is None


@pytest.mark.parametrize(("result", "code", "reason"), [("", 0, ""), ("it differs", 1, "it differs")])
def test_the_process_writes_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str, code: int, reason: str
) -> None:
    import LightMedSegLib.network.cuda.__main__ as process
    from LightMedSegLib.network.cuda import trial

    monkeypatch.setattr(process, "lower_priority", lambda: None)
    monkeypatch.setattr(process, "watched", lambda *rest, **more: threading.Lock())
    monkeypatch.setattr(trial, "trial", lambda text, folder, threads: result)
    assert main(["{}", str(tmp_path)]) == code
    outcome = read_outcome(tmp_path)
    assert outcome is not None and outcome.reason == reason

    def fail(text: str, folder: Path, threads: int) -> str:
        raise RuntimeError("nvrtc failed.\nmore")

    monkeypatch.setattr(trial, "trial", fail)
    assert main(["{}", str(tmp_path)]) == 1
    outcome = read_outcome(tmp_path)
    assert outcome is not None and outcome.reason == "nvrtc failed"


def test_memory_that_runs_out_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import LightMedSegLib.network.cuda.__main__ as process
    from LightMedSegLib.network.cuda import trial

    def fail(text: str, folder: Path, threads: int) -> str:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(process, "lower_priority", lambda: None)
    monkeypatch.setattr(process, "watched", lambda *rest, **more: threading.Lock())
    monkeypatch.setattr(trial, "trial", fail)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        main(["{}", str(tmp_path)])
    assert read_outcome(tmp_path) is None


def test_only_one_program_compiles_at_a_time(stop: threading.Event) -> None:
    with exclusive(compiled_folder() / "lock"):
        assert warm(a_task(), stop, program(READY)) == "another program is compiling at this moment"


def test_a_folder_that_cannot_be_written_is_a_reason(stop: threading.Event, tmp_path: Path) -> None:
    compiled_folder().parent.mkdir(parents=True, exist_ok=True)
    compiled_folder().write_text("a file in its place")
    assert "cannot be used" in warm(a_task(), stop, program(READY))


@pytest.mark.skipif(os.name != "posix", reason="permissions of another kind")
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_what_others_could_have_written_is_never_loaded(stop: threading.Event, mode: int) -> None:
    task = a_task()
    assert warm(task, stop, program(READY)) == ""
    assert compiled_folder().stat().st_mode & 0o777 == 0o700
    compiled_folder().chmod(mode)
    assert "others can write into" in warm(task, stop, program(READY))
    compiled_folder().chmod(0o755)
    assert warm(task, stop, program("sys.exit(7)")) == ""


def test_what_somebody_else_owns_is_never_loaded(stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: compiled_folder().stat().st_uid + 1, raising=False)
    monkeypatch.setattr(os, "name", "posix")
    assert "others can write into" in warm(a_task(), stop, program(READY))


def test_what_was_not_used_for_longest_makes_room() -> None:
    for age, name in enumerate(("new", "older", "oldest")):
        folder = task_folder(name)
        folder.mkdir(parents=True)
        (folder / "kernel").write_bytes(bytes(1000))
        write_outcome(folder, Outcome(""))
        os.utime(folder / "outcome.json", (1e9 - age, 1e9 - age))
    assert read_outcome(task_folder("oldest")) == Outcome("")
    make_room(2500)
    assert sorted(path.name for path in compiled_folder().iterdir()) == ["new", "oldest"], "reading it is using it"
    make_room(0)
    assert list(compiled_folder().iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"reason": "", "seconds": "soon"}'])
def test_an_outcome_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "outcome.json").write_text(text)
    assert read_outcome(tmp_path) is None
    (tmp_path / "outcome.json").write_text(json.dumps({"reason": "", "seconds": 2}))
    assert read_outcome(tmp_path) == Outcome("", 2.0)


def test_the_compilers_folders_are_set_only_while_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", "the user's")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    seen: dict[str, Any] = {}

    def stand_in(run: Any, dynamic: bool, options: dict[str, Any]) -> Any:
        from torch._inductor import config

        seen.update({name: os.environ[name] for name in ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")})
        seen.update(threads=config.compile_threads, calls=0, rounds=options["emulate_precision_casts"])

        def compiled(x: torch.Tensor) -> torch.Tensor:
            seen["calls"] += 1
            assert torch.is_inference_mode_enabled()
            return run(x)

        return compiled

    monkeypatch.setattr(torch, "compile", stand_in)
    compile_pass(torch.nn.Identity(), torch.zeros(1), tmp_path)
    assert seen == {
        "TRITON_CACHE_DIR": str(tmp_path / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor"),
        "threads": 1,
        "calls": 2,
        "rounds": True,
    }
    assert os.environ["TRITON_CACHE_DIR"] == "the user's" and "TORCHINDUCTOR_CACHE_DIR" not in os.environ


def test_a_compiled_pass_that_labels_a_scan_otherwise_is_refused() -> None:
    expected = torch.zeros(1, 2, 10, 10, 10)
    expected[:, 1] = 1.0
    found = expected.clone()
    found[0, 1].view(-1)[:2] = -1e-3
    expected[0, 1].view(-1)[:2] = 1e-3
    assert disagreement(found, expected) == "only 99.80% of its labels agree"
    assert disagreement(found, expected, LEAST_ON_NOISE) == ""
    assert disagreement(expected, expected) == ""
    assert "differ by" in disagreement(expected * 1.02, expected)
    assert "differ by" in disagreement(expected * float("nan"), expected)
