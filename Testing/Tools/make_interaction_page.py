"""Writes Documentation/interaction.md from the files in Documentation/interaction.

    python Testing/Tools/make_interaction_page.py [--check]

prompts.csv and corrections.csv are what Testing/Benchmarks/interaction.py and correction_effort.py wrote, and
corrections-tuning.csv what the latter wrote for prompted/tuning-cases.json. text.md says what was measured and names
the tables. --check writes nothing and exits with 1 where the page is not current.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Benchmarks")]

from generated_page import write_or_check  # noqa: E402
from prompted import effort_table, prompt_table  # noqa: E402
from prompted.effort import Effort  # noqa: E402
from prompted.kept_rows import read_rows  # noqa: E402
from prompted.prompt_rounds import Rounds  # noqa: E402
from prompted.prompted_cases import case_groups  # noqa: E402
from report import markdown  # noqa: E402

FOLDER = ROOT / "Documentation" / "interaction"
PAGE = ROOT / "Documentation" / "interaction.md"


def page() -> str:
    """The whole page: text.md with each table where it names it."""
    rounds = [Rounds.of_row(row) for row in read_rows(FOLDER / "prompts.csv")]
    efforts, tuning = (
        [Effort.of_row(row) for row in read_rows(FOLDER / f"{name}.csv")]
        for name in ("corrections", "corrections-tuning")
    )
    groups = case_groups("prompts")
    models = {group["group"]: group["title"] for group in case_groups("corrections")}
    unseen = [group["group"] for group in groups if not group["trained_on"]]
    tables = {
        "in-short": [
            {"measure": row["goal"], "result": row["reached"]} for row in prompt_table.goal_rows(rounds, unseen)
        ]
        + effort_table.short_rows(efforts),
        "methods": prompt_table.summary(rounds, {group["group"]: group["title"] for group in groups}),
        "structures": prompt_table.structure_rows(rounds),
        "corrections": effort_table.summary(efforts, models),
        "tuning": effort_table.summary(tuning, models),
    }
    text = (FOLDER / "text.md").read_text(encoding="utf-8")
    for name, rows in tables.items():
        text = text.replace(f"[{name}]\n", markdown(rows) + "\n")
    return text


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), __doc__))
