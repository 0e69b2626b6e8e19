"""How well the doubt of a shipped model tells where it is wrong, on cases that it was not trained on.

    python Testing/Benchmarks/doubt.py MODEL --data DATA --out OUT [--cases 5] [--measures] [--memory]

DATA: of hippocampus-t1-mr the folder of the Decathlon's Task04, of headneck-oar-ct the CSV file that
Testing/Tools/prepare_openkbp.py writes, of brain-structures-mr a folder of MICCAI 2012 scans (images, labels). The test
part of the split is measured. OUT gets a line per case in cases.csv and one per case and structure in structures.csv;
lines of other models stay. --measures compares other measures of doubt instead (measures.csv), --memory the memory of a
run with and without doubt (memory.csv), each run in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from doubt_measures import area_under_curve, dice_of, judge, place_share, slice_shares  # noqa: E402
from held_out_cases import HeldOut, held_out_cases  # noqa: E402
from other_doubt import MEASURES, measured_by  # noqa: E402
from prompted.kept_rows import read_rows  # noqa: E402
from report import write_csv  # noqa: E402

from LightMedSegLib.doubt.expected_dice import expected_dice_of_values, mean_confidences, mean_expected_dice  # noqa: E402
from LightMedSegLib.doubt.places import doubtful_places  # noqa: E402
from LightMedSegLib.inference.engine import Engine  # noqa: E402
from LightMedSegLib.inference.options import SegmentOptions  # noqa: E402
from LightMedSegLib.inference.result import Segmentation, as_image  # noqa: E402

Row = dict[str, Any]
PLAIN, DOUBT = SegmentOptions(), SegmentOptions(doubt=True)


def measure_case(engine: Engine, case: HeldOut) -> tuple[Row, list[Row]]:
    """The line of a case, and those of its structures."""
    seconds, results = zip(*(_timed(engine, case, options) for options in (PLAIN, DOUBT)), strict=True)
    plain, result = results
    if sitk.Hash(plain.labelmap) != sitk.Hash(result.labelmap):
        raise AssertionError(f"Doubt changed the labels of {case.name}.")
    labels, doubt, truth = (sitk.GetArrayFromImage(image) for image in (result.labelmap, result.doubt, case.truth))
    judged = judge(labels, truth, doubt, case.judged)
    shares = slice_shares(judged)
    # Nobody would be sent to what is not judged.
    started = time.perf_counter()
    places = doubtful_places(as_image(judged.doubt, result.doubt), result.labelmap, result.card.labels)
    for_places = time.perf_counter() - started
    structures = list(_structure_rows(engine, case, result, judged.known))
    line = {
        "model": engine.card.identifier,
        "case": case.name,
        "auroc": area_under_curve(judged.doubt[judged.near], judged.wrong[judged.near]),
        "axis": shares.axis,
        "proposed": shares.proposed,
        "best": shares.best,
        "tenth": shares.tenth,
        "random": shares.random,
        "places": place_share(judged, places),
        "expected_errors": judged.doubt[judged.near].sum() / 510,
        "errors": int(judged.wrong.sum()),
        "dice": _mean(row["dice"] for row in structures),
        "expected_dice": mean_expected_dice(structures),
        "seconds": seconds[0],
        "seconds_doubt": seconds[1],
        "seconds_places": for_places,
    }
    return _rounded(line), [_rounded(row) for row in structures]


def _timed(engine: Engine, case: HeldOut, options: SegmentOptions) -> tuple[float, Segmentation]:
    started = time.perf_counter()
    result = engine.segment(case.image, options)
    return time.perf_counter() - started, result


def _structure_rows(engine: Engine, case: HeldOut, result: Segmentation, known: np.ndarray) -> Iterator[Row]:
    labels, doubt, truth = (sitk.GetArrayFromImage(image) for image in (result.labelmap, result.doubt, case.truth))
    confidences, expected = mean_confidences(labels, doubt), expected_dice_of_values(result)
    for label in engine.card.labels:
        if label.value in case.judged and label.value in confidences:
            yield {
                "model": engine.card.identifier,
                "case": case.name,
                "structure": label.name,
                "confidence": confidences[label.value],
                "dice": dice_of(labels, truth, known, label.value),
                "expected_dice": expected.get(label.value),
            }


def measure_others(engine: Engine, case: HeldOut) -> Iterator[Row]:
    """The area under the curve of each measure of doubt."""
    truth = sitk.GetArrayFromImage(case.truth)
    for name in MEASURES:
        with measured_by(name):
            result = engine.segment(case.image, DOUBT)
        labels, doubt = (sitk.GetArrayFromImage(image) for image in (result.labelmap, result.doubt))
        judged = judge(labels, truth, doubt, case.judged)
        area = area_under_curve(judged.doubt[judged.near], judged.wrong[judged.near])
        row = {"model": engine.card.identifier, "case": case.name, "measure": name, "auroc": area}
        yield _rounded({**row, "seconds": sum(result.timings.values())})


def _memory(model: str, case: HeldOut) -> Row:
    context = multiprocessing.get_context("spawn")
    row: Row = {"model": Engine(model, "cpu").card.identifier, "case": case.name}
    image = sitk.GetArrayFromImage(case.image), case.image.GetSpacing()
    for column, doubt in (("megabytes", False), ("megabytes_doubt", True)):
        with context.Pool(1) as pool:
            row[column] = pool.apply(_peak_megabytes, (model, *image, doubt))
    return row


def _peak_megabytes(model: str, array: np.ndarray, spacing: Sequence[float], doubt: bool) -> float:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    Engine(model, "cpu").segment(image, SegmentOptions(doubt=doubt))
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return round(int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024, 1)


def _mean(values: Iterator[float]) -> float:
    return float(np.nanmean(list(values)))


def _rounded(row: Row) -> Row:
    return {key: round(float(value), 4) if isinstance(value, float) else value for key, value in row.items()}


def _keep(path: Path, model: str, rows: list[Row]) -> None:
    """Write rows in place of earlier ones of the same model."""
    write_csv(path, [*(row for row in read_rows(path) if row["model"] != model), *rows])


def main() -> int:
    """Measure, print a line for each case, and write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, help="only the first so many")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--measures", action="store_true")
    parser.add_argument("--memory", action="store_true")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    engine = Engine(chosen.model, chosen.device)
    name = engine.card.identifier
    cases = held_out_cases(engine.card, chosen.data, "test", chosen.cases)
    if chosen.memory:
        _keep(chosen.out / "memory.csv", name, [_memory(chosen.model, next(cases))])
        return 0
    lines: list[Row] = []
    structures: list[Row] = []
    for number, case in enumerate(cases):
        if chosen.measures:
            lines += measure_others(engine, case)
        else:
            if number == 0:
                engine.segment(case.image, PLAIN)  # loads the model
            line, more = measure_case(engine, case)
            lines.append(line)
            structures += more
        print(lines[-1], flush=True)
        _keep(chosen.out / ("measures.csv" if chosen.measures else "cases.csv"), name, lines)
        if structures:
            _keep(chosen.out / "structures.csv", name, structures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
