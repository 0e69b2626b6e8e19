"""The simulated throughput over the number of workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from cohort_simulation import curve, makespan, plot_curve


def test_workers_share_the_seconds_and_the_scheduler_bounds_them() -> None:
    assert makespan([1.0] * 8, workers=1, start=2.0, overhead=0.0) == 10.0
    assert makespan([1.0] * 8, workers=4, start=2.0, overhead=0.0) == 4.0
    assert makespan([3.0, 1.0, 1.0, 1.0], workers=2, start=0.0, overhead=0.0) == 3.0
    # However many workers: one task each 0.5 s.
    assert makespan([1.0] * 8, workers=64, start=0.0, overhead=0.5) == pytest.approx(5.0)


def test_the_curve_has_a_row_for_each_executor_and_count_and_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = curve([1.0, 2.0], 1000, 0.0, {"processes": 0.0, "Dask": 0.1}, workers=(1, 64))
    assert [(row["executor"], row["workers"]) for row in rows] == [
        ("processes", 1), ("processes", 64), ("Dask", 1), ("Dask", 64)
    ]  # fmt: skip
    assert rows[0]["efficiency"] == 1.0 and 0.9 < rows[1]["efficiency"] <= 1.0
    assert rows[3]["scans_an_hour"] == pytest.approx(36000, rel=0.03)
    plot_curve(tmp_path / "curve.png", rows)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
