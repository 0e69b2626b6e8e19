"""What a fine-tuning job has to do, as its JOB.json describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.storage.atomic_files import atomic_write, make_folder
from LightMedSegLib.storage.strict_json import parse_json

JOB_FILE, STOP_FILE, RESULT_FILE, LOCK_FILE = "job.json", "stop", "result.json", ".lock"
WORK_FOLDER = "work"
ADOPT_CHOICES = ("ask", "if_better")

_LARGEST = 1024 * 1024


@dataclass(frozen=True)
class JobDescription:
    """One job.

    model: name, name@version, folder or zip of the parent. cases: identifiers in the case store; empty for all that
    fit the model. device: as everywhere. threads: processor threads, 0 for all but one. adopt: "ask" leaves
    the candidate aside until the user adopts it, "if_better" adopts it when the gate accepts. install: whether the
    candidate goes into the user's models; otherwise it stays in the job's folder as "candidate". cases_folder and
    models_folder: instead of the user's usual ones (None).
    """

    model: str
    cases: tuple[str, ...] = ()
    device: str = "auto"
    threads: int = 0
    adopt: str = "ask"
    install: bool = True
    settings: FinetuneSettings = field(default_factory=FinetuneSettings)
    cases_folder: str | None = None
    models_folder: str | None = None

    def __post_init__(self) -> None:
        if self.adopt not in ADOPT_CHOICES:
            raise TrainingDataError(f"adopt must be one of {', '.join(ADOPT_CHOICES)}, not {self.adopt!r}.")
        if self.adopt == "if_better" and not self.install:
            raise TrainingDataError("Only a version that is installed can be adopted.")
        if not 0 <= self.threads <= 1024:
            raise TrainingDataError(f"The number of threads must be between 0 and 1024, not {self.threads}.")

    @classmethod
    def read(cls, path: Path) -> JobDescription:
        """The job in a JSON file; raises TrainingDataError with the item that is wrong."""
        try:
            with path.open("rb") as stream:
                data = parse_json(stream.read(_LARGEST))
        except OSError as error:
            raise TrainingDataError(f"The job {path.name} cannot be read: {error.strerror or error}.") from None
        except ValueError as error:
            raise TrainingDataError(f"The job {path.name} cannot be read: {error}.") from None
        return cls.from_json(data)

    @classmethod
    def from_json(cls, data: Any) -> JobDescription:
        """From the object of a JSON file."""
        if not isinstance(data, Mapping) or not isinstance(data.get("model"), str):
            raise TrainingDataError("A fine-tuning job must name its model.")
        content = dict(data)
        for key, value in content.items():
            if key not in _KINDS:
                raise TrainingDataError(f"A fine-tuning job has no item {key!r}; known are {', '.join(_KINDS)}.")
            if not isinstance(value, _KINDS[key]) or (isinstance(value, bool) and key != "install"):
                raise TrainingDataError(f"The item {key!r} of the fine-tuning job has a wrong value: {value!r}.")
        if not all(isinstance(case, str) for case in content.get("cases", ())):
            raise TrainingDataError("The cases of a fine-tuning job must be a list of identifiers.")
        content["cases"] = tuple(content.get("cases", ()))
        content["settings"] = FinetuneSettings.from_json(content.get("settings", {}))
        return cls(**content)

    def to_json(self) -> dict[str, Any]:
        """The object that from_json reads."""
        return {**vars(self), "cases": list(self.cases), "settings": self.settings.to_json()}

    def write(self, folder: Path) -> Path:
        """Write the job file into its folder, for ``python -m LightMedSegLib.finetuning``; raises OutputError."""
        make_folder(folder)
        with atomic_write(folder / JOB_FILE) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")
        return folder / JOB_FILE


_KINDS: dict[str, Any] = {
    "model": str,
    "cases": list,
    "device": str,
    "threads": int,
    "adopt": str,
    "install": bool,
    "settings": Mapping,
    "cases_folder": (str, type(None)),
    "models_folder": (str, type(None)),
}
