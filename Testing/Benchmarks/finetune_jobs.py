"""A fine-tuning job as a user starts it, and the tables of the experiments with such jobs."""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.cases.stored_case import StoredCase
from LightMedSegLib.finetuning.gate.gate import Verdict
from LightMedSegLib.finetuning.job.description import JobDescription
from LightMedSegLib.finetuning.job.job import run_job
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.model.package import load_model


@dataclass(frozen=True)
class Outcome:
    """The network that the job trained, None where the gate ended it before; its verdict; seconds of the whole job."""

    network: torch.nn.Module | None
    verdict: Verdict
    seconds: float

    def columns(self) -> dict[str, Any]:
        """What every table says of a job. reference: Dice on the model's own reference set, which shows forgetting."""
        reference = self.verdict.to_json()["reference"]
        return {
            "reference_before": reference["before"],
            "reference_after": reference["after"],
            "accepted": self.verdict.accepted,
            "gate": " ".join((*self.verdict.notes, *self.verdict.reasons)),
            "seconds": f"{self.seconds:.0f}",
        }


def fine_tuned(model: str, cases: Iterable[StoredCase], settings: FinetuneSettings, device: str) -> Outcome:
    """The outcome of one job with the installed model and these cases."""
    with tempfile.TemporaryDirectory() as folder:
        store = CaseStore(Path(folder) / "cases")
        for case in cases:
            store.add(case)
        job = JobDescription(model, device=device, install=False, settings=settings, cases_folder=str(store.folder))
        started = time.perf_counter()
        result = run_job(job, Path(folder) / "job")
        seconds = time.perf_counter() - started
        candidate = Path(folder) / "job" / "candidate"
        network = load_model(candidate).build_network().eval().to(device) if candidate.is_dir() else None
    return Outcome(network, result.verdict, seconds)


def experiment_parser(description: str | None) -> argparse.ArgumentParser:
    """The options of every experiment: --data, --out and --device."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    return parser


def mean(values: Sequence[float]) -> str:
    """Mean of the values that exist, for a table."""
    return f"{np.nanmean(values):.4f}"


def listed(values: Sequence[float]) -> str:
    """All values, for a table."""
    return " ".join(f"{value:.3f}" for value in values)


def write_rows(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Write and print the rows as they come: such an experiment takes long, and may be interrupted."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(stream, row.keys(), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
            stream.flush()
            print(json.dumps(row), flush=True)
