"""Segmenting many scans with one model: what cannot be segmented is noted, and the others are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from LightMedSegLib.core.errors import CancelledError, DoubtfulResultError, LightMedSegError
from LightMedSegLib.core.progress import CancelToken, ProgressCallback, part_of
from LightMedSegLib.inference.options import DEFAULT_OPTIONS, SegmentOptions
from LightMedSegLib.io.nnunet_labels import dataset_values, with_dataset_values
from LightMedSegLib.io.results.output_checks import check_can_hold
from LightMedSegLib.io.results.result_rescue import kept_anyway
from LightMedSegLib.io.scan_folders import Scan
from LightMedSegLib.io.segmentation_files import check_segmentation_path, write_segmentation
from LightMedSegLib.io.volume_files import read_volume

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.inference.engine import Engine
    from LightMedSegLib.inference.result import Segmentation

SEGMENTED, SKIPPED, DOUBTFUL, FAILED, NOT_STARTED = (
    "segmented", "exists already", "doubtful", "failed", "not started",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one scan.

    name: the result's file name. state: one of the five above; doubtful is what got a warning in a strict run. reason:
    of a failure or a doubt, in sentences that name no path.
    result: large; whoever keeps outcomes of many scans should not keep it.
    """

    name: str
    state: str
    reason: str = ""
    result: Segmentation | None = None


@dataclass(frozen=True)
class Batch:
    """How the scans of a folder are segmented.

    output: folder of the results. suffix: their ending. dataset: folder of an nnU-Net dataset whose label values the
    results get, None for the model's own. overwrite: segment again what has a result already. options: of every scan.
    read: gives the volume of a file or folder.
    """

    engine: Engine
    output: Path
    suffix: str = ".nii.gz"
    dataset: Path | None = None
    overwrite: bool = False
    options: SegmentOptions = DEFAULT_OPTIONS
    read: Callable[[Path], sitk.Image] = read_volume

    def run(
        self, scans: Sequence[Scan], progress: ProgressCallback | None = None, cancel: CancelToken | None = None
    ) -> Iterator[Outcome]:
        """Segment the scans one after the other; the outcome of each as soon as it is known.

        progress is called as progress(percent of all scans, 100, message). Once cancel is set, the scan in work leaves
        nothing behind, and the rest is not started.
        """
        cancel = cancel or CancelToken()
        for index, scan in enumerate(scans):
            count, prefix = len(scans), f"Scan {index + 1} of {len(scans)}: "
            own = None if progress is None else part_of(progress, index / count, (index + 1) / count, prefix)
            yield self._segment(scan, own, cancel)

    def _segment(self, scan: Scan, progress: ProgressCallback | None, cancel: CancelToken) -> Outcome:
        path = self.output / f"{scan.name}{self.suffix}"
        try:
            if path.exists() and not self.overwrite:
                return Outcome(path.name, SKIPPED)
            cancel.raise_if_cancelled()
            check_segmentation_path(path)
            images = [self.read(image) for image in scan.images]
            check_can_hold(path, images[0].GetSize())
            result = self.engine.segment(images, self.options, progress, cancel)
            labelmap, labels = result.labelmap, result.card.labels
            values = dataset_values(self.dataset, labels) if self.dataset is not None else {}
            if values:
                labelmap, labels = with_dataset_values(labelmap, labels, values)
            attributes = {"LightMedSeg_Model": result.card.identifier}
            with kept_anyway(path, labelmap, labels, attributes):
                write_segmentation(path, labelmap, labels, attributes)
        except CancelledError:
            return Outcome(path.name, NOT_STARTED)
        except DoubtfulResultError as error:
            return Outcome(path.name, DOUBTFUL, str(error))
        except LightMedSegError as error:
            return Outcome(path.name, FAILED, _without_folders(str(error), (*scan.images, path)))
        except OSError as error:
            return Outcome(path.name, FAILED, f"{error.strerror or error}.")
        return Outcome(path.name, SEGMENTED, result=result)


def _without_folders(reason: str, paths: Sequence[Path]) -> str:
    for path in paths:
        reason = reason.replace(str(path), path.name)
    return reason
