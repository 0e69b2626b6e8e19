"""Everything that a user may lose: results, models, cases, a job; what changes it, and whether it is whole.

Used by faults.py: whatever happens during an action, each item is then either as before or as the action makes it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from finetuning_factory import QUICK, corrected_case, tiny_model
from model_factory import make_model

from LightMedSegLib.cli.json_report import write_json
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.job.description import JOB_FILE, JobDescription
from LightMedSegLib.finetuning.job.work_folder import WorkFolder
from LightMedSegLib.io.labelmaps.reading import read_labelmap
from LightMedSegLib.io.montage import write_montage
from LightMedSegLib.io.segmentation_files import write_segmentation
from LightMedSegLib.model.package import Model, load_model
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage.atomic_files import is_temporary

NAME = "test-model"
FEW = ("write a result", "add a model", "go back to the newest version", "correct a case again")


@dataclass(frozen=True)
class Supplies:
    """What actions take their content from, outside the household: nobody harms it."""

    model: Model
    newer: Model
    image: sitk.Image
    labels: tuple[sitk.Image, sitk.Image]
    case: Any

    @classmethod
    def make(cls, folder: Path) -> Supplies:
        """Two versions of a tiny model, a volume, two segmentations of it, and a corrected case."""
        model = tiny_model(folder / "model")
        newer = make_model(folder / "newer", seed=1, version="1.1.0", input={"patch": [16, 16, 16], "overlap": 0.0})
        random = np.random.default_rng(0)
        image = sitk.GetImageFromArray(random.integers(0, 900, (20, 20, 20)).astype(np.int16))
        labels = [random.integers(0, 3, (20, 20, 20)).astype(np.uint8) for _ in range(2)]
        first, second = (sitk.GetImageFromArray(array) for array in labels)
        return cls(model, newer, image, (first, second), corrected_case(model))


@dataclass
class Household:
    """The user's folder."""

    folder: Path
    supplies: Supplies

    @property
    def store(self) -> ModelStore:
        """With nothing shipped."""
        return ModelStore(self.folder / "shipped", self.folder / "models")

    @property
    def cases(self) -> CaseStore:
        """The corrected cases."""
        return CaseStore(self.folder / "cases")

    @property
    def result(self) -> Path:
        """A segmentation."""
        return self.folder / "results" / "result.seg.nrrd"

    def furnish(self) -> Household:
        """One of everything."""
        (self.folder / "results").mkdir(parents=True)
        (self.folder / "shipped").mkdir()
        self._write_result(0)
        write_montage(self.result.with_name("montage.png"), *self._picture(0))
        write_json(self.result.with_name("report.json"), {"state": "old"})
        self.store.add(self.supplies.model.folder)
        self.store.export(NAME, self.folder / "results" / "model.zip")
        self.store.choose(NAME, "1.0.0")
        self.cases.add(self.supplies.case)
        self._job("old").write(self.folder / "job")
        self._work().begin("fingerprint")
        self._work().write("part", {"state": "old"})
        return self

    def actions(self, count: int = 1) -> dict[str, Callable[[], object]]:
        """What a user or a job does; each can be done again. count 0: only a few of them."""
        every = self._actions()
        return every if count else {name: every[name] for name in FEW}

    def _actions(self) -> dict[str, Callable[[], object]]:
        return {
            "write a result": lambda: self._write_result(1),
            "write a picture": lambda: write_montage(self.result.with_name("montage.png"), *self._picture(1)),
            "write a report": lambda: write_json(self.result.with_name("report.json"), {"state": "new"}),
            "add a model": lambda: self.store.add(self.supplies.newer.folder),
            "export a model": lambda: self.store.export(f"{NAME}@1.0.0", self.folder / "results" / "model.zip"),
            "choose a version": lambda: self.store.choose(NAME, "1.0.0"),
            "go back to the newest version": lambda: self.store.choose(NAME, None),
            "correct a case again": lambda: self.cases.add(self.supplies.case, self.cases.list()[0].case_id),
            "add a case": lambda: self.cases.add(self.supplies.case),
            "describe a job": lambda: self._job("new").write(self.folder / "job"),
            "keep a part of a job": lambda: self._work().write("part", {"state": "new"}),
        }

    def problem(self) -> str:
        """What is not whole; "" for nothing."""
        try:
            return self._problem()
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _problem(self) -> str:
        labels = sitk.GetArrayFromImage(read_labelmap(self.result).image)
        if not any(np.array_equal(labels, sitk.GetArrayViewFromImage(one)) for one in self.supplies.labels):
            return "the result is neither the old nor the new one"
        sitk.ReadImage(str(self.result.with_name("montage.png")))
        if json.loads(self.result.with_name("report.json").read_text())["state"] not in ("old", "new"):
            return "the report is neither the old nor the new one"
        wrong = [entry.problem for entry in [*self.store.verify(), *self.cases.list()] if entry.problem]
        if wrong:
            return wrong[0]
        if self.store.find(f"{NAME}@1.0.0").card != self.supplies.model.card:
            return "the first model has changed"
        self.store.find(NAME)
        load_model(self.folder / "results" / "model.zip")
        if not self.cases.list():
            return "the case is gone"
        for entry in self.cases.list():
            if not np.array_equal(self.cases.load(entry.case_id).labels, self.supplies.case.labels):
                return "a case has changed"
        JobDescription.read(self.folder / "job" / JOB_FILE)
        if self._work().read("part") not in ({"state": "old"}, {"state": "new"}):
            return "the part of a job is neither the old nor the new one"
        return ""

    def leftovers(self) -> list[Path]:
        """Unfinished files and folders."""
        return [path for path in self.folder.rglob("*") if is_temporary(path)]

    def snapshot(self) -> dict[str, bytes]:
        """Every file's content; locks, which stay behind empty, left aside."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not path.name.endswith(".lock")
        }

    def copy(self, folder: Path) -> Household:
        """The same in another place, which may exist."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Household(folder, self.supplies)

    def _write_result(self, number: int) -> None:
        write_segmentation(self.result, self.supplies.labels[number], self.supplies.model.card.labels)

    def _picture(self, number: int) -> tuple[Any, ...]:
        return self.supplies.image, self.supplies.labels[number], self.supplies.model.card.labels

    def _job(self, state: str) -> JobDescription:
        return JobDescription(NAME, threads=1 if state == "old" else 2, settings=QUICK)

    def _work(self) -> WorkFolder:
        return WorkFolder(self.folder / "job" / "work")
