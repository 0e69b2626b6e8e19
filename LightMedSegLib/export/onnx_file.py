"""The network of a model as an ONNX file, for other inference programs.

The file holds the network alone: from "image" (1, channel, z, y, x), prepared as the model card says, to "logits"
(1, class, z, y, x). The card travels as JSON in the metadata entry CARD_ENTRY.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import DependencyError, OutputError
from LightMedSegLib.model.package import Model
from LightMedSegLib.storage.atomic_files import atomic_write

CARD_ENTRY = "lightmedseg_model_card"

_TRACED_STEPS = (2, 3, 4)
"""Sizes of the example input in total strides: all different, so that no axis is mistaken for another."""

_LARGEST_STEPS = 64


def check_onnx_path(path: Path) -> None:
    """Raise OutputError unless path ends in .onnx."""
    if path.suffix.lower() != ".onnx":
        raise OutputError(f"{path} is no name for an ONNX file; let it end in .onnx.")


def export_onnx(model: Model, path: str | Path) -> int:
    """Write model's network as ONNX; return the number that must divide each spatial size of its input.

    Tracing with free sizes takes a minute or two. Raises DependencyError without the packages of the extra
    "export", OutputError if path cannot be written, ModelPackageError for a damaged model.
    """
    path = Path(path)
    check_onnx_path(path)
    _require_packages()
    network = model.build_network()
    with atomic_write(path) as temporary:
        exported = _trace(network, model.card.in_channels)
        entry = exported.metadata_props.add()
        entry.key, entry.value = CARD_ENTRY, model.card.to_text()
        temporary.write_bytes(exported.SerializeToString())
    return int(network.total_stride)  # type: ignore[arg-type]


def _trace(network: Any, channels: int) -> Any:
    """The onnx.ModelProto of a network, with free spatial sizes."""
    import torch

    stride = network.total_stride
    example = torch.zeros(1, channels, *(stride * steps for steps in _TRACED_STEPS))
    sizes = {
        axis: stride * torch.export.Dim(name, min=1, max=_LARGEST_STEPS)
        for axis, name in enumerate(("steps_z", "steps_y", "steps_x"), start=2)
    }
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=(sizes,),
            input_names=["image"],
            output_names=["logits"],
            verbose=False,
        )
    return program.model_proto  # type: ignore[union-attr]


def _require_packages() -> None:
    for name in ("torch", "onnx", "onnxscript"):
        try:
            __import__(name)
        except ImportError as error:
            raise DependencyError(f"Export to ONNX needs the Python package {name}; install it first.") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about packages that it could use and does not need."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
