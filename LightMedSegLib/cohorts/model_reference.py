"""A model as a task names it: small, and checked again where the task is done."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.model.package import Model, load_model
from LightMedSegLib.model.store import ModelStore, resolve_model


@dataclass(frozen=True)
class ModelReference:
    """A model by its name, its folder and its content.

    digest: SHA-256 of the card, which names the weights by their own. locator: the same of its locator; None without
    one, or where there is none on this computer.
    """

    identifier: str
    folder: Path
    digest: str
    locator: str | None = None

    @classmethod
    def of(cls, model: Model) -> ModelReference:
        """The reference to a loaded model."""
        return cls(model.card.identifier, model.folder.absolute(), _digest(model), _locator_digest(model))

    def load(self) -> Model:
        """The same model, from its folder or, where that is missing, from the models of this computer.

        Raises ModelPackageError if it, or its locator, is missing or has other content.
        """
        model = self._found()
        if _digest(model) != self.digest:
            raise ModelPackageError(
                f"The model {self.identifier} on {_here()} has other content than the one that was asked for; install "
                "the same package on both."
            )
        if self.locator is not None and _locator_digest(model) != self.locator:
            raise ModelPackageError(
                f"The locator of {self.identifier} on {_here()} is missing or has other content than the one that was "
                "asked for; install the same package on both."
            )
        return model

    def _found(self) -> Model:
        if self.folder.is_dir():
            return load_model(self.folder)
        try:
            return ModelStore().find(self.identifier)
        except ModelPackageError as error:
            raise ModelPackageError(
                f"The model {self.identifier} is missing on {_here()}; install it there with lightmedseg models "
                "import, or name a folder that every worker can read with --model."
            ) from error


def _digest(model: Model) -> str:
    return hashlib.sha256(json.dumps(model.card.to_json(), sort_keys=True).encode()).hexdigest()


def _locator_digest(model: Model) -> str | None:
    locator = model.card.input.locator
    if locator is None:
        return None
    try:
        return _digest(resolve_model(locator.model))
    except ModelPackageError:
        return None


def _here() -> str:
    return f"the computer {platform.node()}"
