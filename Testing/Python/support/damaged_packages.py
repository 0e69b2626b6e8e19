"""A model package with known weights, a way to damage it, and the sentence it is refused with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.model.package import Model, load_model

TENSORS = {"head.weight": np.ones((3, 1, 1, 1, 1), np.float32), "head.bias": np.arange(3, dtype=np.float32)}


def refusal(source: Path) -> str:
    with pytest.raises(ModelPackageError) as caught:
        load_model(source)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def flip_last_byte(model: Model) -> None:
    path = model.folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
