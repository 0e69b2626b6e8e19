"""The tables and the plot of the page on doubt, from the files that doubt.py wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Row = Mapping[str, str]


def voxels_table(cases: Sequence[Row]) -> list[dict[str, str]]:
    """For each model the area under the curve of its doubt."""
    rows = []
    for model, own in _by_model(cases).items():
        areas = _numbers(own, "auroc")
        row = {
            "model": model,
            "scans": str(len(own)),
            "AUROC": f"{areas.mean():.3f}",
            "lowest": f"{areas.min():.3f}",
            "wrong voxels expected / counted": f"{_ratio(own, 'expected_errors', 'errors'):.2f}",
        }
        rows.append(row)
    return rows


def measures_table(measures: Sequence[Row]) -> list[dict[str, str]]:
    """For each model the area under the curve of each measure of doubt, on the scans that were compared."""
    rows = []
    for model, own in _by_model(measures).items():
        row = {"model": model, "first scans": str(len({one["case"] for one in own}))}
        for name in dict.fromkeys(one["measure"] for one in own):
            row[name] = f"{_numbers([one for one in own if one['measure'] == name], 'auroc').mean():.4f}"
        rows.append(row)
    return rows


def slices_table(cases: Sequence[Row]) -> list[dict[str, str]]:
    """For each model the shares of its wrong voxels in a tenth of the slices, and in the first places."""
    rows = []
    for model, own in _by_model(cases).items():
        means = {name: _numbers(own, name).mean() for name in ("proposed", "best", "tenth", "random", "places")}
        rows.append(
            {
                "model": model,
                "proposed slices": _percent(means["proposed"]),
                "best possible": _percent(means["best"]),
                "of the best possible": _percent(means["proposed"] / means["best"]),
                "every tenth": _percent(means["tenth"]),
                "random": _percent(means["random"]),
                "first places": _percent(means["places"]),
            }
        )
    return rows


def dice_table(cases: Sequence[Row], structures: Sequence[Row]) -> list[dict[str, str]]:
    """For each model how far the expected Dice is from the true one, of structures and of the means of scans."""
    rows = []
    for model, own in _by_model(cases).items():
        points = [row for row in _by_model(structures).get(model, []) if row["expected_dice"] and row["dice"] != "nan"]
        if not points:
            continue
        apart = _numbers(points, "expected_dice") - _numbers(points, "dice")
        scans = _numbers(own, "expected_dice") - _numbers(own, "dice")
        rows.append(
            {
                "model": model,
                "structures": str(len(points)),
                "mean Dice": f"{_numbers(points, 'dice').mean():.3f}",
                "mean error of one structure": f"{np.abs(apart).mean():.3f}",
                "median error": f"{np.median(np.abs(apart)):.3f}",
                "error of a constant": f"{_error_of_a_constant(points):.3f}",
                "mean error of one scan": f"{np.abs(scans).mean():.3f}",
                "expected minus true": f"{apart.mean():+.3f}",
            }
        )
    return rows


def _error_of_a_constant(points: Sequence[Row]) -> float:
    """Return the mean error of the best constant for each structure, the median of these very cases."""
    apart = []
    for name in {row["structure"] for row in points}:
        own = _numbers([row for row in points if row["structure"] == name], "dice")
        apart.append(np.abs(own - np.median(own)))
    return float(np.concatenate(apart).mean())


def cost_table(cases: Sequence[Row], memory: Sequence[Row]) -> list[dict[str, str]]:
    """For each model time and memory of a run with and without doubt."""
    rows = []
    for model, own in _by_model(cases).items():
        plain, doubt = (_numbers(own, name) for name in ("seconds", "seconds_doubt"))
        ratio = float(np.median(doubt / plain))
        peak = _by_model(memory).get(model)
        rows.append(
            {
                "model": model,
                "seconds without": f"{np.median(plain):.2f}",
                "with": f"{np.median(doubt):.2f}",
                "median of with / without": f"{ratio:.2f}",
                "MB without": f"{float(peak[0]['megabytes']):.0f}" if peak else "-",
                "MB with": f"{float(peak[0]['megabytes_doubt']):.0f}" if peak else "-",
                "seconds for the places": f"{np.median(_numbers(own, 'seconds_places')):.2f}",
            }
        )
    return rows


def plot(path: Path, structures: Sequence[Row]) -> None:
    """Expected over true Dice, a point per structure and scan, a panel per model."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    models = _by_model([row for row in structures if row["expected_dice"] and row["dice"] != "nan"])
    figure, panels = pyplot.subplots(1, len(models), figsize=(4 * len(models), 4), squeeze=False)
    for axes, (model, own) in zip(panels[0], models.items(), strict=True):
        true, expected = _numbers(own, "dice"), _numbers(own, "expected_dice")
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axes.scatter(true, expected, s=8, alpha=0.5, color="tab:blue")
        axes.set(title=model, xlabel="Dice", ylabel="expected Dice", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _by_model(rows: Sequence[Row]) -> dict[str, list[Row]]:
    models = dict.fromkeys(row["model"] for row in rows)
    return {model: [row for row in rows if row["model"] == model] for model in models}


def _numbers(rows: Sequence[Row], column: str) -> np.ndarray:
    return np.array([float(row[column]) for row in rows])


def _ratio(rows: Sequence[Row], upper: str, lower: str) -> float:
    return float(_numbers(rows, upper).sum() / _numbers(rows, lower).sum())


def _percent(share: float) -> str:
    return f"{share:.0%}"
