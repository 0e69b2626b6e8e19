"""A complete fine-tuning job: baseline, cross-validation, gate, candidate."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LightMedSegLib.core.devices import select_device
from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.core.geometry import SLICES
from LightMedSegLib.core.process.forked import one_thread_if_forked
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.finetuning.cases.same_scan import by_scan
from LightMedSegLib.finetuning.cases.selection import reviewed_values, usable_records
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.gate.advice import next_steps
from LightMedSegLib.finetuning.gate.confusion import Confusion, Counts, confusion
from LightMedSegLib.finetuning.gate.cross_validation import (
    FoldContext,
    Report,
    counts_from_json,
    counts_to_json,
    evaluate,
    run_fold,
    summed,
    trained_weights,
)
from LightMedSegLib.finetuning.gate.gate import Cause, Verdict, mean_dice, mistakes
from LightMedSegLib.finetuning.gate.held_out import Fold, FoldCase, plan_folds
from LightMedSegLib.finetuning.gate.reference_set import read_reference, rehearsed_and_checked
from LightMedSegLib.finetuning.gate.tables import JobTables
from LightMedSegLib.finetuning.job.description import LOCK_FILE, RESULT_FILE, WORK_FOLDER, JobDescription
from LightMedSegLib.finetuning.job.own_folders import CANDIDATE_FOLDER, refuse_foreign
from LightMedSegLib.finetuning.job.work_folder import WorkFolder
from LightMedSegLib.finetuning.new_model.draft import install_draft
from LightMedSegLib.finetuning.tuning.blending import blended, largest_share
from LightMedSegLib.finetuning.tuning.new_labels import all_labels, grown_network
from LightMedSegLib.finetuning.tuning.parent_labels import with_parent_labels
from LightMedSegLib.finetuning.tuning.predictions import windows_of
from LightMedSegLib.finetuning.tuning.training_grid import coarsened, training_grid
from LightMedSegLib.finetuning.tuning.tuner import Task
from LightMedSegLib.finetuning.versions import adopt, candidate_card, install, next_version, write_candidate
from LightMedSegLib.learning.configuration import AXES, Axis
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.model.active_versions import remove_leftovers
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.promptable import refuse_promptable
from LightMedSegLib.model.store import ModelStore, resolve_model
from LightMedSegLib.storage.atomic_files import atomic_write, make_folder, remove_stale, replace_folder, temporary_name
from LightMedSegLib.storage.file_lock import LockedError, exclusive


@dataclass(frozen=True)
class JobResult:
    """What came out: the verdict, the candidate's name@version (None: no training was worth it), whether adopted."""

    verdict: Verdict
    candidate: str | None
    adopted: bool


def run_job(
    description: JobDescription, folder: Path, report: Report | None = None, cancel: CancelToken | None = None
) -> JobResult:
    """Do the job in folder, which is its own; a job that was stopped or killed there goes on.

    Raises TrainingDataError for cases that cannot be used and for a folder that it would replace and no job made,
    CancelledError (the job can go on later), and what loading the model or choosing the device raise; OutputError if
    another process does this very job.
    """
    make_folder(folder)
    with _only_process(folder) as alone:
        if alone:
            remove_stale(folder, older_than=-1.0)
        refuse_foreign(folder, WORK_FOLDER, CANDIDATE_FOLDER)
        before = torch.get_num_threads()
        # Of many processors one stays free: a job of low priority whose threads wait for each other is slower with it.
        torch.set_num_threads(description.threads or max(min(2, before), before - 1))
        one_thread_if_forked(description.device)
        # Gradients of certain voxels are so small that a processor would take a hundred times as long for each.
        torch.set_flush_denormal(True)
        try:
            return _Job(description, folder, report or (lambda event: None), cancel or CancelToken()).run()
        finally:
            torch.set_flush_denormal(False)
            torch.set_num_threads(before)


@contextlib.contextmanager
def _only_process(folder: Path) -> Iterator[bool]:
    with contextlib.ExitStack() as stack:
        try:
            alone = stack.enter_context(exclusive(folder / LOCK_FILE, wait_seconds=0.0))
        except LockedError:
            # The usual sentence names the folder, which means nothing to somebody in front of a panel.
            raise LockedError(
                "This fine-tuning runs in another window, or is just being stopped; wait until that has ended."
            ) from None
        yield alone


class _Job:
    def __init__(self, description: JobDescription, folder: Path, report: Report, cancel: CancelToken) -> None:
        self._description, self._folder, self._report, self._cancel = description, folder, report, cancel
        self._models = ModelStore(user=Path(description.models_folder) if description.models_folder else None)
        self._cases = CaseStore(Path(description.cases_folder) if description.cases_folder else None)
        self._cases.clean()
        remove_leftovers(self._models.user)
        self._work = WorkFolder(folder / WORK_FOLDER)
        self._model = self._parent()
        refuse_promptable(self._model.card, "be fine-tuned")
        self._records = usable_records(self._cases, description.cases, self._model.card)
        self._labels = all_labels(self._model.card.labels, self._records)
        self._first = is_draft(self._model.card)
        self._rehearsed, self._checked = rehearsed_and_checked(read_reference(self._model))
        self._device = torch.device(select_device(description.device).name)

    def run(self) -> JobResult:
        work = self._work
        resumed = work.begin(self._fingerprint())
        work.write("parent", {"asked": self._description.model, "identifier": self._model.card.identifier})
        context = self._fold_context(work)
        ids = [record.case_id for record in self._records]
        folds = plan_folds(self._scans(), context.settings.max_parts, self._only_case(context))
        tables = self._tables(len(folds))
        self._report({
            "event": "start", "model": self._model.card.identifier, "device": self._device.type, "cases": len(ids),
            "parts": len(folds) + 1, "steps": context.settings.steps, "labels": [label.name for label in self._labels],
            "resumed": resumed,
        })  # fmt: skip
        untouched, reference_before, wrong = self._baseline(context, folds)
        if wrong:
            causes = tuple(Cause("mistake", text) for text in wrong)
            return self._end(work, Verdict(False, causes, next_steps=next_steps(causes, (), len(self._scans()))), None)
        everything: Counts = {}
        for counts in untouched:
            everything = summed(everything, counts)
        before: Counts = {}
        after: Counts = {}
        self._report({"event": "baseline", **tables.scores(everything, everything)})
        for number, fold in enumerate(folds):
            before = summed(before, untouched[number])
            after = summed(after, run_fold(context, fold, number, len(folds) + 1))
            self._report({"event": "part", "part": number + 1, "parts": len(folds) + 1, **tables.scores(before, after)})
        # The candidate itself learns from everything, in the very way that the folds were tested.
        run_fold(context, Fold(tuple(map(FoldCase, ids)), ()), len(folds), len(folds) + 1)
        self._report({"event": "testing"})
        share, reference_after = self._share(context, tables, len(folds), reference_before)
        if share < 1:
            after = {}
            for number, fold in enumerate(folds):
                after = summed(after, evaluate(context, self._tuned(context, number, share), fold))
        verdict = tables.verdict(before, after, reference_before, reference_after, context.settings)
        if share < 1:
            note = f"So that it does not forget, {share:.0%} of what the training changed is kept."
            verdict = replace(verdict, notes=(*verdict.notes, note))
        tensors = self._tuned(context, len(folds), share).state_dict()
        halves = {name: value.to(torch.float16).cpu() for name, value in tensors.items()}
        settings = {**context.settings.to_json(), "kept_share": share, "voxel_size_factor": context.coarseness}
        return self._end(work, verdict, self._package(work, verdict, halves, settings))

    def _tables(self, parts: int) -> JobTables:
        reviewed = frozenset(reviewed_values(self._records, self._labels))
        known, scans = self._model.card.num_classes, len(self._scans())
        return JobTables(self._labels, known, reviewed, scans, parts, bool(self._checked), self._first)

    def _scans(self) -> list[list[str]]:
        return [[record.case_id for record in records] for records in by_scan(self._records)]

    def _only_case(self, context: FoldContext) -> PreparedCase | None:
        """The case with the most to see, where all are of one scan."""
        if len(self._scans()) > 1:
            return None
        shown = max(self._records, key=lambda one: (len(one.reviewed) > len(one.absent), one.reviewed_voxels))
        return context.load(shown.case_id)

    def _tuned(self, context: FoldContext, number: int, share: float) -> torch.nn.Module:
        """The network of the training number, with that share of what was learnt, as exact as it will be kept."""
        network = context.fresh_network()
        parent = {name: value.cpu() for name, value in network.state_dict().items()}
        weights = blended(parent, trained_weights(context.work, number), share, self._model.card.num_classes)
        network.load_state_dict({name: value.to(torch.float16).float() for name, value in weights.items()})
        return network

    def _share(
        self, context: FoldContext, tables: JobTables, number: int, reference_before: Confusion
    ) -> tuple[float, Confusion]:
        """How much of the training number is kept, and what the reference set says of it."""
        found: dict[float, Confusion] = {}

        def loss_at(share: float) -> float:
            found[share] = self._on_reference(context, self._tuned(context, number, share))
            before, after = mean_dice(tables.reference(reference_before, found[share]))
            return before - after

        share = largest_share(loss_at, context.settings.reference_tolerance)
        if share not in found:
            loss_at(share)
        return share, found[share]

    def _parent(self) -> Model:
        """The model that the job began with: a job killed after adopting must not take its own candidate for it."""
        begun = self._work.read("parent") or {}
        if begun.get("asked") == self._description.model:
            with contextlib.suppress(ModelPackageError):
                return self._models.find(str(begun["identifier"]))
        return resolve_model(self._description.model, self._models)

    def _fingerprint(self) -> str:
        description = {**self._description.to_json(), "adopt": "", "threads": 0}
        cases = [(record.case_id, record.revision, record.tensors_sha256) for record in self._records]
        content = json.dumps(
            [description, self._model.card.weights.sha256, cases, self._scans(), self._device.type], sort_keys=True
        )
        return hashlib.sha256(content.encode()).hexdigest()

    def _fold_context(self, work: WorkFolder) -> FoldContext:
        card, classes = self._model.card, len(self._labels) + 1
        x, y, z = card.input.spacing
        network = grown_network(self._model, classes)
        settings = self._description.settings
        most = settings.patch_voxels if self._device.type == "cpu" else 10**9
        stride = int(getattr(network, "total_stride", 1))
        grid = training_grid(card.input, stride, settings.batch, settings.steps, most)
        # A structure that the parent does not have takes longer to learn than another look of those that it has.
        steps = grid.steps * (2 if classes > card.num_classes else 1)
        spacing = z * grid.coarseness, y * grid.coarseness, x * grid.coarseness
        turned: tuple[Axis, ...] = ("z",) if card.input.orientation == SLICES else AXES
        return FoldContext(
            task=Task(grid.patch, spacing, classes, classes - 1 if self._first else classes - card.num_classes, turned),
            coarseness=grid.coarseness,
            window=card.input.patch,
            near_structures=card.input.preview_spacing is not None,
            settings=replace(settings, batch=grid.batch, steps=steps),
            device=self._device,
            load=self._load,
            learnt=functools.cache(self._learnt) if classes > card.num_classes and not self._first else self._load,
            fresh_network=lambda: grown_network(self._model, classes).to(self._device),
            rehearsal=tuple(coarsened(case, grid.coarseness) for case in self._rehearsed),
            work=work,
            report=self._report,
            cancel=self._cancel,
            first=self._first,
        )

    def _load(self, case_id: str) -> PreparedCase:
        return self._cases.load(case_id).prepared(self._labels)

    def _learnt(self, case_id: str) -> PreparedCase:
        card = self._model.card
        parent = self._model.build_network().to(self._device)
        return with_parent_labels(
            self._load(case_id), parent, card.num_classes, card.input.patch, self._device, self._cancel
        )

    def _baseline(self, context: FoldContext, folds: Sequence[Fold]) -> tuple[list[Counts], Confusion, list[str]]:
        """Counts of the parent on what each fold holds out, on the reference set, and what looks wrong."""
        done = context.work.read("baseline")
        if done is not None:
            return (
                [counts_from_json(fold) for fold in done["held_out"]],
                np.array(done["reference"]),
                list(done["wrong"]),
            )
        network = context.fresh_network()
        wrong: list[str] = []
        for record in self._records:
            stored = self._cases.load(record.case_id)
            case = stored.prepared(self._labels)
            known = [label for label in self._labels if label.value < self._model.card.num_classes]
            whole = evaluate(context, network, Fold((), (FoldCase(record.case_id),)))[record.case_id]
            wrong += mistakes(whole, known, case.labelled or (), stored.absent_in(self._labels), str(record.number))
        held_out = [evaluate(context, network, fold) for fold in folds]
        reference = self._on_reference(context, network)
        context.work.write(
            "baseline",
            {"held_out": [counts_to_json(fold) for fold in held_out], "reference": reference.tolist(), "wrong": wrong},
        )
        return held_out, reference, wrong

    def _on_reference(self, context: FoldContext, network: torch.nn.Module) -> Confusion:
        classes = context.task.num_classes
        total: Confusion = np.zeros((classes, classes), dtype=np.int64)
        stride = int(getattr(network, "total_stride", 1))
        for case in self._checked:
            # A crop or a made image that the network can take as it is needs no border that nobody saw.
            shape = (case.labels.shape[0], case.labels.shape[1], case.labels.shape[2])
            fits = all(side % stride == 0 and side <= most for side, most in zip(shape, context.window, strict=True))
            window = shape if fits else context.window
            windows = windows_of(case, window, context.near_structures)
            total = total + confusion(network, case, classes, window, self._device, self._cancel, windows)
        return total

    def _package(
        self, work: WorkFolder, verdict: Verdict, tensors: dict[str, torch.Tensor], settings: dict[str, Any]
    ) -> str:
        description = self._description
        # Kept, so that a job killed after installing its candidate does not install it twice.
        version = str((work.read("version") or {}).get("version") or next_version(self._models, self._model.card))
        work.write("version", {"version": version})
        count = len(self._records)
        card = candidate_card(self._model, version, self._labels, count, verdict.to_json(), settings)
        target = self._folder / CANDIDATE_FOLDER
        fresh = target.with_name(temporary_name())
        model = write_candidate(fresh, self._model, card, {name: value.numpy() for name, value in tensors.items()})
        replace_folder(fresh, target)
        if description.install:
            if self._first:
                install_draft(self._models, self._model)
            model = install(target, self._models)
        return model.card.identifier

    def _end(self, work: WorkFolder, verdict: Verdict, candidate: str | None) -> JobResult:
        adopted = candidate is not None and verdict.accepted and self._description.adopt == "if_better"
        if adopted:
            adopt(self._models, str(candidate))
        result = JobResult(verdict, candidate, adopted)
        content = {"candidate": candidate, "adopted": adopted, **verdict.to_json()}
        with atomic_write(self._folder / RESULT_FILE) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        work.remove()
        self._report({"event": "verdict", **content})
        return result
