"""A model package: a folder, or one zip of it, with a card and weights. Nothing in it is ever executed."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.core.torch_loading import import_torch
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.package_folder import (
    CARD_FILE,
    FILE_LIMITS,
    WEIGHTS_FILE,
    package_files,
    read_card,
    read_file,
)
from LightMedSegLib.storage.atomic_files import atomic_folder
from LightMedSegLib.storage.safetensors_file import parse_tensors, write_tensors
from LightMedSegLib.storage.zip_archive import extract_zip, write_zip

if TYPE_CHECKING:
    import torch


class _UnpackedFolder:
    """A temporary folder that is removed with its last reference, without tempfile's warning about that."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lightmedseg-"))
        self.remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Model:
    """A loaded package: its checked card, and the folder that holds its files."""

    card: ModelCard
    folder: Path
    # Keeps the folder of an unpacked zip alive as long as the model.
    _unpacked: _UnpackedFolder | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<Model {self.card.identifier}>"

    def weights(self) -> dict[str, np.ndarray[Any, Any]]:
        """The weights by name; raises ModelPackageError if size or SHA-256 differ from the card."""
        info = self.card.weights
        path = self.folder / info.file
        content = read_file(path, FILE_LIMITS[WEIGHTS_FILE], expected=info.bytes)
        if hashlib.sha256(content).hexdigest() != info.sha256:
            raise ModelPackageError(
                f"{self.card.identifier}: {info.file} was changed or damaged (its SHA-256 is not the one in the card); "
                "install the model again."
            )
        tensors = parse_tensors(content, info.file)
        _refuse_non_finite(tensors)
        return tensors

    def build_network(self, device: str | torch.device = "cpu") -> torch.nn.Module:
        """The network of the card on device, in evaluation mode, with the weights loaded.

        Raises DependencyError without a torch that works, and ModelPackageError if this program has no such network
        or if names or shapes of the weights differ from it in any way.
        """
        import_torch()
        import torch

        from LightMedSegLib.network import build_network

        card, tensors = self.card, self.weights()

        def build() -> torch.nn.Module:
            return build_network(card.network.name, card.in_channels, card.num_classes, **card.network.arguments)

        try:
            # First without memory: a stranger's card may ask for gigabytes, which its weights do not have.
            with torch.device("meta"), _without_values():
                shapes = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
            _refuse_other_tensors(card, shapes, tensors)
            network = build()
        except (ValueError, TypeError, KeyError, RuntimeError, ArithmeticError) as error:
            raise ModelPackageError(
                f"{card.identifier} needs the network {card.network.name!r}, which this program cannot build: "
                f"{str(error).rstrip('.')}."
            ) from error
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()}, strict=True)
        return network.to(device).eval()


def _without_values() -> contextlib.AbstractContextManager[Any]:
    """In the block tensors are neither filled, drawn nor multiplied by numbers: enough for their shapes.

    For a tensor without memory some of that imports PyTorch's compiler, which takes seconds, and stops the window of
    a program meanwhile.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Shapes(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            name = getattr(function, "__name__", "")
            tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
            fills = name.endswith("_") and not name.endswith("__")
            if tensors and (fills or (name == "mul" and len(tensors) == 1)):
                return tensors[0]
            if name in ("rand", "randn", "zeros", "ones"):
                return torch.empty(*args, **kwargs)
            return function(*args, **kwargs)

    return Shapes()


def load_model(source: str | Path) -> Model:
    """Load a package from its folder or its zip file, with every check except building the network.

    Raises ModelPackageError with the item and the reason.
    """
    path = Path(source)
    if path.is_dir():
        return _load_folder(path)
    if not path.is_file():
        raise ModelPackageError(f"There is no model package at {path}.")
    try:
        unpacked = _UnpackedFolder()
    except OSError as error:
        raise ModelPackageError(
            f"{path.name} cannot be unpacked: no temporary folder can be made ({error.strerror or error}); set TMPDIR "
            "to a folder that can be written."
        ) from error
    try:
        extract_zip(path, unpacked.path, FILE_LIMITS)
        return _load_folder(unpacked.path, unpacked, shown=path.name)
    except OSError as error:
        unpacked.remove()
        raise ModelPackageError(f"{path.name} cannot be unpacked: {error.strerror or error}.") from error
    except ModelPackageError:
        unpacked.remove()
        raise


def save_model(
    folder: str | Path,
    card: ModelCard | Mapping[str, Any],
    tensors: Mapping[str, np.ndarray[Any, Any]],
    extra_files: Mapping[str, str | bytes | Path] | None = None,
) -> Model:
    """Write a new package folder, complete or not at all, and load it.

    The card's ``weights`` entry is filled in here, whatever it was. extra_files are optional files of a package
    (see FILE_LIMITS): text, bytes, or a file to copy. Raises ModelPackageError if folder exists already or the
    card or the tensors are not valid, OutputError if the disk refuses.
    """
    folder = Path(folder)
    _refuse_non_finite(tensors)
    for name in extra_files or ():
        if name not in FILE_LIMITS or name in (CARD_FILE, WEIGHTS_FILE):
            raise ModelPackageError(f"{name} is not an optional file of a model package.")
    try:
        with atomic_folder(folder) as temporary:
            try:
                write_tensors(temporary / WEIGHTS_FILE, tensors)
            except ValueError as error:
                raise ModelPackageError(f"The weights cannot be stored: {error}.") from None
            content = (temporary / WEIGHTS_FILE).read_bytes()
            data = card.to_json() if isinstance(card, ModelCard) else dict(card)
            data["weights"] = {
                "file": WEIGHTS_FILE,
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
            }
            (temporary / CARD_FILE).write_text(ModelCard.from_json(data).to_text(), encoding="utf-8", newline="\n")
            for name, extra in (extra_files or {}).items():
                _write_extra(temporary / name, extra)
            _load_folder(temporary, shown=folder.name)
    except FileExistsError:
        raise ModelPackageError(f"{folder} exists already: choose another folder or another version.") from None
    return load_model(folder)


def export_zip(model: Model, path: str | Path) -> Path:
    """Write the package, checked again, as one zip file; raises OutputError if path cannot be written."""
    model.weights()
    path = Path(path)
    write_zip(path, f"{model.card.name}-{model.card.version}", package_files(model.folder))
    return path


def _load_folder(folder: Path, unpacked: _UnpackedFolder | None = None, shown: str | None = None) -> Model:
    shown = shown or folder.name
    if not (folder / CARD_FILE).is_file():
        raise ModelPackageError(f"{shown} is not a model package: it has no {CARD_FILE}.")
    model = Model(read_card(folder, shown), folder, unpacked)
    model.weights()
    return model


def _write_extra(path: Path, extra: str | bytes | Path) -> None:
    if isinstance(extra, Path):
        shutil.copyfile(extra, path)
    else:
        path.write_bytes(extra.encode("utf-8") if isinstance(extra, str) else extra)


def _refuse_non_finite(tensors: Mapping[str, np.ndarray[Any, Any]]) -> None:
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelPackageError(f"The weights are not usable: tensor {name[:80]!r} has NaN or infinite values.")


def _refuse_other_tensors(
    card: ModelCard, wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, np.ndarray[Any, Any]]
) -> None:
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            reason = f"tensor {name!r} is missing"
        elif name not in wanted:
            reason = f"tensor {name[:80]!r} is unknown"
        elif wanted[name] != found[name].shape:
            reason = f"tensor {name!r} has shape {found[name].shape} instead of {wanted[name]}"
        else:
            continue
        raise ModelPackageError(
            f"{card.identifier}: the weights do not fit the network {card.network.name!r}: {reason}."
        )
