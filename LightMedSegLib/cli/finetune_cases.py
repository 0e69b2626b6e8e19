"""The cases of ``lightmedseg finetune --cases``: read, checked, and stored for the run."""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path

from LightMedSegLib.cli.tables import format_number, format_table
from LightMedSegLib.errors import TrainingDataError


def store_cases(arguments: argparse.Namespace, folder: Path) -> None:
    """Store the cases in folder and print them. Raises what reading and building a case raise."""
    from LightMedSegLib.finetuning.case_building import build_case
    from LightMedSegLib.finetuning.case_store import CaseStore
    from LightMedSegLib.finetuning.own_labels import make_label
    from LightMedSegLib.finetuning.same_scan import same_scan_notes
    from LightMedSegLib.labelmaps.values import present_values
    from LightMedSegLib.model_store import resolve_model
    from LightMedSegLib.training.case_labels import absent_labels, read_case_labels
    from LightMedSegLib.training.cases import find_cases
    from LightMedSegLib.volume_files import read_volume

    model = resolve_model(arguments.model)
    first = model.card.num_classes
    new_labels = [make_label(first + number, name) for number, name in enumerate(arguments.new_label)]
    labels = [*model.card.labels, *new_labels]
    found = find_cases(arguments.cases, "decathlon", model.card.in_channels)
    # All are checked before the first is segmented, which takes a while for each.
    present = [present_values(read_case_labels(case, read_volume(case.images[0]), labels, ()).image) for case in found]
    if not any(present):
        raise TrainingDataError("None of the cases has a voxel of any structure; there is nothing to learn.")
    # What an interrupted run left would be learnt from twice.
    shutil.rmtree(folder, ignore_errors=True)
    store, rows = CaseStore(folder), []
    notes: list[str] = []
    for case in found:
        images = [read_volume(path) for path in case.images]
        reading = read_case_labels(case, images[0], labels, ())
        absent = absent_labels(reading, case.labelled)
        built = build_case(
            images,
            reading.image,
            model,
            reviewed_labels=case.labelled,
            new_labels=new_labels,
            absent=list(absent),
            device=arguments.device,
        )
        record = store.add(built)
        notes += reading.notes
        if absent:
            notes.append(f"{case.name}: no voxel of {', '.join(absent.values())}; taken as not in the scan.")
        known = [entry.record for entry in store.list()]
        notes += [f"{case.name}: {note}" for note in same_scan_notes(known, record, None)]
        trial = record.test_then_train
        rows.append([str(record.number), case.name, format_number(trial.mean if trial else math.nan, 3)])
    print("\n".join([format_table(["Case", "Name", "Dice before"], rows), *dict.fromkeys(notes)]))
