"""Only files that a CMake list names reach the user: none may be forgotten."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import list_installed_files
import pytest
from cmake_lists import installed_files, listed
from paths import REPOSITORY
from patience import limit

NOT_INSTALLED = ("Resources/Training/", "Resources/Screenshots/", "CMakeLists.txt")
"""Recipes to train the models again, pictures for the home page, and the lists themselves."""


def repository_files() -> list[str]:
    """What git has, or would take; all files where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=limit(30))
        names = done.stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.rglob("*")]
    return sorted(name for name in names if (REPOSITORY / name).is_file() and "__pycache__" not in name)


def test_every_file_of_module_library_and_resources_is_installed() -> None:
    wanted = {
        name
        for name in repository_files()
        if name.startswith(("LightMedSeg/", "LightMedSegLib/", "Resources/"))
        and not name.startswith(NOT_INSTALLED)
        and not name.endswith(NOT_INSTALLED)
    }
    found = {path.relative_to(REPOSITORY).as_posix() for path in installed_files().values()}
    assert found - wanted == set(), "listed, but not in the repository"
    assert wanted - found == set(), "run Testing/Tools/list_installed_files.py"


def test_the_lists_are_those_that_the_tool_writes() -> None:
    library, resources = REPOSITORY / "LightMedSegLib/CMakeLists.txt", REPOSITORY / "Resources/CMakeLists.txt"
    assert listed(library, "MODULE_PYTHON_SCRIPTS") == list_installed_files.library_scripts()
    assert listed(library, "MODULE_PYTHON_RESOURCES") == list_installed_files.library_resources()
    assert listed(resources, "RESOURCE_FILES") == list_installed_files.installed_resources()


def test_no_other_python_file_lies_beside_the_module() -> None:
    """Slicer would take it for a module."""
    assert [path.name for path in (REPOSITORY / "LightMedSeg").glob("*.py")] == ["LightMedSeg.py"]


def fields() -> dict[str, str]:
    text = (REPOSITORY / "CMakeLists.txt").read_text()
    return {name: value.strip('"') for name, value in re.findall(r'set\((EXTENSION_\w+) (".*?"|\S+)\)', text)}


def test_the_extension_describes_itself_as_the_index_asks() -> None:
    found = fields()
    text = (REPOSITORY / "CMakeLists.txt").read_text()
    assert "project(LightMedSeg)" in text and "## NEXT_MODULE" in text
    for name in (
        "HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS", "RECOMMENDS",
        "KEYWORDS", "STATUS", "ENABLED", "BUILD_SUBDIRECTORY", "LICENSE_FILE", "README_FILE",
    ):  # fmt: skip
        assert found[f"EXTENSION_{name}"]
    assert found["EXTENSION_DEPENDS"] == "PyTorch"
    home = found["EXTENSION_HOMEPAGE"]
    assert home.startswith("https://github.com/") and home.split("/")[-1].startswith("Slicer")
    raw = home.replace("github.com", "raw.githubusercontent.com")
    urls = [found["EXTENSION_ICONURL"], *found["EXTENSION_SCREENSHOTURLS"].split()]
    assert all(url.startswith(f"{raw}/main/") and url.endswith(".png") for url in urls)
    assert (REPOSITORY / found["EXTENSION_ICONURL"].removeprefix(f"{raw}/main/")).is_file()
    assert (REPOSITORY / "LICENSE.txt").is_file() and (REPOSITORY / "README.md").is_file()
    assert "Apache-2.0" in found["EXTENSION_DESCRIPTION"]


def test_every_folder_that_is_added_has_its_own_list() -> None:
    for cmake_file in REPOSITORY.glob("**/CMakeLists.txt"):
        if ".venv" in cmake_file.parts or "build" in cmake_file.parts:
            continue
        for folder in re.findall(r"add_subdirectory\((\w+)\)", cmake_file.read_text()):
            assert (cmake_file.parent / folder / "CMakeLists.txt").is_file()
        for script in re.findall(r"SCRIPT (\w+\.py)", cmake_file.read_text()):
            assert (cmake_file.parent / script).is_file()


@pytest.mark.parametrize("path", ["LightMedSeg.png", "LightMedSeg/Resources/Icons/LightMedSeg.png"])
def test_the_icon_is_the_one_that_its_script_draws(path: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    import make_icon
    import numpy as np

    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(REPOSITORY / path)))
    assert pixels.shape == (128, 128, 4)
    # Other processors may round the last bit differently.
    assert np.abs(pixels.astype(int) - make_icon.draw_icon()).max() <= 1


def test_the_icon_is_legible_at_16_pixels() -> None:
    """The segment, the body's contour and the background remain far apart."""
    import make_icon

    small = make_icon.draw_icon(16).astype(int)
    segment, contour, background = small[8, 8], small[8, 3], small[2, 2]
    for first, second in ((segment, contour), (segment, background), (contour, background)):
        assert abs(first[:3] - second[:3]).sum() > 200
    assert Path(REPOSITORY / "LightMedSeg.png").stat().st_size < 20_000
