"""First compilation of a pass of the network, and its comparison with the plain pass."""

from __future__ import annotations

from pathlib import Path

import torch

from LightMedSegLib.network.cuda.agreement import LEAST_ON_NOISE, disagreement
from LightMedSegLib.network.cuda.compilation import compile_pass
from LightMedSegLib.network.cuda.task import CompileTask


def trial(text: str, folder: Path, threads: int) -> str:
    """Compile the task that text describes into folder; return what is wrong with the result, "" if nothing."""
    task = CompileTask.from_json(text)
    run, x = task.network_pass(), task.sample()
    compiled = compile_pass(run, x, folder, threads)
    with torch.inference_mode():
        return disagreement(compiled(x), run(x), LEAST_ON_NOISE)
