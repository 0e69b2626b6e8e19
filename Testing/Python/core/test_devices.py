"""Choosing a device by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from forked import forked

from LightMedSegLib.core.devices import list_devices, processor_threads, select_device
from LightMedSegLib.core.errors import DeviceError


@pytest.fixture
def two_cuda_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"Card {index}")


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_accelerator")
def test_auto_takes_the_cpu_where_there_is_nothing_else_and_says_why() -> None:
    device = select_device("auto")
    assert (device.name, device.kind) == ("cpu", "cpu")
    assert "no CUDA" in device.reason


@pytest.mark.usefixtures("two_cuda_devices")
def test_auto_takes_the_first_cuda_device() -> None:
    assert select_device("auto").name == "cuda:0"
    assert select_device("auto").reason == "Card 0"


@pytest.mark.usefixtures("two_cuda_devices")
def test_a_cuda_device_is_chosen_by_number_and_cuda_alone_is_the_first() -> None:
    assert select_device("cuda:1").name == "cuda:1"
    assert select_device(" CUDA ").name == "cuda:0"
    assert select_device("cpu").name == "cpu"


@pytest.mark.usefixtures("no_accelerator")
def test_auto_leaves_an_apple_gpu_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert select_device("auto").name == "cpu"
    assert select_device("mps").name == "mps"


@pytest.mark.usefixtures("no_accelerator")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_this_computer_lacks_is_refused_with_those_it_has(name: str) -> None:
    with pytest.raises(DeviceError, match=rf"'{name}' is not available.*use auto, cpu"):
        select_device(name)


@pytest.mark.usefixtures("two_cuda_devices")
def test_a_cuda_number_too_high_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"'cuda:7' is not available.*cuda:0, cuda:1"):
        select_device("cuda:7")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:-1", "cpu:0", "cuda:1x", "tpu"])
def test_an_unknown_device_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(DeviceError, match=f"'{name}' is unknown"):
        select_device(name)


@pytest.mark.usefixtures("two_cuda_devices")
def test_the_list_ends_with_the_cpu() -> None:
    assert [device.name for device in list_devices()][:2] == ["cuda:0", "cuda:1"]
    assert list_devices()[-1].name == "cpu"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forked processes")
def test_a_forked_process_keeps_to_one_thread_whatever_number_is_asked_for(tmp_path: Path) -> None:
    """It would wait forever for the threads that its parent had."""

    def work() -> int:
        with processor_threads(2):
            return torch.get_num_threads()

    assert forked(work, ["work"], tmp_path).returncode == 1
