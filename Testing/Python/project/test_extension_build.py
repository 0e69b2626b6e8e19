"""CMake installs the extension as Slicer would, and the stand-in for Slicer's macros refuses what Slicer refuses."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import extension_build
import pytest
from check_extension_entry import clone_size
from cmake_lists import installed_files
from paths import REPOSITORY

LARGEST_PACKAGE, LARGEST_CLONE = 10_000_000, 40 * 2**20
LARGEST_FILE = 3_000_000

EXTENSION = """
cmake_minimum_required(VERSION 3.20.6...3.28.0 FATAL_ERROR)
project(Example)
{fields}
find_package(Slicer REQUIRED)
include(${{Slicer_USE_FILE}})
{modules}
{ending}
"""
FIELDS = {
    "HOMEPAGE": "https://example.org",
    "CATEGORY": "Segmentation",
    "CONTRIBUTORS": "First Last (Org)",
    "DESCRIPTION": "An example.",
    "ICONURL": "https://example.org/icon.png",
    "SCREENSHOTURLS": "https://example.org/screenshot.png",
    "DEPENDS": "NA",
    "RECOMMENDS": "NA",
    "KEYWORDS": "example",
    "STATUS": "Beta",
    "ENABLED": "1",
    "BUILD_SUBDIRECTORY": ".",
    "README_FILE": "${CMAKE_CURRENT_SOURCE_DIR}/README.md",
    "LICENSE_FILE": "${CMAKE_CURRENT_SOURCE_DIR}/README.md",
}
MODULE = "slicerMacroBuildScriptedModule(NAME Example SCRIPTS Example.py RESOURCES README.md)"
ENDING = "include(${Slicer_EXTENSION_GENERATE_CONFIG})\ninclude(${Slicer_EXTENSION_CPACK})"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extension") / "Extension with ä space"
    extension_build.install(folder)
    return folder


def test_every_file_lies_where_the_module_looks_for_it_and_nothing_else_does(installation: Path) -> None:
    folder = installation / extension_build.MODULES
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    wanted = installed_files()
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if found[name].read_bytes() != wanted[name].read_bytes()] == []
    others = [path for path in installation.rglob("*") if path.is_file() and folder not in path.parents]
    assert others == [installation / extension_build.DESCRIPTION]


def test_the_description_reaches_slicer_in_one_piece(installation: Path) -> None:
    lines = (installation / extension_build.DESCRIPTION).read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(" ", 1) for line in lines)
    assert fields["depends"] == "PyTorch" and fields["category"] == "Segmentation"
    assert fields["description"].endswith("not a medical device.")
    assert len(fields["keywords"].split()) >= 5 and "," not in fields["keywords"]


def test_slicers_dashboard_gets_the_module_its_self_test_and_the_library(tmp_path: Path) -> None:
    extension_build.configure(REPOSITORY, tmp_path / "with")
    assert extension_build.registered_tests(tmp_path / "with") == [
        "py_nomainwindow_qSlicerLightMedSegModuleGenericTest",
        "py_LightMedSeg",
        "py_test_library_in_slicer",
    ]
    assert extension_build.configure(REPOSITORY, tmp_path / "without", "-DBUILD_TESTING=OFF").returncode == 0
    assert extension_build.registered_tests(tmp_path / "without") == []


def test_the_package_is_small(installation: Path, tmp_path: Path) -> None:
    """Slicer's servers keep one for each platform and night."""
    package = tmp_path / "LightMedSeg.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        archive.add(installation, "LightMedSeg")
    assert 1_000_000 < package.stat().st_size < LARGEST_PACKAGE


def test_a_clone_of_the_repository_is_small() -> None:
    """Slicer's index clones the whole history: a large file counts even after it was deleted."""
    # As it travels: on the disk the newest commits take more until git packs them.
    try:
        size = clone_size(REPOSITORY)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git repository")
    assert size < LARGEST_CLONE
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    tracked = [REPOSITORY / name for name in names.split("\0") if name]
    assert [path.name for path in tracked if path.is_file() and path.stat().st_size > LARGEST_FILE] == []


def example(
    folder: Path, modules: str = MODULE, ending: str = ENDING, **fields: str
) -> subprocess.CompletedProcess[str]:
    """Configure a small extension; fields replace those of FIELDS."""
    folder.mkdir(exist_ok=True)
    for name in ("Example.py", "README.md"):
        (folder / name).write_text("")
    lines = "\n".join(f'set(EXTENSION_{name} "{text}")' for name, text in (FIELDS | fields).items())
    (folder / "CMakeLists.txt").write_text(EXTENSION.format(fields=lines, modules=modules, ending=ending))
    return extension_build.configure(folder, folder / "build")


def test_the_stand_in_accepts_a_sound_extension(tmp_path: Path) -> None:
    done = example(tmp_path / "sound")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("modules", "reason"),
    [
        ("slicerMacroBuildScriptedModule(SCRIPTS Example.py)", "needs NAME"),
        ("slicerMacroBuildScriptedModule(NAME Example)", "needs SCRIPTS"),
        ("slicerMacroBuildScriptedModule(NAME Example SCRIPTS Missing.py)", "Missing.py does not exist"),
        (f"{MODULE[:-1]} icon.png)", "icon.png does not exist"),
        ("slicerMacroBuildScriptedModule(NAME Example SCRIPTS README.md)", "README.md is no Python script"),
        ("slicerMacroBuildScriptedModule(NAME E SCRIPTS Example.py RESOURCES Example.py)", "belongs to SCRIPTS"),
        ("slicerMacroBuildScriptedModule(ANY NAME Example SCRIPTS Example.py)", "does not know: ANY"),
        (f"{MODULE}\nslicer_add_python_unittest(FILE Example.py)", "does not know: FILE"),
        (f"{MODULE}\nslicer_add_python_unittest(SCRIPT test.py)", "test.py does not exist"),
        (f"{MODULE}\nslicerMacroBuildLoadableModule(NAME Example)", "Unknown CMake command"),
        ("", "after the modules"),
    ],
)
def test_the_stand_in_refuses_wrong_calls(tmp_path: Path, modules: str, reason: str) -> None:
    done = example(tmp_path / "wrong", modules)
    assert done.returncode != 0 and reason in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"DESCRIPTION": ""}, "EXTENSION_DESCRIPTION is not set"),
        ({"DESCRIPTION": "First; second."}, "EXTENSION_DESCRIPTION must be one line without semicolons"),
        ({"LICENSE_FILE": "none.txt"}, "EXTENSION_LICENSE_FILE points to a file that does not exist"),
    ],
)
def test_the_stand_in_refuses_wrong_fields(tmp_path: Path, fields: dict[str, str], reason: str) -> None:
    done = example(tmp_path / "wrong", **fields)
    assert done.returncode != 0 and reason in " ".join(done.stderr.split())


def test_the_stand_in_wants_the_last_two_steps_in_slicers_order(tmp_path: Path) -> None:
    done = example(tmp_path / "wrong", ending="include(${Slicer_EXTENSION_CPACK})")
    assert done.returncode != 0 and "after Slicer_EXTENSION_GENERATE_CONFIG" in " ".join(done.stderr.split())
