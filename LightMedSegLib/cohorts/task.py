"""The task of segmenting one scan of a cohort, the same for every executor."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from LightMedSegLib.cohorts.model_reference import ModelReference
from LightMedSegLib.cohorts.one_grid import check_grid
from LightMedSegLib.cohorts.report import DOUBTFUL, FAILED, NOT_STARTED, SEGMENTED, SKIPPED, ScanReport
from LightMedSegLib.core.errors import (
    CancelledError,
    DependencyError,
    DoubtfulResultError,
    LightMedSegError,
    OutputError,
)
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.core.progress import CancelToken, ProgressCallback
from LightMedSegLib.inference.options import DEFAULT_OPTIONS, SegmentOptions
from LightMedSegLib.io.montage import write_montage
from LightMedSegLib.io.nnunet_labels import dataset_values, with_dataset_values
from LightMedSegLib.io.results.output_checks import check_can_hold
from LightMedSegLib.io.results.result_rescue import kept_anyway
from LightMedSegLib.io.scan_folders import Scan
from LightMedSegLib.io.segmentation_files import check_segmentation_path, write_segmentation
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.storage.atomic_files import make_folder
from LightMedSegLib.storage.file_names import without_folders

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.inference.engine import Engine
    from LightMedSegLib.inference.result import Segmentation

_KEPT_ENGINES = 2


@dataclass(frozen=True)
class ScanTask:
    """One scan to segment; it can be sent to another process or computer, so all its paths are absolute.

    output: folder of the results. suffix: their ending. dataset: folder of an nnU-Net dataset whose label values the
    results get, None for the model's own. overwrite: segment again what has a result already. options: its device is
    the one that is used. cpu_path: how a processor computes the network, one of network.cpu.choice.CPU_PATHS,
    chosen_on: the computer that has chosen it, where it need not be checked again. labels: names or values of those
    that the result gets, none for all. pictures: folder of montages, None for none. grid: what a scan must be like for
    the region in options, None for any.
    """

    scan: Scan
    output: Path
    model: ModelReference
    options: SegmentOptions = DEFAULT_OPTIONS
    suffix: str = ".nii.gz"
    dataset: Path | None = None
    overwrite: bool = False
    cpu_path: str = "auto"
    chosen_on: str = ""
    labels: tuple[str, ...] = ()
    pictures: Path | None = None
    grid: Grid | None = None

    @property
    def name(self) -> str:
        """The result's file, relative to the folder of results."""
        return f"{self.scan.name}{self.suffix}"

    @property
    def path(self) -> Path:
        """The result's file."""
        return self.output / self.name

    @property
    def picture(self) -> Path | None:
        """The montage's file."""
        return None if self.pictures is None else self.pictures / f"{self.scan.name}.png"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that the scan's files are written to."""
        return tuple(path.parent for path in (self.path, self.picture) if path is not None)

    @property
    def is_done(self) -> bool:
        """Whether the result exists and is to stay."""
        return not self.overwrite and os.path.exists(self.path)  # noqa: PTH110 - no error for a name that is too long


def segment_scan(
    task: ScanTask, progress: ProgressCallback | None = None, cancel: CancelToken | None = None
) -> ScanReport:
    """Segment one scan, write its result whole or not at all, and return what became of it.

    The model stays loaded for the next task of this process. progress is called as in Engine.segment. Once cancel is
    set, the scan leaves nothing behind.

    Raises ModelPackageError where the model is missing or another one, DependencyError without PyTorch, DeviceError for
    an impossible device: no scan of the cohort could be segmented here. Every other problem is in the report.
    """
    cancel = cancel or CancelToken()
    if cancel.cancelled:
        return ScanReport(task.name, NOT_STARTED)
    engine = _engine(task.model, task.options.device, task.cpu_path, task.chosen_on)
    try:
        if task.is_done:
            return ScanReport(task.name, SKIPPED)
        result = _segmented(task, engine, progress, cancel)
    except CancelledError:
        return ScanReport(task.name, NOT_STARTED)
    except DoubtfulResultError as error:
        return ScanReport(task.name, DOUBTFUL, str(error))
    except LightMedSegError as error:
        return ScanReport(task.name, FAILED, _named_only(str(error), task))
    except OSError as error:
        return ScanReport(task.name, FAILED, f"{error.strerror or error}.")
    except Exception as error:
        # The others of perhaps thousands go on; what an exception says may hold what a header says.
        return ScanReport(task.name, FAILED, f"A defect ({type(error).__name__}); segment the scan alone to see it.")
    segments = result.segments()
    notes, warnings = tuple(result.notes), tuple(result.warnings)
    return ScanReport(task.name, SEGMENTED, "", segments, dict(result.timings), notes, warnings)


def _segmented(task: ScanTask, engine: Engine, progress: ProgressCallback | None, cancel: CancelToken) -> Segmentation:
    make_folder(task.path.parent)
    check_segmentation_path(task.path)
    with without_native_messages():
        images = [read_volume(image, task.scan.series, task.scan.frame) for image in task.scan.images]
    check_can_hold(task.path, images[0].GetSize())
    if task.grid is not None:
        check_grid(Grid.of(images[0]), task.grid)
    result = engine.segment(images, task.options, progress, cancel).with_labels(engine.card.labels, task.labels)
    labelmap, labels = result.labelmap, result.card.labels
    values = dataset_values(task.dataset, labels) if task.dataset is not None else {}
    if values:
        labelmap, labels = with_dataset_values(labelmap, labels, values)
    attributes = {"LightMedSeg_Model": result.card.identifier}
    with kept_anyway(task.path, labelmap, labels, attributes):
        write_segmentation(task.path, labelmap, labels, attributes)
    if task.picture is not None:
        _write_picture(task.picture, images[0], result)
    return result


def _write_picture(path: Path, image: sitk.Image, result: Segmentation) -> None:
    """Write the montage; a failure is a warning, because the result is complete."""
    try:
        make_folder(path.parent)
        write_montage(path, image, result.labelmap, result.card.labels, result.card.modality)
    except (OutputError, DependencyError, OSError) as error:
        reason = without_folders(str(error), (path,)).rstrip(".")
        for sentences in (result.notes, result.warnings):
            sentences.append(f"There is no montage: {reason}.")


@lru_cache(maxsize=_KEPT_ENGINES)
def _engine(model: ModelReference, device: str, cpu_path: str, chosen_on: str) -> Engine:
    from LightMedSegLib.inference.engine import Engine

    if chosen_on == platform.node():
        from LightMedSegLib.network.cpu.choice import trust

        trust(cpu_path)
    return Engine(model.load(), device, cpu_path)


def _named_only(reason: str, task: ScanTask) -> str:
    """Return the reason without folders, as of temporary files beside the result."""
    return without_folders(reason, (*task.scan.images, task.path)).replace(f"{task.path.parent}{os.sep}", "")
