"""Run the commands and the Python of README and documentation as they stand there, on small data made for it.

    python Testing/Tools/run_documented_commands.py [--slow] [DOCUMENT ...]

Words in capitals stand for a reader's own files; INPUTS says what they are here. Commands of pip and make are not run
(tests check that their extras and targets exist), --slow adds the blocks that take minutes. A training gets seconds in
place of minutes, and two steps in place of many.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from documents import REPOSITORY, Block, blocks

sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "Testing")]

MODEL = REPOSITORY / "Resources" / "Models" / "hippocampus-t1-mr"
SAMPLE = REPOSITORY / "Resources" / "SampleData" / "mni152-t1-left-hippocampus.nii.gz"
DOCUMENTS = ("README.md", "Documentation/scripting.md", "Documentation/training.md", "Documentation/bids.md")
NOT_RUN = ("pip", "make", "python")
_SHORTER = ((re.compile(r"--minutes \d+"), "--minutes 0.05"), (re.compile(r"\bsteps=\d+"), "steps=2"))

_IN_SLICER = """
import sys
sys.path[:0] = [{testing!r}]
from Runtime.bootstrap import start
session = start()
session.reset()
session.load_module({module!r})
exec(compile(open({code!r}, encoding="utf-8").read(), {place!r}, "exec"))
session.finish()
"""


def make_scan(folder: Path) -> None:
    """The shipped sample."""
    shutil.copy(SAMPLE, folder / "SCAN.nii.gz")


def make_prompts(folder: Path) -> None:
    """Two prompts on the sample."""
    first = {"include": True, "point": [25.0, 22.0, -14.0]}
    second = {"include": False, "stroke": [[36.0, 20.0, 0.0], [36.0, 26.0, 0.0]], "radius_mm": 1.5}
    (folder / "PROMPTS.json").write_text(json.dumps({"coordinates": "LPS", "prompts": [first, second]}))


def make_scans(folder: Path) -> None:
    """Two scans in a folder."""
    (folder / "SCANS").mkdir()
    for name in ("first", "second"):
        shutil.copy(SAMPLE, folder / "SCANS" / f"{name}.nii.gz")


def make_dataset(folder: Path) -> None:
    """A dataset of nnU-Net's kind: eight training cases with labels of our own making, one test case."""
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / "DATASET" / part).mkdir(parents=True)
    for number in range(8):
        image, labelmap = example(number)
        sitk.WriteImage(image, str(folder / "DATASET" / "imagesTr" / f"case_{number}_0000.nii.gz"))
        sitk.WriteImage(labelmap, str(folder / "DATASET" / "labelsTr" / f"case_{number}.nii.gz"))
    shutil.copy(SAMPLE, folder / "DATASET" / "imagesTs" / "case_8_0000.nii.gz")
    labels = {"background": 0, "Anterior hippocampus": 1, "Posterior hippocampus": 2}
    description = {"channel_names": {"0": "T1"}, "labels": labels}
    (folder / "DATASET" / "dataset.json").write_text(json.dumps(description))


def make_cases(folder: Path) -> None:
    """One corrected case for fine-tuning."""
    image, labelmap = example(0)
    for part, volume in (("images", image), ("labels", labelmap)):
        (folder / "CASES" / part).mkdir(parents=True)
        sitk.WriteImage(volume, str(folder / "CASES" / part / "case.nii.gz"))


def make_series(folder: Path) -> None:
    """The sample as a DICOM series."""
    write_series(folder / "SERIES")


def make_archive(folder: Path) -> None:
    """The same series in an archive."""
    write_series(folder / "ARCHIVE" / "PATIENT" / "STUDY" / "SERIES")


def make_bids(folder: Path) -> None:
    """The sample as a BIDS dataset."""
    place = folder / "BIDS_DIR" / "sub-01" / "anat"
    place.mkdir(parents=True)
    shutil.copy(SAMPLE, place / "sub-01_T1w.nii.gz")
    description = {"Name": "Sample", "BIDSVersion": "1.10.0"}
    (folder / "BIDS_DIR" / "dataset_description.json").write_text(json.dumps(description))


def write_series(folder: Path) -> None:
    """The sample as a DICOM series in a new folder."""
    folder.mkdir(parents=True)
    volume = sitk.Cast(sitk.ReadImage(str(SAMPLE)), sitk.sitkInt16)
    direction = volume.GetDirection()
    root = "1.2.826.0.1.3680043.2.1125.9"
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index in range(volume.GetDepth()):
        plane = volume[:, :, index]
        for key, value in {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"{root}.4.{index}",
            "0008|0060": "MR",
            "0020|000d": f"{root}.1",
            "0020|000e": f"{root}.2",
            "0020|0052": f"{root}.3",
            "0020|0013": str(index),
            "0020|0032": "\\".join(f"{x:.6g}" for x in volume.TransformIndexToPhysicalPoint((0, 0, index))),
            "0020|0037": "\\".join(f"{direction[place]:g}" for place in (0, 3, 6, 1, 4, 7)),
        }.items():
            plane.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{index:03d}.dcm"))
        writer.Execute(plane)


def make_labelmaps(folder: Path) -> None:
    """Two segmentations to compare."""
    for name, number in (("PREDICTION", 0), ("REFERENCE", 1)):
        sitk.WriteImage(example(number)[1], str(folder / f"{name}.nii.gz"))


def make_labelmap_folders(folder: Path) -> None:
    """References of three cases, and the results of two methods."""
    for name, first in (("REFERENCES", 0), ("PREDICTED", 1), ("OTHERS", 2)):
        (folder / name).mkdir()
        for number in range(3):
            sitk.WriteImage(example(first + number)[1], str(folder / name / f"case_{number}.nii.gz"))
    # The test case of the dataset that make_dataset writes.
    sitk.WriteImage(sitk.ReadImage(str(SAMPLE)) > 80, str(folder / "REFERENCES" / "case_8.nii.gz"))
    labels = {"background": 0, "Anterior hippocampus": 1, "Posterior hippocampus": 2}
    (folder / "REFERENCES" / "dataset.json").write_text(json.dumps({"labels": labels}))


def make_model(folder: Path) -> None:
    """The shipped model under another name, as a zip file."""
    from LightMedSegLib.model.package import load_model, save_model
    from LightMedSegLib.storage.zip_archive import write_zip

    model = load_model(MODEL)
    card = {key: value for key, value in model.card.to_json().items() if key != "reference"}
    made = save_model(folder / "model", card | {"name": "of-somebody"}, model.weights())
    files = {path.name: path for path in made.folder.iterdir()}
    write_zip(folder / "MODEL-OF-SOMEBODY.zip", "of-somebody", files)
    shutil.rmtree(made.folder)


INPUTS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "SCAN": ("SCAN.nii.gz", make_scan),
    "PROMPTS.json": ("PROMPTS.json", make_prompts),
    "SCANS": ("SCANS", make_scans),
    "SERIES": ("SERIES", make_series),
    "ARCHIVE": ("ARCHIVE", make_archive),
    "BIDS_DIR": ("BIDS_DIR", make_bids),
    "DATASET": ("DATASET", make_dataset),
    "CASES": ("CASES", make_cases),
    "PREDICTION": ("PREDICTION.nii.gz", make_labelmaps),
    "REFERENCE": ("REFERENCE.nii.gz", make_labelmaps),
    "PREDICTED": ("PREDICTED", make_labelmap_folders),
    "REFERENCES": ("REFERENCES", make_labelmap_folders),
    "OTHERS": ("OTHERS", make_labelmap_folders),
    "MODEL-OF-SOMEBODY.zip": ("MODEL-OF-SOMEBODY.zip", make_model),
}
"""Placeholder: what takes its place, and who makes that. Other words in capitals are names of results."""


def example(number: int) -> tuple[sitk.Image, sitk.Image]:
    """A small noisy volume with two blocks in it, and their labels."""
    generator = np.random.default_rng(number)
    labels = np.zeros((40, 48, 36), dtype=np.uint8)
    first, second = generator.integers(6, 14, (2, 3))
    labels[tuple(slice(start, start + 12) for start in first)] = 1
    labels[tuple(slice(start + 14, start + 22) for start in second)] = 2
    intensities = np.array([90, 140, 120], dtype=np.float32)[labels] + generator.normal(0, 8, labels.shape)
    return sitk.GetImageFromArray(intensities.astype(np.float32)), sitk.GetImageFromArray(labels)


def main(documents: list[Path], slow: bool) -> int:
    """Run the blocks of each document in a folder of its own; the number of blocks that failed."""
    failed = 0
    for document in documents:
        with tempfile.TemporaryDirectory() as scratch:
            runner = Runner(Path(scratch))
            for block in blocks(document):
                if (
                    block.marker == "no"
                    or (block.marker == "slow" and not slow)
                    or block.language not in ("", "python")
                ):
                    continue
                problem = runner.run(block)
                failed += bool(problem)
                print(f"{block.place}: {problem or 'runs'}", flush=True)
    return failed


class Runner:
    """Runs blocks in one folder, with models of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        self._environment = os.environ | {
            "LIGHTMEDSEG_HOME": str(folder / "home"),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }
        self._made: set[str] = set()

    def run(self, block: Block) -> str:
        """What went wrong, "" if nothing did."""
        if block.language == "python":
            return self._run_python(block)
        for command in block.commands():
            words = shlex.split(self._filled_in(command))
            if words[0] in NOT_RUN:
                continue
            if words[0] != "lightmedseg":
                return f"{words[0]} is no command that this script knows"
            problem = self._run_program(words[1:])
            if problem:
                return f"{command}: {problem}"
        return ""

    def _run_program(self, words: list[str]) -> str:
        if not hasattr(os, "fork"):
            return self._run([sys.executable, "-m", "LightMedSegLib", *words])
        from LightMedSegLib.cli import main as program

        return self._forked(lambda: program(words), words)

    def _forked(self, work: Callable[[], int], words: list[str]) -> str:
        """Forked, because to import PyTorch takes longer than most commands. It is imported here, once."""
        import torch as _torch  # noqa: F401
        from forked import forked

        from LightMedSegLib.inference import segmentation as _segmentation  # noqa: F401
        from LightMedSegLib.network import build_network as _network  # noqa: F401

        def in_environment() -> int:
            os.environ.clear()
            os.environ.update(self._environment)
            return work()

        return _problem(forked(in_environment, words, self._folder))

    def _run_python(self, block: Block) -> str:
        code = self._folder / "block.py"
        code.write_text(self._filled_in(block.text), encoding="utf-8")
        if block.marker != "slicer":
            if not hasattr(os, "fork"):
                return self._run([sys.executable, str(code)])
            return self._forked(lambda: _execute(code, block.place), [block.place])
        module = REPOSITORY / "LightMedSeg" / "LightMedSeg.py"
        text = _IN_SLICER.format(
            testing=str(REPOSITORY / "Testing"), module=str(module), code=str(code), place=block.place
        )
        return self._run([sys.executable, "-c", text])

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            words,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return _problem(done)

    def _filled_in(self, text: str) -> str:
        """The text with what stands for the reader's files, which are made when they are first named."""
        for word, (name, make) in INPUTS.items():
            pattern = rf"(?<![\w.-]){re.escape(word)}(?![\w.-])"
            if re.search(pattern, text):
                if make.__name__ not in self._made:
                    self._made.add(make.__name__)
                    make(self._folder)
                text = re.sub(pattern, name, text)
        for pattern, short in _SHORTER:
            text = pattern.sub(short, text)
        return text


def _execute(code: Path, place: str) -> int:
    exec(compile(code.read_text(encoding="utf-8"), place, "exec"), {"__name__": "__main__"})
    return 0


def _problem(done: subprocess.CompletedProcess[str]) -> str:
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("documents", nargs="*", type=Path, default=[REPOSITORY / name for name in DOCUMENTS])
    parser.add_argument("--slow", action="store_true", help="also what takes minutes")
    arguments = parser.parse_args()
    sys.exit(1 if main([path.resolve() for path in arguments.documents], arguments.slow) else 0)
