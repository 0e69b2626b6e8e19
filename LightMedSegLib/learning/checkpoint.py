"""Checkpoints: tensors as safetensors, everything else as JSON; nothing is ever unpickled.

``checkpoint.json`` names the tensor file that belongs to it and is replaced last, so a crash at any
moment leaves the previous checkpoint whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LightMedSegLib.core.errors import ModelPackageError, TrainingDataError
from LightMedSegLib.storage.atomic_files import atomic_write
from LightMedSegLib.storage.safetensors_file import read_tensors, write_tensors

CHECKPOINT_FILE = "checkpoint.json"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """tensors: groups such as "network" or "average" by name; state: JSON-ready numbers such as the step."""

    tensors: dict[str, dict[str, torch.Tensor]]
    state: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint into folder and remove the one before."""
    flat = {f"{group}/{name}": value for group, part in checkpoint.tensors.items() for name, value in part.items()}
    file_name = f"checkpoint-{checkpoint.state['step']:07d}.safetensors"
    write_weights(folder / file_name, flat)
    with atomic_write(folder / CHECKPOINT_FILE) as temporary:
        temporary.write_text(json.dumps({"tensors": file_name, "state": checkpoint.state}, indent=1) + "\n")
    for old in folder.glob("checkpoint-*.safetensors"):
        if old.name != file_name:
            old.unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint in folder, or None when there is none; damaged ones raise TrainingDataError."""
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        file_name, state = Path(content["tensors"]).name, dict(content["state"])
        flat = read_weights(folder / file_name)
        int(state["step"])
    except (OSError, ValueError, KeyError, TypeError, ModelPackageError) as error:
        raise TrainingDataError(f"The checkpoint in {folder} is damaged: {error}") from None
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in flat.items():
        group, name = key.split("/", 1)
        groups.setdefault(group, {})[name] = value
    return Checkpoint(groups, state)


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor], half: bool = False) -> None:
    """Write tensors atomically; half stores floating numbers in 16 bits."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for name, value in tensors.items():
        array = value.detach().cpu().numpy()
        arrays[name] = array.astype(np.float16) if half and value.is_floating_point() else array
    with atomic_write(path) as temporary:
        write_tensors(temporary, arrays)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, floating numbers as float32."""
    tensors = {}
    for name, array in read_tensors(path).items():
        tensors[name] = torch.from_numpy(array.astype(np.float32) if array.dtype.kind == "f" else array)
    return tensors


def optimizer_tensors(optimizer: torch.optim.Optimizer, parameters: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The optimizer's per-parameter state as tensors named "parameter:key"."""
    return {
        f"{name}:{key}": torch.as_tensor(value)
        for name, parameter in parameters.items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]
) -> None:
    """Put the state from optimizer_tensors back; afterwards the optimizer goes on as if never stopped."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    # An optimizer counts its parameters group by group, which need not be the network's order.
    order = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    numbers = {name: order.index(id(parameter)) for name, parameter in parameters.items()}
    for full_name, value in tensors.items():
        name, key = full_name.rsplit(":", 1)
        state.setdefault(numbers[name], {})[key] = value
    content = optimizer.state_dict()
    content["state"] = state
    optimizer.load_state_dict(content)
