"""The benchmark's own parts: the light networks built for it, the choice of contestants, and the report."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("name", "published_millions", "published_gmac"), [("SegFormer3DLike", 4.5, 17.5), ("SlimUNETRLike", 1.8, 2.9)]
)
def test_the_light_peers_have_about_the_published_size_and_cost(
    name: str, published_millions: float, published_gmac: float
) -> None:
    import light_peers

    from LightMedSegLib.network.complexity import count_multiply_adds, count_parameters

    network = getattr(light_peers, name)(4, 3).eval()
    assert count_parameters(network) / 1e6 == pytest.approx(published_millions, rel=0.15)
    assert count_multiply_adds(network, (1, 4, 128, 128, 128)) / 1e9 == pytest.approx(published_gmac, rel=0.15)
    with torch.inference_mode():
        assert network(torch.zeros(1, 4, 32, 64, 32)).shape == (1, 3, 32, 64, 32)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("quick", [True, False])
def test_every_contestant_has_a_title_of_its_own_and_ours_is_among_them(device: str, quick: bool) -> None:
    from contestants import contestants, default_title

    titles = [entry.title for entry in contestants(device, quick)]
    assert len(set(titles)) == len(titles)
    assert default_title(device) in titles


def test_our_contestants_give_the_same_logits_in_both_engines() -> None:
    from contestants import contestants

    x = torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    ours = [entry for entry in contestants("cpu", quick=True) if entry.name == "lightmedseg-tiny"]
    assert {entry.engine for entry in ours} == {"fast", "plain", "channels-last"}
    with torch.inference_mode():
        logits = {entry.title: entry.prepare(1, 3, 32, "cpu")(x).float() for entry in ours}
    reference = logits["lightmedseg-tiny, plain, float32"]
    assert (logits["lightmedseg-tiny, fast, float32"] - reference).abs().max() < 1e-4
    assert all((other - reference).abs().max() < 0.2 for other in logits.values())


def test_the_table_counts_cost_and_the_machines_least_seconds() -> None:
    from contestants import contestants
    from network_table import _cost

    machine = {"peak_gmac_float32": 100.0, "peak_gmac_bfloat16": 200.0, "bandwidth_gb": 30.0}
    entry = next(one for one in contestants("cpu", quick=True) if one.name == "lightmedseg")
    cost = _cost(entry, 96, machine)
    assert cost["parameters_m"] == pytest.approx(0.48, abs=0.01)
    assert cost["gmac"] == pytest.approx(3.15, rel=0.02)
    assert cost["bound_seconds"] >= cost["gmac"] / 100 - 1e-3
    assert cost["traffic_gb"] > 2 * 4 * 96**3 / 1e9
    dynunet = next(one for one in contestants("cpu", quick=True) if one.name == "DynUNet (nnU-Net)")
    assert _cost(dynunet, 64, machine)["parameters_m"] == pytest.approx(31.2, abs=0.1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells it")
def test_memory_is_measured_in_a_process_of_its_own_and_a_failure_is_told() -> None:
    from contestants import contestants
    from network_table import _peak_memory

    entry = next(one for one in contestants("cpu", quick=True) if one.name == "lightmedseg-tiny")
    assert int(_peak_memory(entry, 64, "cpu")) > 0
    with pytest.raises(RuntimeError, match="nobody, fast, float32 could not be measured") as failure:
        _peak_memory(replace(entry, name="nobody"), 64, "cpu")
    assert "StopIteration" in str(failure.value)


def test_the_rows_of_whole_scans_say_who_made_them_and_how_long_each_stage_took() -> None:
    import SimpleITK as sitk
    from end_to_end import _timed

    from LightMedSegLib.inference.result import STAGES
    from LightMedSegLib.io.sample_data import sample_path
    from LightMedSegLib.model.store import resolve_model

    image = sitk.ReadImage(str(sample_path("hippocampus")))
    rows = _timed("crop", "ours", image, resolve_model("hippocampus-t1-mr"), "cpu", 1)
    assert [(row["scan"], row["by"], row["state"]) for row in rows] == [("crop", "ours", s) for s in ("cold", "warm")]
    assert all(0 < row["network"] < row["seconds"] and set(STAGES) <= set(row) for row in rows)


def test_rows_become_csv_and_markdown(tmp_path: Path) -> None:
    from report import markdown, write_csv

    rows = [{"network": "a, b", "seconds": 0.5}, {"network": "c", "seconds": 2}]
    write_csv(tmp_path / "rows.csv", rows)
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [{"network": "a, b", "seconds": "0.5"}, {"network": "c", "seconds": "2"}]
    assert markdown(rows).splitlines() == ["| network | seconds |", "|---|---|", "| a, b | 0.5 |", "| c | 2 |"]


def test_the_plot_shows_the_networks_of_the_largest_volume(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from report import plot

    row = {"network": "lightmedseg", "engine": "fast", "precision": "float32", "edge": 96, "gmac": 6.2, "seconds": 0.2}
    plot(tmp_path / "plot.png", [row, {**row, "network": "UNETR", "engine": "plain", "gmac": 73.0}])
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_benchmark_of_a_busy_machine_gives_a_row_for_each_load_and_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import busy_machine

    from LightMedSegLib.io.sample_data import sample_path

    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def kept(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(busy_machine.subprocess, "Popen", kept)
    table = busy_machine.rows(sample_path("hippocampus"), "hippocampus-t1-mr", 1, busy=(0, 1), waiting=("passive",))
    assert [(row["busy"], row["waiting"]) for row in table] == [(0, "passive"), (1, "passive")]
    assert all(row["seconds"] > 0 and row["processor_seconds"] > 0 for row in table)
    assert table[0]["times_quiet"] == 1
    assert started
    assert all(process.poll() is not None for process in started)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="looks into /proc")
def test_the_peak_memory_is_that_of_the_process_that_segments(package: Path, scan: Path) -> None:
    import peak_memory

    assert 100 < peak_memory.peak_megabytes(scan, str(package)) < 4000
    with pytest.raises(subprocess.CalledProcessError):
        peak_memory.peak_megabytes(scan.parent / "missing.nii.gz", str(package))


def test_the_comparison_on_cuda_prints_rows_goes_on_after_a_failure_and_needs_no_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import cuda_forms
    import on_cuda

    forms = (cuda_forms.Form("nobody", "float32", False, False), cuda_forms.FORMS[0], cuda_forms.FORMS[2])
    monkeypatch.setattr(on_cuda, "FORMS", forms)
    options = ["--device", "cpu", "--edge", "32", "--rounds", "1", "--no-scans", "--output", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["on_cuda.py", *options])
    assert on_cuda.main() == 0
    printed = capsys.readouterr().out
    assert "FAILED nobody, float32: KeyError" in printed and "DONE after" in printed
    with (tmp_path / "cuda-networks.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["form"] for row in rows] == ["lightmedseg, float32"] and float(rows[0]["ms"]) > 0


def test_a_network_is_recorded_for_inference_as_the_engine_records_it() -> None:
    """With gradients possible, a recording has other kernels."""
    import cuda_forms

    modes = []

    def prepare() -> Callable[[torch.Tensor], torch.Tensor]:
        modes.append(torch.is_inference_mode_enabled())
        return lambda x: x

    row = cuda_forms.measured("copy", prepare, torch.zeros(1, 1, 2, 2, 2), rounds=1)
    assert modes == [True] and row["form"] == "copy"
