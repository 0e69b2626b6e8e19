"""A corrected result of a model in the scene, and what makes a case of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mrml_nodes import labelmap_image, labels_of
from patience import Patience

from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.model.package import Model
from LightMedSegLib.mrml.jobs.case_job import Review, case_job, case_of
from LightMedSegLib.mrml.jobs.case_models import installed_model
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.jobs.worker import Worker

BOTH = {"Structure_1": 1, "Structure_2": 2}
ALL = Review(BOTH, (1, 2))


@dataclass
class Desk:
    """A result of a model in the scene; prediction: its labels (z, y, x), which the truth differs from."""

    worker: Worker
    store: CaseStore
    model: Model
    volume: Any
    node: Any
    prediction: np.ndarray

    def job(self, review: Review = ALL) -> Job:
        return case_job([self.volume], self.node, installed_model(self.model.folder), review, self.store, "cpu")

    def case(self) -> str | None:
        return case_of(self.node, {entry.case_id for entry in self.store.list()})

    def add(self, review: Review = ALL) -> CaseRecord:
        job = self.run(self.job(review))
        assert job.state is JobState.DONE, job.message
        return job.outcome.record

    def run(self, job: Job) -> Job:
        self.worker.submit(job)
        self.worker.wait(job, on_idle=Patience(60).check)
        return job


def paint(node: Any, place: tuple[slice, ...], value: int) -> None:
    """What the Segment Editor does with the labelmap that the segments share."""
    image = labelmap_image(node)
    labels_of(node)[place] = value
    image.GetPointData().GetScalars().Modified()
    image.Modified()
