"""The choice of the fastest processor path, and the predictor and engine that run it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from LightMedSegLib.core.devices import processor_threads
from LightMedSegLib.core.errors import CancelledError, DeviceError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.sliding_window.predictor import Predictor
from LightMedSegLib.io.sample_data import sample_path
from LightMedSegLib.network import build_network
from LightMedSegLib.network.cpu import FastLightMedSeg, accelerate, choice
from LightMedSegLib.network.cpu.choice import CpuPath, choose_cpu_path, fastest, prepare_for_cpu
from LightMedSegLib.network.cpu.self_check import self_check, sound_paths

torch.set_num_threads(1)

MODEL = "hippocampus-t1-mr"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, float]]:
    """A computer where nothing was measured yet, and on which bfloat16 is fastest; lists its self-checks."""
    checks: list[dict[str, float]] = []

    def check() -> dict[str, float]:
        checks.append({"reference": 3.0, "float32": 1.0, "bfloat16": 0.5})
        return checks[-1]

    monkeypatch.delenv("LIGHTMEDSEG_CPU_PATH")
    monkeypatch.setenv("LIGHTMEDSEG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(choice, "_chosen", {})
    monkeypatch.setattr(choice, "self_check", check)
    return checks


def window(seed: int = 0, size: tuple[int, int, int] = (16, 32, 16)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, *size)).astype(np.float32)


def test_the_self_check_times_every_path_of_this_computer() -> None:
    seconds = self_check()
    assert {"reference", "float32"} <= set(seconds) <= {"reference", "float32", "bfloat16"}
    assert all(value > 0 for value in seconds.values())


@pytest.mark.parametrize(("name", "error"), [("float32", 0.01), ("float32", torch.nan), ("bfloat16", 0.2)])
def test_a_path_that_is_wrong_is_left_out_however_fast_it_is(name: str, error: float) -> None:
    network = build_network("lightmedseg-tiny", 1, 3).eval()
    paths = {"reference": network, "float32": accelerate(network), "bfloat16": accelerate(network)}
    assert set(sound_paths(paths)) == {"reference", "float32", "bfloat16"}
    sound = paths[name]
    paths[name] = lambda x: sound(x) * (1 + error)
    assert set(sound_paths(paths)) == {"reference", "float32", "bfloat16"} - {name}


def test_a_path_that_is_wrong_only_where_an_output_is_one_voxel_wide_is_left_out() -> None:
    network = build_network("lightmedseg-tiny", 1, 3).eval()
    paths = {"reference": network, "float32": lambda x: network(x) * (0.5 if min(x.shape[2:]) == 16 else 1.0)}
    assert set(sound_paths(paths)) == {"reference"}


def test_a_wrong_path_that_was_asked_for_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_agrees", lambda name: name != "bfloat16")
    assert choose_cpu_path("float32").name == "float32"
    with pytest.raises(DeviceError, match="gives wrong results on this computer"):
        choose_cpu_path("bfloat16")


def test_a_computer_is_measured_once_and_remembered_over_sessions(
    measured: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = choose_cpu_path()
    assert first.name == "bfloat16"
    assert "6.0 times" in first.explanation
    assert choose_cpu_path() is first
    monkeypatch.setattr(choice, "_chosen", {})
    assert choose_cpu_path() == first
    assert len(measured) == 1


def test_another_computer_or_damaged_memory_is_measured_again(
    measured: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choose_cpu_path()
    file = tmp_path / "home" / "processor-path.json"
    sound = json.loads(file.read_text())
    damaged = ["{", "[]", json.dumps({**sound, "name": "quantum"}), json.dumps({**sound, "seconds": {"reference": 1}})]
    for count, text in enumerate([*damaged, json.dumps({**sound, "machine": "another"})], start=2):
        file.write_text(text)
        monkeypatch.setattr(choice, "_chosen", {})
        assert choose_cpu_path().name == "bfloat16"
        assert len(measured) == count


def test_a_folder_that_cannot_be_written_does_not_stop_the_work(
    measured: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIGHTMEDSEG_HOME", str(tmp_path / "file" / "home"))
    assert choose_cpu_path().name == "bfloat16"


def test_the_fastest_is_taken_but_rounding_must_pay() -> None:
    assert fastest({"reference": 3.0, "float32": 1.0}) == "float32"
    assert fastest({"reference": 1.0, "float32": 2.0}) == "reference"
    assert fastest({"reference": 3.0, "float32": 1.0, "bfloat16": 0.97}) == "float32"
    assert fastest({"reference": 3.0, "float32": 1.0, "bfloat16": 0.9}) == "bfloat16"


def test_the_user_can_overrule_the_choice(measured: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTMEDSEG_CPU_PATH", "reference")
    assert choose_cpu_path().name == "reference"
    assert choose_cpu_path("float32").name == "float32"
    with pytest.raises(DeviceError, match="use auto, reference"):
        choose_cpu_path("float64")
    assert measured == []


def test_the_engine_labels_the_sample_the_same_on_both_exact_paths() -> None:
    image = sitk.ReadImage(str(sample_path("hippocampus")))
    results = [Engine(MODEL, "cpu", cpu_path=path).segment(image).labelmap for path in ("reference", "float32")]
    first, second = (sitk.GetArrayFromImage(result) for result in results)
    assert set(np.unique(first)) == {0, 1, 2}
    assert np.array_equal(first, second)


def test_mirrored_predictions_are_the_same_on_both_exact_paths() -> None:
    network = build_network("lightmedseg-tiny", 1, 3).eval()
    fast = prepare_for_cpu(network, CpuPath("float32", {}))
    assert isinstance(fast, FastLightMedSeg)
    for seed in (0, 1):
        expected = Predictor(network, mirror=("x", "z"))(window(seed)[None])
        result = Predictor(fast, mirror=("x", "z"))(window(seed)[None])
        assert (result - expected).abs().max() < 1e-4


def test_windows_that_share_memory_are_right_one_by_one() -> None:
    fast = accelerate(build_network("lightmedseg-tiny", 1, 3).eval())
    windows = [window(0), window(1), window(2, (32, 16, 16)), window(3)]
    predictor = Predictor(fast)
    for logits, one in zip(predictor.in_batches(windows), windows, strict=True):
        assert torch.equal(logits, fast(torch.from_numpy(one)[None])[0])


def test_cancelling_stops_the_fast_network_within_its_layers() -> None:
    fast = accelerate(build_network("lightmedseg-tiny", 1, 3).eval())
    token = CancelToken()
    predictor = Predictor(fast, cancel=token)
    predictor(window()[None])
    token.cancel()
    with pytest.raises(CancelledError):
        predictor(window()[None])


def test_the_choice_does_not_depend_on_the_number_of_threads(
    measured: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = choose_cpu_path()
    monkeypatch.setattr(choice, "_chosen", {})
    with processor_threads(torch.get_num_threads() + 1):
        assert choose_cpu_path() == first
    assert len(measured) == 1
