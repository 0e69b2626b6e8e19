"""``lightmedseg train --init``: a folder with a run file and a split, ready to train."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.io.results.output_checks import make_output_folder
from LightMedSegLib.learning.own_models import model_name
from LightMedSegLib.storage.atomic_files import atomic_write
from LightMedSegLib.training.configuration.writer import sections_as_toml
from LightMedSegLib.training.planning.dataset import read_dataset
from LightMedSegLib.training.planning.run_plan import SPLIT_FILE, RunPlan, plan_run
from LightMedSegLib.training.split import PARTS, write_split

RUN_FILE = "run.toml"

_HEAD = """\
# A training run, planned from the scans by "lightmedseg train --init". Any value may be changed.
# Items that are not here have the defaults in LightMedSegLib/learning/configuration.py.

"""


def init_run(
    data: Path, folder: Path | None, minutes: float, device: str, report: Callable[[str], None] = print
) -> Path:
    """Plan a run for the cases at data, write RUN_FILE and SPLIT_FILE to folder, and return the path of the first.

    folder: None for one beside the present folder's files, named after the data. Nothing is overwritten. Raises
    TrainingDataError for unusable data, and OutputError if the folder has such files.
    """
    folder = folder or Path(f"{model_name(data.resolve().name.split('.')[0])}-run")
    for name in (RUN_FILE, SPLIT_FILE):
        if (folder / name).exists():
            raise OutputError(f"{folder / name} exists already; choose another folder with --out, or delete the file.")
    dataset = read_dataset(data, report)
    report(f"measuring a training step on {device}")
    plan = plan_run(dataset, minutes, device)
    make_output_folder(folder)
    write_split(folder / SPLIT_FILE, plan.split)
    path = folder / RUN_FILE
    with atomic_write(path) as temporary:
        temporary.write_text(_HEAD + sections_as_toml(plan.content, plan.reasons), encoding="utf-8")
    report(_summary(plan, path, minutes))
    return path


def _summary(plan: RunPlan, path: Path, minutes: float) -> str:
    planned, optimizer = plan.content["input"], plan.content["optimizer"]
    spacing, patch = (" x ".join(f"{value:g}" for value in planned[item]) for item in ("spacing_mm", "patch"))
    parts = ", ".join(f"{len(getattr(plan.split, part))} {part}" for part in PARTS)
    lines = [
        "",
        f"Structures  {', '.join(label['name'] for label in plan.content['labels'])}",
        f"Cases       {parts}",
        f"Voxels      {spacing} mm (x, y, z), patch {patch} (z, y, x), batch {optimizer['batch']}",
        f"Training    about {plan.expected_steps} steps of {plan.step_seconds:.3g} s in {minutes:g} min",
        "",
        *(["So few steps hardly make a useful model: give more --minutes, or use a CUDA device."] * plan.few_steps),
        f"{path} says why. Change what is not right, then train:",
        f"  {shlex.join(['lightmedseg', 'train', '--config', str(path), '--out', str(path.parent)])}",
    ]
    return "\n".join(lines)
