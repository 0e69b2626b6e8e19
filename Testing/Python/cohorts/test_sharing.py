"""How many jobs a computer gets: by its memory, its processors and its graphics cards."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk
from cohort_tasks import ON_CPU, scan_task
from volumes_on_disk import dicom_series

from LightMedSegLib.cohorts import memory, sharing
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.devices import Device
from LightMedSegLib.core.process import available_memory
from LightMedSegLib.inference.memory import needed_bytes
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.package import load_model

TWO_CARDS = [Device("cuda:0", "a card"), Device("cuda:1", "a card"), Device("cpu", "2 threads")]


@pytest.fixture
def card(package: Path) -> ModelCard:
    return load_model(package).card


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 1e-38, 1.0), (1e30, 1e30, 1e30)])
def test_a_scan_that_cannot_be_segmented_does_not_stop_the_sharing(
    spacing: tuple[float, ...], tasks: list[ScanTask], card: ModelCard
) -> None:
    image = sitk.Image([4] * len(spacing), sitk.sitkUInt8)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(tasks[0].scan.images[0]))
    assert memory.largest_need(tasks[:1], card) >= 0
    assert memory.largest_need(tasks, card) > 0


def test_jobs_are_as_many_as_memory_holds(
    tasks: list[ScanTask], card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "processors", lambda: 8)
    monkeypatch.setattr(available_memory, "available_bytes", lambda: 2_500_000_000)
    tasks = tasks * 2
    share = sharing.share_out(8, tasks, card, ON_CPU)
    assert share.devices == ("cpu",) * 3
    (note,) = share.notes
    assert note == (
        "The number of jobs was lowered from 8 to 3: the largest scan needs about 0.6 GB of memory, "
        "and 2.5 GB are free."
    )
    monkeypatch.setattr(available_memory, "available_bytes", lambda: 1)
    assert sharing.share_out(8, tasks, card, ON_CPU).jobs == 1
    monkeypatch.setattr(available_memory, "available_bytes", lambda: None)
    assert sharing.share_out(8, tasks, card, ON_CPU).jobs == 8


def test_processors_are_divided_among_the_jobs(
    tasks: list[ScanTask], card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "processors", lambda: 8)
    monkeypatch.setattr(available_memory, "available_bytes", lambda: None)
    options = SegmentOptions(device="cpu")
    assert [sharing.share_out(jobs, tasks, card, options).threads for jobs in (None, 3, 20)] == [8, 2, 2]
    assert sharing.share_out(3, tasks, card, SegmentOptions(device="cpu", threads=4)).threads == 4


def test_there_are_no_more_jobs_than_scans(
    tasks: list[ScanTask], card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("LightMedSegLib.core.devices.list_devices", lambda: TWO_CARDS)
    monkeypatch.setattr(sharing, "list_devices", lambda: TWO_CARDS)
    monkeypatch.setattr(available_memory, "available_bytes", lambda: 1_000_000_000_000)
    share = sharing.share_out(1000, tasks, card, ON_CPU)
    assert (share.jobs, share.notes) == (len(tasks), [])
    assert sharing.share_out(None, tasks[:1], card, SegmentOptions()).devices == ("cuda:0",)


def test_each_graphics_card_takes_one_scan_at_a_time(
    tasks: list[ScanTask], card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("LightMedSegLib.core.devices.list_devices", lambda: TWO_CARDS)
    monkeypatch.setattr(sharing, "list_devices", lambda: TWO_CARDS)
    assert sharing.share_out(None, tasks, card, SegmentOptions()).devices == ("cuda:0", "cuda:1")
    assert sharing.share_out(1, tasks, card, SegmentOptions(device="cuda")).devices == ("cuda:0",)
    share = sharing.share_out(4, tasks, card, SegmentOptions(device="cuda:1"))
    assert share.devices == ("cuda:1",)
    assert share.notes == ["The number of jobs was lowered from 4 to 1: cuda:1 takes one scan at a time."]


def test_the_largest_scan_decides_and_a_dicom_folder_is_as_deep_as_its_files(
    tasks: list[ScanTask], card: ModelCard, package: Path, tmp_path: Path
) -> None:
    image = sitk.ReadImage(str(tasks[0].scan.images[0]))
    plain = needed_bytes(image.GetSize(), image.GetSpacing(), card, 2)
    assert memory.largest_need(tasks, card) == plain
    series = dicom_series(tmp_path / "series")
    files = len(list(series.iterdir()))
    assert files > 1
    dicom = scan_task("dicom", series, tmp_path / "results", package)
    first = sitk.ReadImage(str(next(series.iterdir())))
    assert memory.largest_need([dicom], card) == needed_bytes(
        (*first.GetSize()[:2], files), first.GetSpacing(), card, first.GetSizeOfPixelComponent()
    )


def test_memory_that_only_caches_files_counts_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "MemTotal:  16000 kB\nMemFree:  100 kB\nMemAvailable:  9000 kB\nHugePages_Total:  0\n"
    monkeypatch.setattr(available_memory.sys, "platform", "linux")
    monkeypatch.setattr(available_memory.Path, "read_text", lambda path, encoding: told)
    assert available_memory.available_bytes() == 9000 * 1024


def test_a_container_has_what_its_control_groups_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/proc/meminfo": "MemAvailable:  9000000 kB\n",
        "/proc/self/cgroup": "0::/job/step\n",
        f"{tmp_path}/job/memory.max": "4000000000\n",
        f"{tmp_path}/job/memory.current": "3000000000\n",
        f"{tmp_path}/job/memory.stat": "anon 1\ninactive_file 500000000\n",
        f"{tmp_path}/job/step/memory.max": "max\n",
        f"{tmp_path}/job/step/memory.current": "1\n",
        f"{tmp_path}/job/step/memory.stat": "inactive_file 0\n",
    }

    def read_text(path: Path, encoding: str) -> str:
        if str(path) not in files:
            raise FileNotFoundError
        return files[str(path)]

    monkeypatch.setattr(available_memory.sys, "platform", "linux")
    monkeypatch.setattr(available_memory, "_CONTROL_GROUPS", tmp_path)
    monkeypatch.setattr(available_memory.Path, "read_text", read_text)
    assert available_memory.available_bytes() == 1_500_000_000
