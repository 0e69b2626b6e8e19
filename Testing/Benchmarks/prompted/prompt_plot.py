"""Dice over the number of prompts, a panel for each group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prompted.prompt_methods import OURS, TOLD
from prompted.prompt_rounds import Rounds
from prompted.prompt_table import mean_dice, of, present

COLOURS = {OURS: "tab:red", "random walker": "tab:blue", "geodesic": "tab:green", "grow from seeds": "tab:orange"}


def plot(path: Path, rounds: Sequence[Rounds], titles: dict[str, str]) -> None:
    """Write the plot; methods that are told the object's box have dashed lines."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [group for group in titles if any(entry.group == group for entry in rounds)]
    figure, panels = pyplot.subplots(1, len(shown), figsize=(4 * len(shown), 4.8), sharey=True, squeeze=False)
    for axes, group in zip(panels[0], shown, strict=True):
        for method in present(rounds):
            own = of(rounds, method, group)
            if own:
                counts = range(1, len(own[0].dice) + 1)
                axes.plot(
                    counts,
                    [mean_dice(own, count) for count in counts],
                    color=COLOURS[method.removesuffix(TOLD)],
                    linestyle="--" if method.endswith(TOLD) else "-",
                    linewidth=3.5 if method == OURS else 2,
                    label=method,
                )
        axes.set_title(titles[group].replace(", ", ",\n", 1), fontsize=14)
        axes.set_xlabel("prompts", fontsize=14)
        axes.set(ylim=(0, 1), xticks=(1, 3, 5, 10))
        axes.tick_params(labelsize=13)
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel("mean Dice", fontsize=14)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, fontsize=13, frameon=False)
    figure.tight_layout(rect=(0, 0.15, 1, 1))
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
