"""Settings and small volumes that several tests share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import priority
import pytest
import SimpleITK as sitk
from model_factory import SMALLEST, make_model
from panel_bench import MODULE_FILE, Bench, equip
from slicer_packages import SLICER_ROOMS, SkippedModule, missing_package
from volumes_on_disk import plain_volume

from LightMedSegLib.gui.finetune import process
from LightMedSegLib.io.dicom_series import without_itk_warnings
from LightMedSegLib.model import store

# Before torch is imported, for children too: several processes with a thread for each core, and threads that wait by
# spinning, take the cores from each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

LONG_ROOMS = ("reliability", "finetuning", "training", "gui", "export", "cli")
"""Rooms with files that take minutes of one core."""


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    missing = missing_package(*SLICER_ROOMS.get(module_path.parent.name, ()))
    return SkippedModule.from_parent(parent, path=module_path, missing=missing) if missing else None


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.parent.name in SLICER_ROOMS or "slicer_runtime" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.slicer)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first: of several processes none has a long one left when the others have ended."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONG_ROOMS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = missing_package("slicer") if item.get_closest_marker("slicer") else None
    if missing:
        pytest.skip(f"needs the package {missing}")


@pytest.fixture(scope="session")
def _user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder each time. mktemp would look through those of all earlier tests."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_user_folder(_user_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or writes to, the models of the person who runs it."""
    folder = next(_user_folders)
    folder.mkdir()
    monkeypatch.setenv("LIGHTMEDSEG_HOME", str(folder))


@pytest.fixture(autouse=True)
def _same_path_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on which processor path is fastest on the computer it runs on."""
    monkeypatch.setenv("LIGHTMEDSEG_CPU_PATH", "float32")


@pytest.fixture
def fastest_path(_same_path_everywhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a shipped model on a whole scan, where float32 takes minutes."""
    monkeypatch.setenv("LIGHTMEDSEG_CPU_PATH", "auto")


@pytest.fixture(autouse=True)
def _jobs_do_not_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fine-tuning from the panel has normal priority."""
    monkeypatch.setattr(process, "_PROGRAM", priority.KEEP + process._PROGRAM)


@pytest.fixture(scope="session", autouse=True)
def _quiet_itk() -> Iterator[None]:
    with without_itk_warnings():
        yield


@pytest.fixture
def volume() -> sitk.Image:
    """An int16 volume of 24 x 20 x 16 voxels on an oblique, anisotropic grid."""
    array = np.random.default_rng(0).integers(-200, 1000, (16, 20, 24)).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.9, 1.1, 1.5))
    image.SetOrigin((-12.5, 30.25, -7.75))
    cosine, sine = np.cos(0.3), np.sin(0.3)
    image.SetDirection((cosine, -sine, 0, sine, cosine, 0, 0, 0, 1))
    return image


@pytest.fixture
def labelmap(volume: sitk.Image) -> sitk.Image:
    """Two boxes, values 1 and 2, on the grid of volume."""
    array = np.zeros((16, 20, 24), dtype=np.uint8)
    array[3:9, 4:12, 5:11] = 1
    array[9:14, 6:15, 8:20] = 2
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(volume)
    return image


@pytest.fixture
def no_leftovers(tmp_path: Path) -> Iterator[Path]:
    """A folder that must hold no temporary files when the test ends."""
    yield tmp_path
    left = [path.name for path in tmp_path.rglob("*") if path.name.startswith(".lightmedseg-tmp-")]
    assert not left, left


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model package with random weights and two labels; nobody may change it."""
    folder = tmp_path_factory.mktemp("package") / "model"
    return make_model(folder, arguments=SMALLEST, input={"patch": [16, 16, 16]}).folder


@pytest.fixture
def nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program as it would be without its own models."""
    monkeypatch.setattr(store, "shipped_models_folder", lambda: None)


@pytest.fixture
def installed(package: Path, nothing_shipped: None) -> str:
    """The model of package in the user's store, the only one there is; gives its name."""
    return store.ModelStore().add(package).card.name


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A file with a small sound volume."""
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(plain_volume(), str(path))
    return path


@pytest.fixture
def slicer_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An empty Slicer with a main window; at the end no exception may have been swallowed."""
    missing = missing_package("slicer", "PySide6")
    if missing:
        pytest.skip(f"needs the package {missing}")
    from Runtime.bootstrap import start

    session = start(tmp_path_factory.getbasetemp() / "slicer-home")
    session.reset()
    yield session
    session.finish()


@pytest.fixture
def bench(slicer_runtime: Any, tmp_path: Path) -> Iterator[Bench]:
    """The opened panel with one model, "self-test@1.0.0", and nothing chosen yet."""
    slicer_runtime.load_module(MODULE_FILE)
    panel = slicer_runtime.open_module("LightMedSeg")
    made = equip(slicer_runtime, panel, tmp_path / "models")
    yield made
    made.segment.seconds = 0
    panel.logic.cancel()


@pytest.fixture
def view(bench: Bench) -> Any:
    """A widget of the main window outside the panel, as a slice view is one."""
    import slicer
    from PySide6 import QtCore, QtWidgets

    made = QtWidgets.QLineEdit(slicer.util.mainWindow()._checked())
    made.setReadOnly(True)
    made.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
    made.show()
    bench.session.process_events()
    yield made
    made.deleteLater()
