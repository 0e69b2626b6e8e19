"""What a fine-tuning job has to do, as its JOB.json describes it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.records.limits import Limits
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.storage.atomic_files import atomic_write, make_folder
from LightMedSegLib.storage.records import check_record, read_record, record_json, refused_as
from LightMedSegLib.storage.strict_json import parse_json

JOB_FILE, STOP_FILE, RESULT_FILE, LOCK_FILE = "job.json", "stop", "result.json", ".lock"
WORK_FOLDER = "work"

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
    threads: Annotated[int, Limits(minimum=0, maximum=1024)] = 0
    adopt: Literal["ask", "if_better"] = "ask"
    install: bool = True
    settings: FinetuneSettings = field(default_factory=FinetuneSettings)
    cases_folder: str | None = None
    models_folder: str | None = None

    def __post_init__(self) -> None:
        with refused_as(TrainingDataError, "The fine-tuning job"):
            check_record(self)
        if self.adopt == "if_better" and not self.install:
            raise TrainingDataError("Only a version that is installed can be adopted.")

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
        with refused_as(TrainingDataError, "The fine-tuning job"):
            return read_record(cls, data)

    def to_json(self) -> dict[str, Any]:
        """The object that from_json reads."""
        return record_json(self)

    def write(self, folder: Path) -> Path:
        """Write the job file into its folder, for ``python -m LightMedSegLib.finetuning``; raises OutputError."""
        make_folder(folder)
        with atomic_write(folder / JOB_FILE) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")
        return folder / JOB_FILE
